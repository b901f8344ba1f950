"""The life of a socket: Hello, Identify or Resume, heartbeats, and how it ends.

Its timers are set when it is greeted and cleared when its end begins, so that none
outlives it. Why it ended is judged once, when it has: what was known before (an op 7
or 9, silence) and the peer's close are one story.
"""

from msgspec.structs import replace

from holdfast.core import session
from holdfast.core.account import move_connection
from holdfast.core.commands import (
    ClearTimer,
    CloseSocket,
    Command,
    Heartbeat,
    Identify,
    Ping,
    Resume,
    SetTimer,
)
from holdfast.core.connection import Cause, Trigger, live
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.core.qq_account import (
    NONE,
    OPENED,
    READY,
    Qq,
    Socket,
    Stage,
    Turn,
    current,
    identified,
)
from holdfast.core.qq_events import (
    HeartbeatAcked,
    HeartbeatAsked,
    HelloReceived,
    PongReceived,
    ReadyReceived,
    ReconnectAsked,
    ResumedReceived,
    SessionInvalidated,
    SocketOpened,
)
from holdfast.core.qq_rules import (
    Parting,
    heartbeat_ms,
)
from holdfast.core.qq_seq import Resumption, asked_for, note, settle
from holdfast.core.qq_session import move_session

DEADLINE = "socket.deadline"
BEAT = "socket.beat"
ACK = "socket.ack"
PING = "socket.ping"
HANDSHAKE = (Stage.IDENTIFYING, Stage.RESUMING)


def opened(state: Qq, event: SocketOpened, fact: Fact, policy: Policy) -> Turn:
    """Wait for the greeting; a socket that nobody wants any more is closed."""
    wanted = current(state, event.epoch) and state.socket.stage is Stage.DIALING
    if not wanted:
        return state, [CloseSocket(event.epoch)]
    if state.socket.closing:
        socket = replace(state.socket, stage=Stage.OPEN)
        return replace(state, socket=socket), [CloseSocket(event.epoch)]
    due_ms = fact.at_ms + policy.gateway.hello_timeout_ms
    socket = Socket(stage=Stage.OPEN, deadline_ms=due_ms)
    state = replace(state, socket=socket)
    state, moved = move_connection(state, Trigger.OPEN, Cause(fact.at_ms), policy)
    return state, [*moved, SetTimer(DEADLINE, due_ms)]


def greeted(state: Qq, event: HelloReceived, fact: Fact, policy: Policy) -> Turn:
    """Resume or identify, and begin the heartbeats of this socket (4)."""
    if not _awaited(state, event.epoch) or state.socket.stage is not Stage.OPEN:
        return state, []
    at_ms, epoch = fact.at_ms, event.epoch
    interval_ms = heartbeat_ms(event.interval_ms, policy.gateway)
    due_ms, beat_ms = at_ms + policy.gateway.ready_timeout_ms, at_ms + interval_ms
    kept, token = state.resumption, state.token.handle
    if not token:
        # A send was denied with it meanwhile: the next dial brings another.
        return part(state, Parting.DENIED)
    timers: list[Command] = [SetTimer(DEADLINE, due_ms), SetTimer(BEAT, beat_ms)]
    socket = Socket(interval_ms=interval_ms, deadline_ms=due_ms, beat_ms=beat_ms)
    if kept.session:
        most = policy.gateway.resumes_max
        kept = replace(kept, unconfirmed=min(kept.unconfirmed + 1, most))
        state = replace(
            state, socket=replace(socket, stage=Stage.RESUMING), resumption=kept
        )
        return state, [Resume(epoch, token, kept.session, kept.seq), *timers]
    state = replace(
        state,
        socket=replace(socket, stage=Stage.IDENTIFYING),
        gateway=identified(state.gateway, at_ms, policy.gateway),
    )
    shard = policy.gateway.shard, policy.gateway.shards
    return state, [Identify(epoch, token, policy.gateway.intents, shard), *timers]


def ready(state: Qq, event: ReadyReceived, fact: Fact, policy: Policy) -> Turn:
    """Keep the new session; the login works.

    One that begins while we are leaving is kept for the next socket: what is said in
    between waits in it.
    """
    socket = state.socket
    begun = current(state, event.epoch) and socket.stage in HANDSHAKE
    if not begun or (socket.parting is not None and not socket.closing):
        return state, []
    kept = Resumption(
        event.session, max(0, event.s or 0), asked=asked_for(policy.gateway)
    )
    state = replace(state, resumption=kept)
    return (state, []) if socket.closing else _confirmed(state, fact, policy)


def resumed(state: Qq, event: ResumedReceived, fact: Fact, policy: Policy) -> Turn:
    """Go on: all that was missed came before this."""
    if not _awaited(state, event.epoch) or state.socket.stage is not Stage.RESUMING:
        return state, []
    kept = note(state.resumption, event.s, policy.gateway.early_dispatches_max)
    kept = replace(kept, unconfirmed=0)
    return _confirmed(replace(state, resumption=kept), fact, policy)


def _awaited(state: Qq, epoch: int) -> bool:
    """Say whether what the peer says now is still wanted of this socket."""
    socket = state.socket
    return current(state, epoch) and not socket.closing and socket.parting is None


def _confirmed(state: Qq, fact: Fact, policy: Policy) -> Turn:
    at_ms, socket = fact.at_ms, state.socket
    ack_ms = at_ms + policy.connection.ack_intervals_max * socket.interval_ms
    ping_ms = at_ms + policy.connection.ping_ms
    socket = replace(socket, stage=READY, deadline_ms=0, ack_ms=ack_ms, ping_ms=ping_ms)
    gateway = replace(state.gateway, failed=0)
    state = replace(state, socket=socket, gateway=gateway, denials=0, last_code=None)
    timers: list[Command] = [
        ClearTimer(DEADLINE),
        SetTimer(ACK, ack_ms),
        SetTimer(PING, ping_ms),
    ]
    state, moved = move_connection(state, Trigger.CONFIRM, Cause(at_ms), policy)
    state, accepted = move_session(state, session.Trigger.ACCEPT, fact, policy)
    return state, timers + moved + accepted


def noted(state: Qq, epoch: int, s: int | None, policy: Policy) -> Qq:
    """Note that a dispatch of the session under way is recorded."""
    socket = state.socket
    if not current(state, epoch) or socket.stage not in (Stage.RESUMING, READY):
        return state
    kept = note(state.resumption, s, policy.gateway.early_dispatches_max)
    return state if kept is state.resumption else replace(state, resumption=kept)


def acked(state: Qq, event: HeartbeatAcked, fact: Fact, policy: Policy) -> Turn:
    """Put the deadline off; a connection that stayed up makes the login good."""
    socket, link = state.socket, state.connection
    if event.epoch != link.epoch or socket.stage is not READY or socket.closing:
        return state, []
    ack_ms = fact.at_ms + policy.connection.ack_intervals_max * socket.interval_ms
    socket, beating = replace(socket, ack_ms=ack_ms), live(link, fact.at_ms)
    state = replace(state, socket=socket, connection=beating)
    if state.resumption.early:
        # What did not come until now was not sent: a replay may follow RESUMED (16).
        state = replace(state, resumption=settle(state.resumption))
    commands: list[Command] = [SetTimer(ACK, ack_ms)]
    stable = fact.at_ms - link.confirmed_ms >= policy.connection.stable_ms
    if stable and session.doubted(state.session):
        state, won = move_session(state, session.Trigger.SUCCEED, fact, policy)
        commands += won
    return state, commands


def ponged(state: Qq, event: PongReceived, fact: Fact, _policy: Policy) -> Turn:
    """Note that somebody is at the far end.

    Most facts of most journals are pings and their answers, so each is one change.
    """
    socket, link = state.socket, state.connection
    if event.epoch != link.epoch or socket.stage is not READY or socket.closing:
        return state, []
    socket, link = replace(socket, pinged=False), live(link, fact.at_ms)
    return replace(state, socket=socket, connection=link), []


def asked_to_beat(
    state: Qq, event: HeartbeatAsked, _fact: Fact, _policy: Policy
) -> Turn:
    """Answer a heartbeat of the peer's own with one of ours (4)."""
    return state, [_heartbeat(state)] if _beating(state, event.epoch) else []


def renewed(state: Qq, event: ReconnectAsked, _fact: Fact, _policy: Policy) -> Turn:
    """Close the socket as the peer asks (op 7), to resume over another (6)."""
    socket = state.socket
    fresh = current(state, event.epoch) and socket.stage in OPENED
    fresh = fresh and socket.parting is None
    return part(state, Parting.RENEWED) if fresh else (state, [])


def late(state: Qq, _fact: Fact, _policy: Policy) -> Turn:
    """Give up a handshake, or the wait for a close that does not come."""
    state = replace(state, socket=replace(state.socket, deadline_ms=0))
    return part(state, Parting.LATE)


def silent(state: Qq, _fact: Fact, _policy: Policy) -> Turn:
    """Give up a socket whose heartbeats go unanswered (7)."""
    state = replace(state, socket=replace(state.socket, ack_ms=0))
    return part(state, Parting.SILENT)


def _beating(state: Qq, epoch: int) -> bool:
    socket = state.socket
    return current(state, epoch) and socket.stage is READY and not socket.closing


def _heartbeat(state: Qq) -> Command:
    return Heartbeat(state.connection.epoch, state.resumption.seq or None)


def beat_due(state: Qq, fact: Fact, _policy: Policy) -> Turn:
    """Send a heartbeat, once the session is there to be kept alive."""
    socket = state.socket
    beat_ms = fact.at_ms + socket.interval_ms
    state = replace(state, socket=replace(socket, beat_ms=beat_ms))
    timer = SetTimer(BEAT, beat_ms)
    return state, [_heartbeat(state), timer] if socket.stage is READY else [timer]


def ping_due(state: Qq, fact: Fact, policy: Policy) -> Turn:
    """Ping, unless the last one is unanswered: then nobody is there (7)."""
    socket = state.socket
    if socket.pinged:
        state = replace(state, socket=replace(socket, ping_ms=0))
        return part(state, Parting.SILENT)
    ping_ms = fact.at_ms + policy.connection.ping_ms
    socket = replace(socket, pinged=True, ping_ms=ping_ms)
    told: list[Command] = [Ping(state.connection.epoch), SetTimer(PING, ping_ms)]
    return replace(state, socket=socket), told


def invalidated(
    state: Qq, event: SessionInvalidated, fact: Fact, policy: Policy
) -> Turn:
    """Wait a moment for the close that may follow: both are one failure (6)."""
    socket = state.socket
    open_now = current(state, event.epoch) and socket.stage in OPENED
    if not open_now or socket.closing or socket.parting is not None:
        return state, []
    parting = Parting.RESUMABLE if event.resumable else Parting.INVALID
    socket, commands = timerless(replace(socket, parting=parting))
    due_ms = fact.at_ms + policy.gateway.close_grace_ms
    state = replace(state, socket=replace(socket, deadline_ms=due_ms))
    cleared = [c for c in commands if c != ClearTimer(DEADLINE)]
    return state, [*cleared, SetTimer(DEADLINE, due_ms)]


def part(state: Qq, parting: Parting) -> Turn:
    """Close the socket, or give up the way to it; its end is judged when it came."""
    socket, epoch = state.socket, state.connection.epoch
    if socket.stage is NONE or socket.closing:
        return state, []
    if socket.stage in OPENED:
        socket, commands = timerless(socket)
        why = socket.parting or parting
        if parting is Parting.LEFT:
            if why is Parting.INVALID:
                state = replace(state, resumption=Resumption())
            why = parting
        socket = replace(socket, closing=True, parting=why)
        return replace(state, socket=socket), [*commands, CloseSocket(epoch)]
    if socket.stage is Stage.DIALING:
        socket = replace(socket, closing=True, parting=parting)
        return replace(state, socket=socket), [CloseSocket(epoch)]
    link = replace(state.connection, dialed_ms=0)
    return replace(state, connection=link, socket=Socket()), []


def timerless(socket: Socket) -> tuple[Socket, list[Command]]:
    """Drop every timer that belongs to this socket."""
    due = (
        (DEADLINE, socket.deadline_ms),
        (BEAT, socket.beat_ms),
        (ACK, socket.ack_ms),
        (PING, socket.ping_ms),
    )
    after = replace(socket, deadline_ms=0, beat_ms=0, ack_ms=0, ping_ms=0)
    return after, [ClearTimer(name) for name, due_ms in due if due_ms]
