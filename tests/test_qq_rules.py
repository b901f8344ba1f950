"""Reading rules of QQ: each with the section of docs/qq-bot.md that it rests on."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_walks import any_event

from holdfast.core import qq
from holdfast.core.events import MessageReceived
from holdfast.core.inbox import Traces
from holdfast.core.qq_codes import ADVICE, Fate
from holdfast.core.qq_events import (
    DialFailed,
    GatewayAnswered,
    SocketClosed,
    TokenAnswered,
)
from holdfast.core.qq_rules import (
    LIFE_S_MAX,
    RESET_MS_MAX,
    End,
    Parting,
    Verdict,
    advised,
    call_words,
    close_words,
    dial_words,
    heartbeat_ms,
    known_by,
    read_end,
    read_gateway,
    read_token,
    reset_ms,
    token_life_ms,
)

LIMITS, TOKENS = qq.POLICY.gateway, qq.POLICY.token
KEPT, DROPPED, REFUSED = Fate.KEPT, Fate.DROPPED, Fate.REFUSED
URL = "wss://api.bot.qq.com/websocket/"


def ended(
    code: int | None,
    parting: Parting | None = None,
    *,
    identifying: bool = False,
    last_code: int | None = None,
) -> End:
    return read_end(
        SocketClosed(1, code=code),
        parting,
        identifying=identifying,
        last_code=last_code,
        policy=LIMITS,
    )


# Section 6, line by line; what is in no table is undocumented: identify with backoff.
CLOSES: dict[int | None, Fate] = {
    4000: DROPPED,
    **dict.fromkeys((4001, 4002), Fate.FATAL),
    4003: REFUSED,
    4004: Fate.DENIED,
    4005: KEPT,
    **dict.fromkeys((4006, 4007), DROPPED),
    **dict.fromkeys((4008, 4009), KEPT),
    **dict.fromkeys((4010, 4011, 4012, 4013, 4014), Fate.FATAL),
    **dict.fromkeys((*range(4900, 4903), *range(4904, 4914)), DROPPED),
    4903: REFUSED,
    **dict.fromkeys((4914, 4915), Fate.FATAL),
    **dict.fromkeys((None, 1000, 1001, 1005, 1006, 1011), KEPT),
    **dict.fromkeys((4015, 4100, 4899, 4916, 4999), DROPPED),
    # Not the platform's: something on the way.
    **dict.fromkeys((0, -1, 999, 1002, 1012, 3000, 3999, 5000, 2**63), KEPT),
}


@pytest.mark.parametrize(("code", "fate"), CLOSES.items())
def test_what_a_close_code_means_for_the_session(code: int | None, fate: Fate) -> None:
    assert ended(code).fate is fate


def test_only_a_renewal_is_planned_and_only_4008_wants_to_be_left_alone() -> None:
    codes = [code for code in CLOSES if code is not None]
    assert [code for code in codes if ended(code).planned] == [4009]
    waits = {code: ended(code).wait_ms for code in codes if ended(code).wait_ms}
    assert waits == {4008: LIMITS.busy_ms}


def test_not_authenticated_twice_in_a_row_is_a_matter_of_the_secret() -> None:
    assert ended(4003, last_code=4003).fate is Fate.FATAL
    assert ended(4003, last_code=4000).fate is REFUSED
    assert ended(4000, last_code=4003).fate is DROPPED


PARTINGS = {
    # op 9 and the close that follows are one failure, whatever the code says.
    (Parting.INVALID, False): (DROPPED, False),
    (Parting.INVALID, True): (REFUSED, False),
    (Parting.RESUMABLE, False): (KEPT, False),
    (Parting.RESUMABLE, True): (KEPT, False),
    # op 7 is a renewal; a 4009 after it says nothing new.
    (Parting.RENEWED, False): (KEPT, True),
    (Parting.SILENT, False): (KEPT, False),
    (Parting.LATE, True): (KEPT, False),
}


@pytest.mark.parametrize("code", [None, 1000, 4000, 4006, 4009, 4902, 4903])
@pytest.mark.parametrize(("known", "read"), PARTINGS.items())
def test_what_was_known_before_the_end_counts_more_than_its_code(
    known: tuple[Parting, bool], read: tuple[Fate, bool], code: int | None
) -> None:
    parting, identifying = known
    end = ended(code, parting, identifying=identifying)
    assert (end.fate, end.planned) == read


@pytest.mark.parametrize("parting", list(Parting))
def test_a_fatal_close_is_fatal_whatever_was_known_before(parting: Parting) -> None:
    assert ended(4014, parting).fate is Fate.FATAL


def answered(**fields: object) -> TokenAnswered:
    known = {"type": "token_answered", "credential": "login-1", **fields}
    return msgspec.convert(known, TokenAnswered)


TOKEN_ANSWERS = [
    ({"token": "t"}, Verdict.GOOD),
    ({"token": "t", "code": 0}, Verdict.GOOD),
    ({"code": 100001}, Verdict.BUSY),  # 2: failures come with HTTP 200.
    ({"status": 429}, Verdict.BUSY),
    ({"code": 100007}, Verdict.BAD),
    ({"code": 100016}, Verdict.BAD),
    ({"code": 10004}, Verdict.BAD),
    ({"code": 100016, "token": "t"}, Verdict.BAD),
    ({"code": 99999}, Verdict.LOST),
    ({}, Verdict.LOST),
    ({"status": 502, "token": "t"}, Verdict.LOST),
    ({"malformed": "not JSON"}, Verdict.LOST),
]


@pytest.mark.parametrize(("fields", "verdict"), TOKEN_ANSWERS)
def test_what_the_answer_to_the_token_call_tells(
    fields: dict[str, object], verdict: Verdict
) -> None:
    assert read_token(answered(**fields)) is verdict


LIVES_S = {
    "7200": 7200,
    "60": 60,
    "0": 0,
    " 756 ": 756,
    "007": 7,
    "7201": LIFE_S_MAX,
    "9" * 5_000: LIFE_S_MAX,
    "0" * 5_000: 0,
    # Nothing that is a number of seconds: what is assumed then.
    **dict.fromkeys(("", "-1", "1.5", "NaN", "soon", "٦٠", "1e3", "²"), 300),
}


@pytest.mark.parametrize(("text", "life_s"), LIVES_S.items(), ids=range(len(LIVES_S)))
def test_a_token_lives_as_long_as_its_text_says(text: str, life_s: int) -> None:
    assert token_life_ms(answered(expires_in=text), TOKENS) == life_s * 1_000


GATEWAY_ANSWERS = [
    (GatewayAnswered(1, url=URL), Verdict.GOOD),
    (GatewayAnswered(1, url="ws://127.0.0.1:9"), Verdict.GOOD),
    (GatewayAnswered(1, url="https://example.org"), Verdict.LOST),
    (GatewayAnswered(1), Verdict.LOST),
    (GatewayAnswered(1, 500, url=URL), Verdict.LOST),
    (GatewayAnswered(1, malformed="not JSON"), Verdict.LOST),
    (GatewayAnswered(1, 400, code=100017), Verdict.BUSY),  # 3: limited itself.
    (GatewayAnswered(1, 429), Verdict.BUSY),
    (GatewayAnswered(1, 401, code=11244), Verdict.DENIED),
    (GatewayAnswered(1, 401), Verdict.DENIED),
    # 3: the source address, which HTTP 401 alone would make a matter of the token.
    (GatewayAnswered(1, 401, code=11298, err_code=40023002), Verdict.BAD),
    (GatewayAnswered(1, 401, code=11298), Verdict.BAD),
    (GatewayAnswered(1, 200, code=11265, url=URL), Verdict.BAD),
]


@pytest.mark.parametrize(("event", "verdict"), GATEWAY_ANSWERS)
def test_what_the_answer_to_the_call_for_the_address_tells(
    event: GatewayAnswered, verdict: Verdict
) -> None:
    assert read_gateway(event) is verdict


@pytest.mark.parametrize(
    ("said_ms", "read_ms"),
    [(None, 0), (-1, 0), (0, 0), (14_400_000, 14_400_000), (2**63, RESET_MS_MAX)],
)
def test_a_count_starts_again_within_a_day(said_ms: int | None, read_ms: int) -> None:
    assert reset_ms(GatewayAnswered(1, reset_after_ms=said_ms)) == read_ms


@pytest.mark.parametrize(
    ("said_ms", "read_ms"),
    [
        *((ms, ms) for ms in (5_000, 30_000, 41_250, 45_000, 120_000)),
        *((ms, 41_250) for ms in (None, 0, 1, -1, 4_999, 120_001, 10**9, 2**63)),
    ],
)
def test_an_interval_out_of_bounds_is_none(said_ms: int | None, read_ms: int) -> None:
    assert heartbeat_ms(said_ms, LIMITS) == read_ms


def known(**fields: str) -> Traces:
    return known_by(msgspec.structs.replace(MessageReceived("p", "b"), **fields))


def test_a_message_is_known_by_its_id_and_told_apart_by_its_index() -> None:
    """8.2: an index that is absent on either side makes it a copy."""
    bare, first = known(by_id="id-1"), known(by_id="id-1", by_index="x-1")
    other = known(by_id="id-1", by_index="x-2")
    assert {*bare.keep} & {*first.look}
    assert {*first.keep} & {*bare.look}
    assert {*first.keep} & {*first.look}
    assert not {*first.keep} & {*other.look}
    assert known() == known(by_index="x-1") == Traces((), ())


def test_the_peers_own_words_and_numbers_are_kept_and_advice_added() -> None:
    assert call_words(answered(code=100016, message="no")) == "100016 no"
    assert call_words(answered(status=502, malformed="x")) == "HTTP 502"
    assert call_words(answered(malformed="x")) == "unreadable answer: x"
    assert call_words(answered()) == "no answer"
    assert dial_words(DialFailed(1, "handshake", 200, "<html>")) == (
        "handshake: HTTP 200 <html>"
    )
    assert dial_words(DialFailed(1, "dns")) == "dns"
    closed = SocketClosed(1, "closed", 4903, "create session error")
    assert close_words(closed, Parting.INVALID) == (
        "session refused (op 9); closed, 4903 create session error"
    )
    assert close_words(SocketClosed(1, "eof"), None) == "eof, no close code"
    assert advised(4013, "x") == "x: correct intents"
    assert advised(None, "x") == advised(1, "x") == "x"


def test_every_close_that_only_a_human_can_mend_comes_with_advice() -> None:
    fatal = {code for code in CLOSES if code and ended(code).fate is Fate.FATAL}
    assert fatal <= {*ADVICE}


ANY_CODE = st.none() | st.integers(-(2**70), 2**70) | st.sampled_from([*CLOSES])


@given(
    any_event(SocketClosed),
    st.none() | st.sampled_from(list(Parting)),
    st.booleans(),
    ANY_CODE,
    ANY_CODE,
)
def test_no_end_of_a_socket_makes_a_rule_raise(
    event: SocketClosed,
    parting: Parting | None,
    identifying: bool,  # noqa: FBT001 - hypothesis gives it by place
    code: int | None,
    last_code: int | None,
) -> None:
    event = msgspec.structs.replace(event, code=code)
    end = read_end(
        event, parting, identifying=identifying, last_code=last_code, policy=LIMITS
    )
    assert 0 <= end.wait_ms <= LIMITS.busy_ms
    assert close_words(event, parting)


@given(any_event(TokenAnswered), any_event(GatewayAnswered), any_event(DialFailed))
def test_no_answer_to_a_call_makes_a_rule_raise(
    token: TokenAnswered, gateway: GatewayAnswered, dial: DialFailed
) -> None:
    assert read_token(token) in Verdict
    assert read_gateway(gateway) in Verdict
    assert 0 <= token_life_ms(token, TOKENS) <= LIFE_S_MAX * 1_000
    assert 0 <= reset_ms(gateway) <= RESET_MS_MAX
    assert call_words(token)
    assert call_words(gateway)
    assert dial_words(dial) is not None


@given(any_event(MessageReceived))
def test_no_message_makes_a_rule_raise(message: MessageReceived) -> None:
    assert len(known_by(message).keep) <= 2
