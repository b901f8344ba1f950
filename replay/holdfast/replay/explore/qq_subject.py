"""The QQ account as a subject of exploration."""

from collections.abc import Hashable, Sequence
from typing import Any

from holdfast.core import connection, pacing, qq, qq_invariants, qq_socket, session
from holdfast.core.events import Event, Fact, SendAnswered, TimerFired
from holdfast.core.outbox import Outbox
from holdfast.core.policy import Policy
from holdfast.core.qq_account import READY, RENEW, Gateway, Qq, Token
from holdfast.core.qq_account import Socket as OurSocket
from holdfast.core.qq_codes import NOT_AUTHENTICATED
from holdfast.core.qq_events import (
    HeartbeatAcked,
    PongReceived,
    ReconnectAsked,
    SessionInvalidated,
    SocketClosed,
)
from holdfast.core.recent import NEVER_MS, since_ms
from holdfast.replay.explore.account import has_unsent, told
from holdfast.replay.explore.keys import (
    Name,
    ago,
    ahead,
    connection_key,
    outbox_key,
    same,
    session_key,
    until,
)
from holdfast.replay.explore.qq_world import QqWorld, Stage
from holdfast.replay.explore.scope import Subject
from holdfast.replay.explore.world import Call, timers_key

ACTIVE, HEARTBEATING = session.Phase.ACTIVE, connection.Phase.HEARTBEATING


def subject(policy: Policy) -> Subject:
    """Return the account that lives under this policy."""

    def key(state: Qq, world: QqWorld) -> Hashable:
        return account_key(state, world, policy)

    return Subject(
        platform=qq.PLATFORM,
        start=Qq(),
        step=qq.step,
        broken=qq_invariants.broken,
        key=key,
        held=lambda state: state.outbox.parts,
        healthy=healthy,
        told=told,
        phases=lambda state: f"{state.session.phase} {state.socket.stage}",
        timers=timers,
        stale=stale,
    )


def account_key(state: Qq, world: QqWorld, policy: Policy) -> tuple[Any, ...]:
    """Return what matters of an account and its world together."""
    now_ms, outbox = world.now_ms, state.outbox
    names: dict[str, int] = {}

    def name(context: str) -> Hashable:
        if not context:
            return None
        number = names.setdefault(context, len(names))
        dead = since_ms(outbox.forgotten, context) != NEVER_MS
        return number, dead, context in world.forgotten

    gateway, kept = policy.gateway, state.resumption
    return (
        state.stopping,
        session_key(state.session, now_ms),
        same(state.session.credential, world.disk),
        connection_key(state.connection, now_ms, policy, 0),
        outbox_key(outbox, now_ms, name),
        _peers_key(outbox, now_ms, policy, name),
        _token_key(state.token, world, policy),
        _gateway_key(state.gateway, now_ms, policy),
        _socket_key(state.socket, now_ms),
        (
            same(kept.session, world.session),
            # What the platform knows of a session that it remembers no more is nothing.
            world.s - kept.seq if "" != kept.session == world.session else 0,
            tuple([s - kept.seq for s in kept.early]),
            kept.unconfirmed,
        ),
        state.denials,
        state.last_code == NOT_AUTHENTICATED,
        ago(state.lost_ms, now_ms, gateway.doubt_ms),
        ago(state.denied_ms, now_ms, gateway.busy_ms),
        timers_key(world),
        [_call_key(call, world) for call in world.calls],
        _world_key(world),
        world.heard,
        name(f"r-{world.heard}") if world.heard else None,
    )


def _world_key(world: QqWorld) -> tuple[Any, ...]:
    socket = world.socket
    there = socket and (
        socket.stage,
        same(socket.token, world.living),
        same(socket.session, world.session),
        socket.beats,
        socket.pings,
        socket.closing,
        socket.refused,
    )
    return (
        world.running,
        world.stopping,
        world.taken,
        same(world.read, world.disk),
        world.living != "",
        world.session != "",
        there,
    )


def _token_key(token: Token, world: QqWorld, policy: Policy) -> tuple[Any, ...]:
    now_ms, limits = world.now_ms, policy.token
    doublings = (limits.renew_ms_max // limits.renew_ms_min).bit_length()
    return (
        same(token.handle, world.living),
        until(token.until_ms, now_ms),
        token.asked,
        ahead(token.due_ms, now_ms),
        min(token.tries, doublings),
        same(token.refused, world.living),
        ago(token.refused_ms, now_ms, policy.gateway.busy_ms),
    )


def _gateway_key(gateway: Gateway, now_ms: int, policy: Policy) -> tuple[Any, ...]:
    return (
        gateway.url,
        gateway.failed,
        gateway.remaining,
        until(gateway.reset_ms, now_ms),
        gateway.concurrency,
        ago(gateway.identified_ms, now_ms, policy.gateway.identify_spacing_ms),
        until(gateway.paced_ms, now_ms),
    )


def _socket_key(socket: OurSocket, now_ms: int) -> tuple[Any, ...]:
    return (
        socket.stage,
        socket.closing,
        socket.parting,
        socket.interval_ms,
        socket.pinged,
        ahead(socket.deadline_ms, now_ms),
        ahead(socket.beat_ms, now_ms),
        ahead(socket.ack_ms, now_ms),
        ahead(socket.ping_ms, now_ms),
    )


def _peers_key(outbox: Outbox, now_ms: int, policy: Policy, name: Name) -> list[Any]:
    window_ms, gap_ms = policy.replies.c2c_window_ms, policy.pushes.c2c_gap_ms
    return [
        (
            who,
            name(peer.context),
            ago(peer.inbound_ms, now_ms, window_ms),
            peer.spent,
            [
                (name(one.context), ago(one.inbound_ms, now_ms, window_ms), one.spent)
                for one in peer.earlier
            ],
            peer.event,
            ago(peer.pushed_ms, now_ms, gap_ms),
        )
        for who, peer in outbox.peers.items()
    ]


def _call_key(call: Call, world: QqWorld) -> tuple[Any, ...]:
    command, left_ms = call.command, call.deadline_ms - world.now_ms
    login = same(getattr(command, "credential", ""), world.disk)
    token = same(getattr(command, "token", ""), world.living)
    return type(command).__name__, login, token, left_ms


def healthy(state: Qq, world: QqWorld) -> bool:
    """Say whether the account is up, in good standing and has nothing left to send.

    What it believes must be so: the gateway is ready too.
    """
    socket, link = state.socket, state.connection
    up = socket.stage is READY and not socket.closing and socket.parting is None
    up = up and link.phase is HEARTBEATING and state.session.phase is ACTIVE
    there = world.socket
    up = up and there is not None and there.stage is Stage.READY
    return not has_unsent(state) and (up or not world.extent.socket)


def timers(state: Qq) -> dict[str, int]:
    """Return when each timer is due, as the account believes."""
    socket = state.socket
    return {
        session.RETRY: state.session.due_ms,
        connection.RETRY: state.connection.due_ms,
        pacing.NEXT: state.outbox.due_ms,
        RENEW: state.token.due_ms,
        qq_socket.DEADLINE: socket.deadline_ms,
        qq_socket.BEAT: socket.beat_ms,
        qq_socket.ACK: socket.ack_ms,
        qq_socket.PING: socket.ping_ms,
    }


def stale(state: Qq, world: QqWorld) -> Sequence[Fact]:
    """Return late facts that must change nothing in any state."""
    now_ms, old_epoch = world.now_ms, state.connection.epoch - 1
    events: tuple[Event, ...] = (
        *(TimerFired(name, now_ms - 1_000) for name in timers(state)),
        HeartbeatAcked(old_epoch),
        PongReceived(old_epoch),
        ReconnectAsked(old_epoch),
        SessionInvalidated(old_epoch, resumable=False),
        SocketClosed(old_epoch, code=4915),
        SendAnswered(10**9, 0, status=401, code=11244),
    )
    return [Fact(10**9, now_ms, event) for event in events]
