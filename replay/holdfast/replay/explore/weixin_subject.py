"""The Weixin account as a subject of exploration."""

from collections.abc import Hashable, Sequence
from typing import Any

from holdfast.core import connection, pacing, session, weixin, weixin_invariants
from holdfast.core.commands import Poll
from holdfast.core.events import (
    Event,
    Fact,
    PollAnswered,
    SendAnswered,
    TimerFired,
)
from holdfast.core.inbox import is_done
from holdfast.core.outbox import Outbox
from holdfast.core.policy import Policy
from holdfast.core.recent import NEVER_MS, since_ms
from holdfast.core.weixin_account import Weixin
from holdfast.replay.explore.account import has_unsent, told
from holdfast.replay.explore.keys import (
    ago,
    connection_key,
    outbox_key,
    same,
    session_key,
)
from holdfast.replay.explore.scope import Subject
from holdfast.replay.explore.weixin_world import Mood, WeixinWorld
from holdfast.replay.explore.world import Call, timers_key

HEARTBEATING = connection.Phase.HEARTBEATING


def subject(policy: Policy) -> Subject:
    """Return the account that lives under this policy."""

    def key(state: Weixin, world: WeixinWorld) -> Hashable:
        return account_key(state, world, policy)

    return Subject(
        platform=weixin.PLATFORM,
        start=Weixin(),
        step=weixin.step,
        broken=weixin_invariants.broken,
        key=key,
        held=lambda state: state.outbox.parts,
        healthy=healthy,
        told=told,
        phases=lambda state: f"{state.session.phase} {state.connection.phase}",
        timers=timers,
        stale=stale,
    )


def account_key(state: Weixin, world: WeixinWorld, policy: Policy) -> tuple[Any, ...]:
    """Return what matters of an account and its world together."""
    now_ms, outbox, link = world.now_ms, state.outbox, state.connection
    names: dict[str, int] = {}

    def name(context: str) -> Hashable:
        if not context:
            return None
        number = names.setdefault(context, len(names))
        dead = since_ms(outbox.forgotten, context) != NEVER_MS
        return number, context in world.living, dead, context in world.forgotten

    accepts, last = world.accepts, world.message
    calls = [_call_key(call, state, world) for call in world.calls]
    return (
        state.stopping,
        same(state.account_id, world.bot),
        session_key(state.session, now_ms),
        same(state.session.credential, accepts),
        connection_key(link, now_ms, policy, policy.poll.interval_ms_min),
        outbox_key(outbox, now_ms, name),
        _peers_key(outbox, now_ms, policy, name),
        state.cursor != "",
        state.hold_ms,
        timers_key(world),
        calls,
        world.running,
        world.stopping,
        world.mood,
        same(world.disk, accepts),
        same(world.read, accepts),
        None if world.late is None else world.late.epoch == state.foreign_epoch,
        None if last is None else name(last[1]),
        [is_done(who, world.heard_seq) for who in state.inbox.consumers.values()],
    )


def _peers_key(outbox: Outbox, now_ms: int, policy: Policy, name: Any) -> Hashable:
    window_ms = policy.delivery.window_ms
    return tuple(
        [
            (
                who,
                name(peer.context),
                ago(peer.inbound_ms, now_ms, window_ms and window_ms + 1),
                peer.spent,
            )
            for who, peer in outbox.peers.items()
        ]
    )


def _call_key(call: Call, state: Weixin, world: WeixinWorld) -> tuple[Any, ...]:
    command, left_ms = call.command, call.deadline_ms - world.now_ms
    login = same(getattr(command, "credential", ""), world.accepts)
    foreign = isinstance(command, Poll) and command.epoch == state.foreign_epoch
    return type(command).__name__, login, left_ms, foreign


def healthy(state: Weixin, world: WeixinWorld) -> bool:
    """Say whether the account is up, in good standing and has nothing left to send.

    What it believes must be so: a login that the peer refuses is not in good standing.
    """
    up = state.connection.phase is HEARTBEATING and world.mood is Mood.LIVE
    up = up and state.session.credential == world.accepts
    return up and not session.doubted(state.session) and not has_unsent(state)


def timers(state: Weixin) -> dict[str, int]:
    """Return when each timer is due, as the account believes."""
    return {
        session.RETRY: state.session.due_ms,
        connection.RETRY: state.connection.due_ms,
        pacing.NEXT: state.outbox.due_ms,
    }


def stale(state: Weixin, world: WeixinWorld) -> Sequence[Fact]:
    """Return late facts that must change nothing in any state."""
    now_ms = world.now_ms
    old_epoch = state.connection.epoch - 1
    events: tuple[Event, ...] = (
        *(TimerFired(name, now_ms - 1_000) for name in timers(state)),
        PollAnswered(old_epoch, ret=-14),
        PollAnswered(old_epoch, cursor="cursor-9"),
        SendAnswered(10**9, 0, ret=-14),
    )
    return [Fact(10**9, now_ms, event) for event in events]
