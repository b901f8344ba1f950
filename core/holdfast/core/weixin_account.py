"""One Weixin account: its state, and how its machines are driven together.

The one poll runs while the session is active and the connection is not fatal; sends
run beside both and ask neither. `weixin` turns facts into these moves.
"""

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core import connection as transport
from holdfast.core import delivery, session
from holdfast.core.commands import Command, NotifyStart, Poll
from holdfast.core.connection import Connection
from holdfast.core.events import Fact
from holdfast.core.inbox import Inbox
from holdfast.core.outbox import Outbox, Scene
from holdfast.core.policy import Policy
from holdfast.core.recorded import AccountId, PeerWords
from holdfast.core.session import Session


class Trouble(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The last thing that went wrong, in the peer's or the network's own words."""

    at_ms: int
    where: str
    code: str
    text: PeerWords


class Weixin(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """Everything remembered about one account.

    `cursor` is the handle of the last cursor whose messages are durably recorded;
    `hold_ms` how long the peer is expected to hold a poll, 0 for the policy's default.
    """

    seed: int = 0
    stopping: bool = False
    account_id: AccountId = ""
    cursor: str = ""
    hold_ms: int = 0
    session: Session = Session()
    connection: Connection = Connection()
    outbox: Outbox = Outbox()
    inbox: Inbox = Inbox()
    trouble: Trouble | None = None


Turn = tuple[Weixin, list[Command]]


def live_handles(state: Weixin) -> tuple[str, ...]:
    """Return the vault handles that may still be needed; all others may expire."""
    outbox = state.outbox
    contexts = (peer.context for peer in outbox.peers.values())
    bodies = (
        part.body
        for orders in outbox.queues.values()
        for order in orders
        for part in order.parts
    )
    return tuple(h for h in (state.cursor, *contexts, *bodies) if h)


def done_through(state: Weixin) -> int:
    """Return up to which message every consumer is done; 0 while there is none."""
    reached = [consumer.through for consumer in state.inbox.consumers.values()]
    return min(reached, default=0)


def first_unsent(state: Weixin, seq: int) -> int:
    """Return the fact of the oldest unfinished delivery, or the one after `seq`."""
    asked = [order.id for queue in state.outbox.queues.values() for order in queue]
    return min([seq + 1, *asked])


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


def move_connection(
    state: Weixin, trigger: transport.Trigger, cause: transport.Cause, policy: Policy
) -> Turn:
    """Move the connection; the caller polls when that is due."""
    link, commands = transport.step(
        state.connection, trigger, cause, state.seed, policy.connection
    )
    return replace(state, connection=link), commands


def scene(state: Weixin, fact: Fact, policy: Policy) -> Scene:
    """Gather what the outbox's moves need beside the outbox."""
    return Scene(
        fact.at_ms,
        state.seed,
        state.session.credential,
        policy.poll.send_timeout_ms,
        policy.delivery,
    )


def pump(state: Weixin, fact: Fact, policy: Policy) -> Turn:
    """Let the outbox send what may go now."""
    outbox = state.outbox
    if state.stopping or outbox.sending is not None or not outbox.queues:
        return state, []
    outbox, commands = delivery.pump(outbox, scene(state, fact, policy))
    return replace(state, outbox=outbox), commands


def complain(state: Weixin, fact: Fact, where: str, what: str, text: str) -> Weixin:
    """Remember the last trouble, for health."""
    return replace(state, trouble=Trouble(fact.at_ms, where, what, text))
