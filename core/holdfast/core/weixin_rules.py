"""Reading rules for Weixin iLink: what we believe its answers mean, and why.

Facts are stored unread; these functions are the only place that judges them, so a
better rule can be tried on an old recording. The letters in brackets are the facts of
docs/weixin-ilink.md, where the evidence for each is.
"""

from holdfast.core.events import (
    MessageReceived,
    NotifyAnswered,
    NotifyFailed,
    PollAnswered,
    PollFailed,
    SendAnswered,
    SendFailed,
)
from holdfast.core.inbox import Traces
from holdfast.core.names import Name
from holdfast.core.outbox import Outcome, Trigger

OK = 200
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
# Answers of some other server: a redirect, or a path that is not there.
STRANGE = (301, 302, 303, 307, 308, 404, 405, 410)
SESSION_TIMEOUT = -14
BOT_MESSAGE = 2


class Verdict(Name):
    """What a poll or a probe tells about the login and the transport."""

    ALIVE = "alive"  # The login works.
    REVOKED = "revoked"  # The login was refused.
    REFUSED = "refused"  # Some other error: nothing is said about the login.
    LOST = "lost"  # The peer did not speak.
    STRANGER = "stranger"  # Somebody else spoke: the address is probably wrong.


# Looked up once: an attribute of an Enum costs more than a comparison (CPython 3.11).
ALIVE, ACCEPT = Verdict.ALIVE, Trigger.ACCEPT

Answer = PollAnswered | NotifyAnswered | SendAnswered
Failure = PollFailed | NotifyFailed | SendFailed


def code(answer: Answer) -> int:
    """Return the error code of an answer, 0 when it reports success.

    Either field alone can signal a failure, and -14 in either is a -14 (R1).
    """
    if answer.errcode == SESSION_TIMEOUT:
        return SESSION_TIMEOUT
    return answer.ret or answer.errcode or 0


def read_poll(event: PollAnswered) -> Verdict:
    """Judge the answer to a long poll."""
    if event.status == OK and not (event.ret or event.errcode or event.malformed):
        return ALIVE
    if event.status != OK:
        # Application errors come as HTTP 200; the rest is the edge speaking (R5).
        return Verdict.STRANGER if event.status in STRANGE else Verdict.LOST
    if event.malformed:
        return Verdict.LOST
    refused = code(event) == SESSION_TIMEOUT
    return Verdict.REVOKED if refused else Verdict.REFUSED


def read_failed_poll(event: PollFailed) -> Verdict:
    """Judge a long poll without an answer.

    A certificate that does not fit is an answer, and not our peer's.
    """
    return Verdict.STRANGER if event.kind == "tls" else Verdict.LOST


def read_probe(event: NotifyAnswered | NotifyFailed) -> Verdict:
    """Judge what became of `notifystart`.

    It is only asked whether the login is refused: several clients never make this call
    (R6), so a peer that answers anything else is asked by the next poll.
    """
    if isinstance(event, NotifyFailed) or event.status >= SERVER_ERROR:
        return Verdict.LOST
    if event.status == OK and event.malformed:
        return Verdict.LOST
    return Verdict.REVOKED if code(event) == SESSION_TIMEOUT else Verdict.ALIVE


def read_send(
    event: SendAnswered | SendFailed, *, with_context: bool, blame_context: bool
) -> Outcome:
    """Judge what became of one send.

    -14 to a send that carried a context token speaks of that token, not of the login
    (R2). So does -2 when `blame_context` is set: evidence conflicts, see
    docs/adr/0003. Without a token, -2 is a throttle (S11).
    """
    if not isinstance(event, SendAnswered):
        trigger = Trigger.LOSE if event.left else Trigger.UNREACH
        return Outcome(trigger, error=words(event))
    if event.status == OK and event.message_id and not (event.ret or event.errcode):
        return Outcome(ACCEPT, event.message_id)
    if event.status != OK or event.malformed:
        busy = event.status == TOO_MANY_REQUESTS
        trigger = Trigger.THROTTLE if busy else Trigger.LOSE
        return Outcome(trigger, error=words(event))
    match code(event):
        case 0:
            # Accepted, and in all reports never shown (R3).
            return Outcome(Trigger.UNCONFIRM, error="accepted without a message id")
        case -14:
            trigger = Trigger.STALE if with_context else Trigger.THROTTLE
        case -2:
            stale = with_context and blame_context
            trigger = Trigger.STALE if stale else Trigger.THROTTLE
        case _:
            # -3 is a caller's mistake (R4); of others nothing is known.
            trigger = Trigger.REJECT
    return Outcome(trigger, error=words(event))


def refuses_login(event: SendAnswered | SendFailed, *, with_context: bool) -> bool:
    """Say whether a send's answer can only be about the login."""
    if isinstance(event, SendFailed) or event.status != OK or with_context:
        return False
    return code(event) == SESSION_TIMEOUT


def known_by(event: MessageReceived) -> Traces:
    """Return by which handles a message is remembered and known again.

    Its identity is the first that exists of id, client id, wire seq and item ids, else
    time and content (S5). Beside it, a copy may come under another id, with the quote
    that the first copy lacks (S4): only such a pair is told by time and content, since
    people repeat themselves (S6).
    """
    identity = event.by_id or event.by_client or event.by_wire_seq or event.by_items
    if not event.by_content:
        handles = (identity,) if identity else ()
        return Traces(handles, handles)
    plain, quoting = f"plain-{event.by_content}", f"quoting-{event.by_content}"
    mine, twin = (quoting, plain) if event.quotes else (plain, quoting)
    if not identity:
        return Traces((mine,), (mine, twin))
    return Traces((identity, mine), (identity, twin))


def from_the_bot(event: MessageReceived) -> bool:
    """Say whether the account itself sent this message."""
    return event.origin == BOT_MESSAGE


def words(event: Answer | Failure) -> str:
    """Return the peer's or the network's own words, with the numbers before them."""
    if isinstance(event, Failure):
        return f"{event.kind}: {event.reason}" if event.reason else event.kind
    if event.status != OK:
        return f"HTTP {event.status}"
    if event.malformed:
        return f"unreadable answer: {event.malformed}"
    return f"{code(event)} {event.errmsg}".strip()


def cause_code(event: Answer | Failure) -> str:
    """Return the code of a failure in one word, for machines and tables."""
    if isinstance(event, Failure):
        return event.kind
    return str(code(event)) if event.status == OK else f"http_{event.status}"
