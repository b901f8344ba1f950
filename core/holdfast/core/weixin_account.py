"""One Weixin account: its state, and how its machines are driven together.

The one poll runs while the session is active and the connection is not fatal; sends
run beside both and ask neither. `weixin` turns facts into these moves.
"""

from msgspec.structs import replace

from holdfast.core import connection as transport
from holdfast.core import session
from holdfast.core.account import Account, handles_in
from holdfast.core.commands import Command, NotifyStart, Poll
from holdfast.core.events import Fact
from holdfast.core.outbox import Scene
from holdfast.core.policy import Policy


class Weixin(Account, frozen=True, gc=False):
    """Everything remembered about one Weixin account.

    `cursor` is the handle of the last cursor whose messages are durably recorded;
    `hold_ms` how long the peer is expected to hold a poll, 0 for the policy's default;
    `foreign_epoch` the poll that was under way when another bot logged in, whose
    messages bring context tokens that are not ours.
    """

    cursor: str = ""
    hold_ms: int = 0
    foreign_epoch: int = 0


Turn = tuple[Weixin, list[Command]]


def live_handles(state: Weixin) -> tuple[str, ...]:
    """Return the vault handles that may still be needed; all others may expire."""
    return tuple(filter(None, (state.cursor, *handles_in(state.outbox))))


def move_session(
    state: Weixin,
    trigger: session.Trigger,
    fact: Fact,
    policy: Policy,
    reason: str = "",
) -> Turn:
    """Move the session; probe when that is due, poll when it became active."""
    before = state.session
    after, commands = session.step(before, trigger, fact.at_ms, reason, policy.session)
    if after is before:
        return state, commands
    state = replace(state, session=after)
    if after.phase is session.Phase.RECOVERING and not state.stopping:
        timeout_ms = policy.poll.notify_timeout_ms
        return state, [*commands, NotifyStart(after.credential, timeout_ms)]
    if after.phase is session.Phase.ACTIVE and before.phase is not session.Phase.ACTIVE:
        state, polled = poll(state, fact.at_ms, policy)
        return state, commands + polled
    return state, commands


def poll(state: Weixin, at_ms: int, policy: Policy) -> Turn:
    """Start the next poll, unless one is under way or none may be."""
    link = state.connection
    if (
        state.stopping
        or link.dialed_ms
        or state.session.phase is not session.Phase.ACTIVE
    ):
        return state, []
    if link.phase is transport.Phase.FATAL:
        return state, []
    link, commands = transport.dial(link, at_ms, policy.connection)
    hold_ms = state.hold_ms or policy.poll.hold_ms
    timeout_ms = hold_ms + policy.poll.grace_ms
    commands.append(
        Poll(link.epoch, state.session.credential, state.cursor, timeout_ms)
    )
    return replace(state, connection=link), commands


def refuse_login(state: Weixin, said: str, fact: Fact, policy: Policy) -> Turn:
    """Count a refused login: reload, probe on, or ask a human."""
    trigger = session.refusal(state.session, policy.session)
    return move_session(state, trigger, fact, policy, said)


def scene(state: Weixin, fact: Fact, policy: Policy) -> Scene:
    """Gather what the moves of messages need beside outbox and inbox."""
    return Scene(
        fact.at_ms,
        state.seed,
        state.session.credential,
        policy.poll.send_timeout_ms,
        policy.delivery,
        policy.inbox,
    )
