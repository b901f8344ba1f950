"""Reading rules: each with the labels of docs/weixin-ilink.md that it rests on."""

import msgspec
import pytest

from holdfast.core.events import (
    Event,
    MessageReceived,
    NotifyAnswered,
    NotifyFailed,
    PollAnswered,
    PollFailed,
    SendAnswered,
    SendFailed,
)
from holdfast.core.inbox import Traces
from holdfast.core.outbox import Outcome, Trigger
from holdfast.core.weixin_rules import (
    Answer,
    Failure,
    Verdict,
    cause_code,
    code,
    from_the_bot,
    known_by,
    read_failed_poll,
    read_poll,
    read_probe,
    read_send,
    refuses_login,
    words,
)

# Ids that are one as IEEE doubles, and ids that no signed 64-bit integer holds.
UINT64 = (
    "7500000000000000123",
    "7500000000000000456",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
)


def polled(**fields: object) -> PollAnswered:
    return msgspec.convert(
        {"type": "poll_answered", "epoch": 1, **fields}, PollAnswered
    )


def sent(**fields: object) -> SendAnswered:
    place = {"type": "send_answered", "delivery": 5, "part": 0}
    return msgspec.convert({**place, **fields}, SendAnswered)


def read(event: SendAnswered | SendFailed, context: str = "") -> Trigger:
    outcome = read_send(event, with_context=bool(context), blame_context=True)
    return outcome.trigger


@pytest.mark.parametrize(
    ("ret", "errcode", "expected"),
    [
        (None, None, 0),  # 5-7: absent is success, and so are null and 0.
        (0, None, 0),
        (None, 0, 0),
        (0, 0, 0),
        (-14, None, -14),  # R1: it may stand in either field, alone.
        (None, -14, -14),
        (0, -14, -14),
        (-14, 0, -14),
        (-2, -14, -14),
        (-14, -2, -14),
        (-2, None, -2),
        (None, -2, -2),
        (0, -2, -2),
        (-2, -3, -2),
    ],
)
def test_either_field_alone_signals_a_failure(
    ret: int | None, errcode: int | None, expected: int
) -> None:
    assert code(polled(ret=ret, errcode=errcode)) == expected
    assert code(sent(ret=ret, errcode=errcode)) == expected


ANSWERED_POLLS = [
    (polled(), Verdict.ALIVE),
    (polled(ret=0), Verdict.ALIVE),
    (polled(errcode=-14), Verdict.REVOKED),  # 12: the login is refused.
    (polled(ret=-14), Verdict.REVOKED),  # R1.
    (polled(ret=-2), Verdict.REFUSED),
    (polled(errcode=1), Verdict.REFUSED),
    (polled(status=524), Verdict.LOST),  # 11, R5: the edge, not the peer.
    (polled(status=502), Verdict.LOST),
    (polled(status=429), Verdict.LOST),
    (polled(status=401), Verdict.LOST),
    (polled(status=524, errcode=-14), Verdict.LOST),
    (polled(status=301), Verdict.STRANGER),
    (polled(status=404), Verdict.STRANGER),
    (polled(malformed="not JSON"), Verdict.LOST),
    (polled(malformed="cut off", errcode=-14), Verdict.LOST),
    (polled(status=524, malformed="not JSON"), Verdict.LOST),
]
FAILED_POLLS = {
    **dict.fromkeys(("timeout", "connect", "dns", "reset"), Verdict.LOST),
    **dict.fromkeys(("protocol", "too_large", "something new"), Verdict.LOST),
    "tls": Verdict.STRANGER,
}


@pytest.mark.parametrize(("event", "verdict"), ANSWERED_POLLS)
def test_what_the_answer_to_a_poll_tells(event: PollAnswered, verdict: Verdict) -> None:
    assert read_poll(event) is verdict


@pytest.mark.parametrize(("kind", "verdict"), FAILED_POLLS.items())
def test_what_a_poll_without_an_answer_tells(kind: str, verdict: Verdict) -> None:
    assert read_failed_poll(PollFailed(1, kind)) is verdict


PROBES = [
    (NotifyAnswered("start"), Verdict.ALIVE),
    (NotifyAnswered("start", ret=-14), Verdict.REVOKED),
    (NotifyAnswered("start", errcode=-14), Verdict.REVOKED),
    (NotifyAnswered("start", ret=-1), Verdict.ALIVE),  # R6: several never call it.
    (NotifyAnswered("start", status=404), Verdict.ALIVE),
    (NotifyAnswered("start", status=500), Verdict.LOST),
    (NotifyAnswered("start", status=524, errcode=-14), Verdict.LOST),
    (NotifyFailed("start", "timeout"), Verdict.LOST),
    (NotifyFailed("start", "tls"), Verdict.LOST),
]


@pytest.mark.parametrize(("event", "verdict"), PROBES)
def test_what_a_probe_tells(
    event: NotifyAnswered | NotifyFailed, verdict: Verdict
) -> None:
    assert read_probe(event) is verdict


TEXTS = ("rate limited", "unknown error", "prepare failed", "")
SENDS = [
    (sent(ret=0, message_id="1"), "token", Trigger.ACCEPT),
    (sent(message_id="1"), "", Trigger.ACCEPT),
    (sent(ret=0), "token", Trigger.UNCONFIRM),  # R3: accepted, never shown.
    (sent(), "", Trigger.UNCONFIRM),
    (sent(errcode=-14), "token", Trigger.STALE),  # R2: that token is dead.
    (sent(ret=-14), "token", Trigger.STALE),
    (sent(ret=-14, message_id="1"), "token", Trigger.STALE),
    (sent(errcode=-14), "", Trigger.THROTTLE),
    # docs/adr/0003: the text is for people, never for rules.
    *((sent(ret=-2, errmsg=text), "token", Trigger.STALE) for text in TEXTS),
    *((sent(ret=-2, errmsg=text), "", Trigger.THROTTLE) for text in TEXTS),
    (sent(ret=-3), "token", Trigger.REJECT),  # R4: a wrong target, permanent.
    (sent(ret=-99), "", Trigger.REJECT),
    (sent(status=502), "token", Trigger.LOSE),  # R5: of a send, outcome unknown.
    (sent(status=524, ret=-14), "token", Trigger.LOSE),
    (sent(status=429), "token", Trigger.THROTTLE),
    (sent(malformed="not JSON"), "token", Trigger.LOSE),
    (SendFailed(5, 0, "timeout"), "token", Trigger.LOSE),
    (SendFailed(5, 0, "reset", left=True), "", Trigger.LOSE),
    (SendFailed(5, 0, "dns", left=False), "token", Trigger.UNREACH),
]


@pytest.mark.parametrize(("event", "context", "trigger"), SENDS)
def test_what_became_of_a_send(
    event: SendAnswered | SendFailed, context: str, trigger: Trigger
) -> None:
    assert read(event, context) is trigger


@pytest.mark.parametrize("errcode", [-2, -14])
def test_the_other_reading_of_minus_2_leaves_minus_14_alone(errcode: int) -> None:
    outcome = read_send(sent(errcode=errcode), with_context=True, blame_context=False)
    other = Trigger.THROTTLE if errcode == -2 else Trigger.STALE
    assert outcome.trigger is other


def test_only_a_minus_14_without_a_token_speaks_of_the_login() -> None:
    refused = sent(errcode=-14)
    assert refuses_login(refused, with_context=False)
    assert not refuses_login(refused, with_context=True)
    assert not refuses_login(sent(errcode=-2), with_context=False)
    assert not refuses_login(sent(errcode=-14, status=502), with_context=False)
    assert not refuses_login(SendFailed(5, 0, "timeout"), with_context=False)


@pytest.mark.parametrize("number", UINT64)
def test_an_id_of_64_bits_stays_exact(number: str) -> None:
    outcome = read_send(sent(message_id=number), with_context=True, blame_context=True)
    assert outcome == Outcome(Trigger.ACCEPT, number)
    message = MessageReceived("alice", "body", message_id=number, by_id=f"id-{number}")
    journalled = msgspec.json.decode(msgspec.json.encode(message), type=Event)
    assert journalled == message
    assert known_by(message).keep == (f"id-{number}",)


def test_ids_that_are_one_as_doubles_are_two_here() -> None:
    one, two = (MessageReceived("alice", "body", by_id=f"id-{n}") for n in UINT64[:2])
    assert float(UINT64[0]) == float(UINT64[1])
    assert known_by(one) != known_by(two)


MESSAGE = MessageReceived("alice", "body")
BY = ("by_id", "by_client", "by_wire_seq", "by_items")


@pytest.mark.parametrize("first", range(len(BY)))
def test_the_first_identity_that_exists_counts(first: int) -> None:
    """S5."""
    handles = {name: f"{name}-1" for name in BY[first:]}
    message = msgspec.structs.replace(MESSAGE, **handles)
    only = (f"{BY[first]}-1",)
    assert known_by(message) == Traces(only, only)


@pytest.mark.parametrize("quotes", [False, True])
def test_a_copy_under_another_id_is_one_only_if_just_one_of_them_quotes(
    *, quotes: bool
) -> None:
    """S4 and S6."""
    message = msgspec.structs.replace(MESSAGE, by_content="c", quotes=quotes)
    mine, twin = ("quoting-c", "plain-c") if quotes else ("plain-c", "quoting-c")
    named = msgspec.structs.replace(message, by_id="id-1")
    assert known_by(named) == Traces(("id-1", mine), ("id-1", twin))
    assert known_by(message) == Traces((mine,), (mine, twin))


def test_what_has_no_trace_is_known_by_nothing() -> None:
    assert known_by(MESSAGE) == Traces((), ())


@pytest.mark.parametrize(("origin", "own"), [(0, False), (1, False), (2, True)])
def test_only_a_bots_message_is_our_own(origin: int, *, own: bool) -> None:
    assert from_the_bot(msgspec.structs.replace(MESSAGE, origin=origin)) is own


TOLD = [
    (polled(errcode=-14, errmsg="session timeout"), "-14", "-14 session timeout"),
    (sent(ret=-2), "-2", "-2"),
    (sent(status=502, errmsg="x"), "http_502", "HTTP 502"),
    (PollFailed(1, "dns", "name not known"), "dns", "dns: name not known"),
    (SendFailed(5, 0, "reset"), "reset", "reset"),
    (NotifyAnswered("start", ret=-1, errmsg="no"), "-1", "-1 no"),
]


@pytest.mark.parametrize(("event", "short", "told"), TOLD)
def test_the_peers_own_words_and_numbers_are_kept(
    event: Answer | Failure, short: str, told: str
) -> None:
    assert (cause_code(event), words(event)) == (short, told)


def test_an_unreadable_answer_says_why() -> None:
    assert words(polled(malformed="not JSON")) == "unreadable answer: not JSON"
    assert words(sent(malformed="not JSON")) == "unreadable answer: not JSON"
