"""What a QQ account sends: it needs an access token, and nothing of the socket."""

from msgspec.structs import replace

from holdfast.core.account import complain, conclude, pump, request
from holdfast.core.commands import Command, Escalate
from holdfast.core.events import Fact, SendAnswered, SendFailed, SendRequested
from holdfast.core.outbox import Outcome, Trigger, head
from holdfast.core.policy import Policy
from holdfast.core.qq_account import Qq, Turn, scene
from holdfast.core.qq_codes import Fault
from holdfast.core.qq_rules import advised
from holdfast.core.qq_send_rules import read_send, send_code, send_fault
from holdfast.core.qq_token import drop_token, want_token


def send_requested(state: Qq, event: SendRequested, fact: Fact, policy: Policy) -> Turn:
    """Queue a delivery, and send what may go."""
    state, commands = request(state, event, fact.seq, scene(state, fact, policy))
    state, asked = want_token(state, fact, policy)
    return state, commands + asked


def pumped(state: Qq, fact: Fact, policy: Policy) -> Turn:
    """Send what may go; where there is no token to send it with, ask for one."""
    state, sent = pump(state, scene(state, fact, policy))
    state, asked = want_token(state, fact, policy)
    return state, sent + asked


def send_ended(
    state: Qq, event: SendAnswered | SendFailed, fact: Fact, policy: Policy
) -> Turn:
    """Take what became of a part; a refused token is renewed once for it."""
    sending = state.outbox.sending
    at = event.delivery, event.part
    if sending is None or (sending.delivery, sending.part) != at:
        return state, []
    part = head(state.outbox, sending.peer)[1]
    outcome = read_send(
        event,
        with_context=bool(sending.context),
        doubtful=part.doubtful,
        unsure=part.unsure,
        lost_ms=_since_loss(state, fact, policy),
    )
    fault = None if isinstance(event, SendFailed) else send_fault(event)
    dropped: list[Command] = []
    if fault is Fault.TOKEN and fact.at_ms < state.denied_ms + policy.gateway.busy_ms:
        # One refresh is not answered by another: the part waits like a throttled one.
        outcome = replace(outcome, trigger=Trigger.THROTTLE)
    elif fault is Fault.TOKEN:
        state, dropped = drop_token(replace(state, denied_ms=fact.at_ms))
    elif state.denied_ms and isinstance(event, SendAnswered):
        # The token was good enough for this one: the refresh has helped.
        state = replace(state, denied_ms=0)
    state, commands = conclude(state, event, outcome, scene(state, fact, policy))
    state, asked = want_token(state, fact, policy)
    commands = dropped + commands + asked
    if outcome.error:
        state = complain(state, fact, "send", send_code(event), outcome.error)
    if fault is Fault.HUMAN:
        commands.append(_call_human(event, outcome))
    return state, commands


def _since_loss(state: Qq, fact: Fact, policy: Policy) -> int | None:
    """Return how long ago a connection was lost, None when that is long ago (7)."""
    since_ms = fact.at_ms - state.lost_ms
    return since_ms if state.lost_ms and since_ms < policy.gateway.doubt_ms else None


def _call_human(event: SendAnswered | SendFailed, outcome: Outcome) -> Command:
    code = send_code(event)
    advice = advised(int(code) if code.isdecimal() else None, outcome.error)
    return Escalate(f"send_{code}", advice)
