"""Reading rules for QQ: what we believe its answers and closes mean, and why.

Facts are stored unread; these functions are the only place that judges them. Numbers
in brackets are sections of docs/qq-bot.md. Words of the peer are for people, never for
decisions.
"""

from msgspec import Struct

from holdfast.core.events import MessageReceived
from holdfast.core.inbox import Traces
from holdfast.core.names import Name
from holdfast.core.policy import GatewayPolicy, TokenPolicy
from holdfast.core.qq_codes import (
    ADVICE,
    BAD_LOGIN,
    BUSY_TOKEN,
    CLOSES,
    FAULTS,
    NOT_AUTHENTICATED,
    PAYLOADS_TOO_FAST,
    RENEWAL,
    Fate,
    Fault,
)
from holdfast.core.qq_events import (
    DialFailed,
    GatewayAnswered,
    SocketClosed,
    TokenAnswered,
)

OK, CREATED, ACCEPTED, NO_CONTENT = 200, 201, 202, 204
GOOD = (OK, CREATED, ACCEPTED, NO_CONTENT)
UNAUTHORIZED, TOO_MANY_REQUESTS, SERVER_ERROR = 401, 429, 500
APPLICATION_CLOSES = range(4000, 5000)
# No session lasts longer than a day, so nothing is waited for longer (3).
RESET_MS_MAX = 86_400_000
LIFE_S_MAX = 7_200
INVITING = (
    *("FRIEND_ADD", "C2C_MSG_RECEIVE", "GROUP_ADD_ROBOT", "GROUP_MSG_RECEIVE"),
    "INTERACTION_CREATE",
)


class Verdict(Name):
    """What the answer to a call before the socket tells."""

    GOOD = "good"
    BUSY = "busy"  # Asked too often.
    DENIED = "denied"  # The access token was refused.
    BAD = "bad"  # A human must act.
    LOST = "lost"  # The peer did not speak, or said nothing that is known.


class Parting(Name):
    """Why a socket is about to end, where we know before it does."""

    RENEWED = "renewed"  # The peer asked for another one (op 7).
    INVALID = "invalid"  # It refused the session for good (op 9 false).
    RESUMABLE = "resumable"  # It refused the session for now (op 9 true).
    SILENT = "silent"  # Heartbeats or pings went unanswered.
    LATE = "late"  # It did not greet or confirm in time.
    DENIED = "denied"  # The token that it was dialled with is no good any more.
    LEFT = "left"  # We go: a stop, or another login.


class End(Struct, frozen=True, gc=False):
    """How a socket's end is read; `wait_ms` is how long to leave the peer alone."""

    fate: Fate
    planned: bool = False
    wait_ms: int = 0


def read_token(event: TokenAnswered) -> Verdict:
    """Judge the answer to the token call; its failures come with HTTP 200 (2)."""
    if event.status in GOOD and event.token and not event.code:
        return Verdict.GOOD
    if event.code == BUSY_TOKEN or event.status == TOO_MANY_REQUESTS:
        return Verdict.BUSY
    return Verdict.BAD if event.code in BAD_LOGIN else Verdict.LOST


def token_life_ms(event: TokenAnswered, policy: TokenPolicy) -> int:
    """Return how long the token lives: seconds, in a text or a number (2)."""
    text = event.expires_in.strip()
    if not text.isdecimal() or not text.isascii():
        return policy.life_ms
    # A text of a million digits is no number of seconds either.
    digits = text.lstrip("0")[:8] or "0"
    return min(int(digits), LIFE_S_MAX) * 1_000


def read_gateway(event: GatewayAnswered) -> Verdict:
    """Judge the answer to the call for the gateway's address (3)."""
    fault = fault_of(event.err_code, event.code)
    if fault is Fault.BUSY or event.status == TOO_MANY_REQUESTS:
        return Verdict.BUSY
    if fault is Fault.TOKEN or (event.status == UNAUTHORIZED and fault is None):
        return Verdict.DENIED
    if fault is Fault.HUMAN:
        return Verdict.BAD
    usable = event.url.startswith(("wss://", "ws://"))
    return Verdict.GOOD if event.status in GOOD and usable else Verdict.LOST


def reset_ms(event: GatewayAnswered) -> int:
    """Return how long until the peer counts identifies anew (3)."""
    return max(0, min(event.reset_after_ms or 0, RESET_MS_MAX))


def heartbeat_ms(interval_ms: int | None, policy: GatewayPolicy) -> int:
    """Return the interval that Hello asks for; nonsense is no interval (4)."""
    low_ms, high_ms = policy.heartbeat_ms_min, policy.heartbeat_ms_max
    usable = interval_ms is not None and low_ms <= interval_ms <= high_ms
    return interval_ms if usable and interval_ms else policy.heartbeat_ms


def read_end(
    event: SocketClosed,
    parting: Parting | None,
    *,
    identifying: bool,
    last_code: int | None,
    policy: GatewayPolicy,
) -> End:
    """Judge a socket's end from all that was known of it (6).

    An op 9 and the close that follows are one failure; of a close that follows op 7,
    or of one that we asked for, the code says nothing new.
    """
    code = event.code
    if code is not None and CLOSES.get(code) is Fate.FATAL:
        return End(Fate.FATAL)
    if parting is Parting.INVALID:
        return End(Fate.REFUSED if identifying else Fate.DROPPED)
    if parting is not None:
        return End(Fate.KEPT, planned=parting is Parting.RENEWED)
    if code is None or (code not in APPLICATION_CLOSES and code not in CLOSES):
        return End(Fate.KEPT)
    fate = CLOSES.get(code, Fate.DROPPED)
    if code == NOT_AUTHENTICATED == last_code:
        fate = Fate.FATAL
    wait_ms = policy.busy_ms if code == PAYLOADS_TOO_FAST else 0
    return End(fate, planned=code == RENEWAL, wait_ms=wait_ms)


def fault_of(err_code: int | None, code: int | None) -> Fault | None:
    """Say what an error is about; `err_code` is the finer of the two (9)."""
    return FAULTS.get(err_code or 0) or FAULTS.get(code or 0)


def known_by(event: MessageReceived) -> Traces:
    """Return by which handles a message is remembered and known again.

    The same id with the same index, or without one on either side, is a copy; the same
    id under another index was claimed to be another message, so it is offered (8.2).
    """
    if not event.by_id:
        return Traces((), ())
    bare = f"bare-{event.by_id}"
    if event.by_index:
        return Traces((event.by_id, event.by_index), (event.by_index, bare))
    return Traces((event.by_id, bare), (event.by_id,))


def call_words(event: TokenAnswered | GatewayAnswered) -> str:
    """Return the peer's words about a call that failed, the numbers before them."""
    if event.code:
        return f"{event.code} {event.message}".strip()
    if event.status not in GOOD:
        return f"HTTP {event.status}"
    return f"unreadable answer: {event.malformed}" if event.malformed else "no answer"


def dial_words(event: DialFailed) -> str:
    """Return why no socket came of a dial."""
    status = f"HTTP {event.status} " if event.status is not None else ""
    return f"{event.kind}: {status}{event.reason}".rstrip(": ")


def close_words(event: SocketClosed, parting: Parting | None) -> str:
    """Return how a socket ended: the peer's close, or what there was instead."""
    known = f"{_PARTINGS[parting]}; " if parting is not None else ""
    code = "no close code" if event.code is None else str(event.code)
    return f"{known}{event.kind}, {code} {event.reason}".rstrip()


_PARTINGS = {
    Parting.RENEWED: "asked to reconnect (op 7)",
    Parting.INVALID: "session refused (op 9)",
    Parting.RESUMABLE: "session refused for now (op 9)",
    Parting.SILENT: "heartbeats or pings went unanswered",
    Parting.LATE: "not greeted or confirmed in time",
    Parting.DENIED: "the access token was refused meanwhile",
    Parting.LEFT: "left",
}


def advised(code: int | None, said: str) -> str:
    """Add to the peer's words what a human has to do."""
    advice = ADVICE.get(code or 0)
    return f"{said}: {advice}" if advice else said
