"""Reading rules for what QQ answers to a send, and for what it lets us send.

Numbers in brackets are sections of docs/qq-bot.md.
"""

from holdfast.core.events import SendAnswered, SendFailed
from holdfast.core.outbox import Outcome, Terms, Trigger
from holdfast.core.policy import Policy
from holdfast.core.qq_codes import Fault
from holdfast.core.qq_rules import (
    GOOD,
    SERVER_ERROR,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    fault_of,
)


def read_send(
    event: SendAnswered | SendFailed,
    *,
    with_context: bool,
    doubtful: bool,
    unsure: bool,
    lost_ms: int | None,
) -> Outcome:
    """Judge what became of one send (9, 10, 13).

    `doubtful`: an earlier try may have arrived; `unsure`: another part may have had its
    number; `lost_ms`: so long ago a connection was lost, None when long before: what is
    accepted soon after may never be shown (7).
    """
    if isinstance(event, SendFailed):
        trigger = Trigger.LOSE if event.left else Trigger.UNREACH
        return Outcome(trigger, error=send_words(event))
    said, fault = send_words(event), send_fault(event)
    if event.status in GOOD and fault is None and not event.malformed:
        return _accepted(event, lost_ms)
    match fault:
        case Fault.AUDIT:
            return Outcome(Trigger.UNCONFIRM, error=f"held for audit: {said}")
        case Fault.DUPLICATE if doubtful and unsure:
            what = "the number was used, by an earlier try or another answer"
            return Outcome(Trigger.UNCONFIRM, error=f"{said}: {what}")
        case Fault.DUPLICATE if doubtful:
            # The try whose answer was lost had arrived.
            return Outcome(Trigger.ACCEPT)
        case Fault.DUPLICATE:
            trigger = Trigger.RENUMBER if with_context else Trigger.REJECT
        case Fault.REFERENCE:
            trigger = Trigger.STALE if with_context else Trigger.PARK
        case None:
            trigger = _unknown(event)
        case _:
            trigger = _TRIGGERS[fault]
    return Outcome(trigger, error=said)


_TRIGGERS = {
    Fault.TOKEN: Trigger.DENY,
    Fault.HUMAN: Trigger.PARK,
    Fault.BUSY: Trigger.THROTTLE,
    Fault.PEER: Trigger.PARK,
    Fault.CONTENT: Trigger.REJECT,
    Fault.TRANSIENT: Trigger.THROTTLE,
    Fault.SOCKET: Trigger.UNREACH,
}


def _accepted(event: SendAnswered, lost_ms: int | None) -> Outcome:
    if not event.message_id:
        what = "accepted without a message id"
        return Outcome(Trigger.UNCONFIRM, error=what)
    if lost_ms is None:
        return Outcome(Trigger.ACCEPT, event.message_id)
    what = f"accepted {lost_ms // 1_000} s after a lost connection: may not be shown"
    return Outcome(Trigger.UNCONFIRM, event.message_id, what)


def _unknown(event: SendAnswered) -> Trigger:
    if event.status == TOO_MANY_REQUESTS:
        return Trigger.THROTTLE
    if event.status >= SERVER_ERROR or event.status in GOOD:
        return Trigger.LOSE
    return Trigger.REJECT


def send_fault(event: SendAnswered) -> Fault | None:
    """Say what an answer to a send complains of; None when of nothing known."""
    fault = fault_of(event.err_code, event.code)
    if fault is None and event.status == UNAUTHORIZED and not event.code:
        return Fault.TOKEN
    failed = event.status in GOOD and (event.code or event.err_code)
    if fault is None and failed and not event.message_id:
        return Fault.CONTENT
    return fault


def terms_of(peer: str, policy: Policy) -> Terms:
    """Return how the platform counts what this peer may be sent (12)."""
    replies, pushes = policy.replies, policy.pushes
    match peer.partition(":")[0]:
        case "group":
            reply = replies.group_window_ms, replies.group_max
            return Terms(*reply, pushes.group_gap_ms, pushes.group_per_day)
        case "guild":
            reply = replies.guild_window_ms, replies.guild_max
            push = pushes.guild_gap_ms, pushes.guild_per_day
            return Terms(*reply, *push, numbered=False)
        case "dm":
            reply = replies.dm_window_ms, replies.dm_max
            push = pushes.dm_gap_ms, pushes.dm_per_day
            return Terms(*reply, *push, numbered=False)
        case _:
            reply = replies.c2c_window_ms, replies.c2c_max
            return Terms(*reply, pushes.c2c_gap_ms, pushes.c2c_per_day)


def send_words(event: SendAnswered | SendFailed) -> str:
    """Return the peer's or the network's words about a send."""
    if isinstance(event, SendFailed):
        return f"{event.kind}: {event.reason}" if event.reason else event.kind
    code = event.err_code or event.code
    if code:
        said = f"{code} {event.errmsg}".strip()
    elif event.status not in GOOD:
        said = f"HTTP {event.status}"
    else:
        said = f"unreadable answer: {event.malformed}"
    return f"{said} (trace {event.trace})" if event.trace else said


def send_code(event: SendAnswered | SendFailed) -> str:
    """Return the code of a failed send in one word."""
    if isinstance(event, SendFailed):
        return event.kind
    code = event.err_code or event.code
    return str(code) if code else f"http_{event.status}"
