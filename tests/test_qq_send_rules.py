"""Reading rules for QQ's answers to sends (docs/qq-bot.md, 9, 10, 12 and 13)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_walks import any_event

from holdfast.core import qq
from holdfast.core.events import SendAnswered, SendFailed
from holdfast.core.outbox import Outcome, Terms, Trigger
from holdfast.core.qq_send_rules import (
    read_send,
    send_code,
    send_words,
    terms_of,
)

HOUR_MS, MINUTE_MS = 3_600_000, 60_000


def sent(**fields: object) -> SendAnswered:
    place = {"type": "send_answered", "delivery": 5, "part": 0}
    return msgspec.convert({**place, **fields}, SendAnswered)


def read(
    event: SendAnswered | SendFailed,
    *,
    reply: bool = False,
    doubtful: bool = False,
    unsure: bool = False,
    lost_ms: int | None = None,
) -> Outcome:
    return read_send(
        event, with_context=reply, doubtful=doubtful, unsure=unsure, lost_ms=lost_ms
    )


# One line of section 13 each: {codes: (as a message of its own, as an answer)}.
BY_ACTION: dict[tuple[int, ...], tuple[Trigger, Trigger]] = {
    (11241, 11242, 11243, 11244): (Trigger.DENY, Trigger.DENY),
    (
        *(11245, 11251, 11261, 11275, 11253, 11254, 11262, 11265, 100007, 11273),
        *(11274, 11298, 100016, 304014, 304036, 304037, 304057, 40034127),
    ): (Trigger.PARK, Trigger.PARK),
    (
        *(22009, 20028, 50002, 100001, 100017, 304045, 304047, 304049, 304050),
        *(304052, 503004, 610013, 620006, 1100100, 1100308, 40034100, 40054016),
    ): (Trigger.THROTTLE, Trigger.THROTTLE),
    (
        *(40034128, 40034005, 40034031, 304027, 304103, 304026, 40034024),
        *(40034025, 40034026, 40034027, 304028),
    ): (Trigger.PARK, Trigger.STALE),
    (40054005,): (Trigger.REJECT, Trigger.RENUMBER),
    (
        *(40034101, 40054003, 40034102, 40034105, 40034122, 40034123, 40054002),
        *(850018, 40054004, 40054013, 304031, 304032, 304033, 304034, 304046),
        *(304048, 1100104, 1100301, 1100306, 11255),
    ): (Trigger.PARK, Trigger.PARK),
    (
        *(40034006, 40034003, 304025, 1100101, 1100102, 1100103, 3300006, 40054007),
        *(40054018, 40054010, 304003, 40034008, 40034009, 40034010, 40034011),
        *(40034029, 40034124, *range(50037, 50058), 305007, 22006, 304061, 340069),
        *(50006, 50059, 12002, 40034106, 40034108, 40034109),
    ): (Trigger.REJECT, Trigger.REJECT),
    (
        *(50055001, 50055002, 50055006, 304016, 304082, 304083, 40034004, 40054006),
        *(11252, 11263, 11281, 306003, 306005, 306006, 50065001, 1100300, 850027),
        40093001,
    ): (Trigger.THROTTLE, Trigger.THROTTLE),
    (304018,): (Trigger.UNREACH, Trigger.UNREACH),
    (304023, 304024): (Trigger.UNCONFIRM, Trigger.UNCONFIRM),
}
CODES = [
    (code, push, reply) for codes, (push, reply) in BY_ACTION.items() for code in codes
]


@pytest.mark.parametrize(("code", "push", "reply"), CODES)
def test_each_code_asks_for_what_the_sheet_says(
    code: int, push: Trigger, reply: Trigger
) -> None:
    for fields in ({"code": code}, {"err_code": code}, {"code": 1, "err_code": code}):
        event = sent(status=400, **fields)
        assert read(event).trigger is push
        assert read(event, reply=True).trigger is reply
        assert str(code) in read(event).error


def test_err_code_is_the_finer_of_two() -> None:
    assert read(sent(status=400, code=11255, err_code=22009)).trigger is (
        Trigger.THROTTLE
    )
    # An unknown one leaves the other to speak.
    assert read(sent(status=400, code=11255, err_code=7)).trigger is Trigger.PARK


def test_a_duplicate_after_a_lost_answer_had_arrived() -> None:
    event = sent(status=400, code=40054005)
    assert read(event, reply=True, doubtful=True) == Outcome(Trigger.ACCEPT)


OTHERS = [
    (sent(message_id="1"), Trigger.ACCEPT),
    (sent(status=201, message_id="1", code=0), Trigger.ACCEPT),
    (sent(message_id="1", code=99999), Trigger.ACCEPT),
    (sent(), Trigger.UNCONFIRM),
    (sent(status=204), Trigger.UNCONFIRM),
    # 9: a 2xx with an error in its body and no id is an error too.
    (sent(code=99999), Trigger.REJECT),
    (sent(err_code=99999), Trigger.REJECT),
    (sent(malformed="not JSON"), Trigger.LOSE),
    (sent(status=401), Trigger.DENY),
    (sent(status=401, code=99999), Trigger.REJECT),
    (sent(status=429), Trigger.THROTTLE),
    (sent(status=400), Trigger.REJECT),
    (sent(status=404, malformed="<html>"), Trigger.REJECT),
    # Passed on or not: nobody knows.
    *((sent(status=status), Trigger.LOSE) for status in (500, 502, 503, 504)),
    (SendFailed(5, 0, "timeout"), Trigger.LOSE),
    (SendFailed(5, 0, "reset", left=True), Trigger.LOSE),
    (SendFailed(5, 0, "dns", left=False), Trigger.UNREACH),
]


@pytest.mark.parametrize(("event", "trigger"), OTHERS)
def test_what_became_of_a_send(
    event: SendAnswered | SendFailed, trigger: Trigger
) -> None:
    assert read(event).trigger is read(event, reply=True).trigger is trigger


def test_what_is_accepted_soon_after_a_loss_may_never_be_shown() -> None:
    """7: HTTP 200 with an id, 55 to 150 s after a 4009, and nothing to be seen."""
    outcome = read(sent(message_id="1"), lost_ms=149_999)
    assert outcome.trigger is Trigger.UNCONFIRM
    assert outcome.peer_id == "1"
    assert "149 s after a lost connection" in outcome.error
    assert read(sent(status=429), lost_ms=0).trigger is Trigger.THROTTLE


TERMS = {
    "c2c:u": Terms(HOUR_MS, 4, 3_000, 1_000),
    "group:g": Terms(5 * MINUTE_MS, 5, 3_000, 1_000),
    "guild:c": Terms(5 * MINUTE_MS, 0, 1_000, 20, numbered=False),
    "dm:d": Terms(5 * MINUTE_MS, 0, 1_000, 2, numbered=False),
}


@pytest.mark.parametrize(("peer", "terms"), TERMS.items())
def test_each_kind_of_peer_has_its_own_terms(peer: str, terms: Terms) -> None:
    assert terms_of(peer, qq.POLICY) == terms


def test_the_words_about_a_send_name_the_call_for_the_platforms_support() -> None:
    event = sent(status=400, err_code=40034105, errmsg="no", trace="t-1")
    assert (send_code(event), send_words(event)) == (
        "40034105",
        "40034105 no (trace t-1)",
    )
    assert (send_code(sent(status=502)), send_words(sent(status=502))) == (
        "http_502",
        "HTTP 502",
    )
    failed = SendFailed(5, 0, "timeout", reason="30 s")
    assert (send_code(failed), send_words(failed)) == ("timeout", "timeout: 30 s")
    assert send_words(sent(malformed="x")) == "unreadable answer: x"


@given(
    any_event(SendAnswered) | any_event(SendFailed),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(0, 150_000),
)
def test_no_answer_to_a_send_makes_a_rule_raise(
    event: SendAnswered | SendFailed,
    reply: bool,  # noqa: FBT001 - hypothesis gives it by place
    doubtful: bool,  # noqa: FBT001 - hypothesis gives it by place
    lost_ms: int | None,
) -> None:
    outcome = read(event, reply=reply, doubtful=doubtful, lost_ms=lost_ms)
    assert outcome.trigger in Trigger
    assert reply or outcome.trigger not in (Trigger.STALE, Trigger.RENUMBER)
    assert send_code(event) is not None
