"""QQ's gateway: the one socket, what may come over it, and how it may end.

It answers heartbeats and pings, or falls silent, which needs no move: timers run out.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from holdfast.core.commands import (
    CloseSocket,
    Heartbeat,
    Identify,
    OpenSocket,
    Ping,
    Resume,
)
from holdfast.core.events import Event
from holdfast.core.qq_events import (
    DialFailed,
    DispatchReceived,
    HeartbeatAcked,
    HeartbeatAsked,
    HelloReceived,
    PongReceived,
    ReadyReceived,
    ReconnectAsked,
    ResumedReceived,
    SessionInvalidated,
    SocketClosed,
    SocketOpened,
)
from holdfast.replay.explore.qq_world import QqWorld, Socket, Stage
from holdfast.replay.explore.world import Actor, Call, Move, answered, called

Moves = Iterator[Move]
CLOSE_MS = 1

# One of each fate (docs/qq-bot.md, 6).
CLOSES = {
    "without a close frame": None,
    "for renewal": 4009,
    "for going too fast": 4008,
    "with a code of a lost session": 4900,
}
DENYING = {"for the token": 4004}
REFUSING = {"for its session": 4903, "as not authenticated": 4003}
FATAL = {"as banned": 4915}


Obeyed = tuple[QqWorld, list[str]]


def dialled(world: QqWorld, call: Call) -> Moves:
    """Yield how a dial may end."""
    socket, after = world.socket, answered(world, call)
    assert socket is not None
    opened = replace(after, socket=replace(socket, stage=Stage.GREETING))
    told = (SocketOpened(socket.epoch),)
    yield Move(Actor.PEER, "the socket opens", told, opened, good=True)
    if world.extent.network or socket.closing:
        failed = (DialFailed(socket.epoch, "connect"),)
        gone = replace(after, socket=None)
        yield Move(Actor.NETWORK, "the dial fails", failed, gone)


def closed(world: QqWorld, call: Call) -> Moves:
    """Yield the end of a socket that we close."""
    socket = world.socket
    if socket is None or socket.stage is Stage.DIALING:
        return
    gone = replace(answered(world, call), socket=None)
    told = (SocketClosed(socket.epoch, "dropped"),)
    yield Move(Actor.NETWORK, "the socket is closed", told, gone, good=True)


def frames(world: QqWorld) -> Moves:
    """Yield what the gateway may say now, and how it may hang up."""
    socket = world.socket
    if socket is None or socket.stage is Stage.DIALING:
        return
    match socket.stage:
        case Stage.GREETING:
            waiting = _at(world, socket, Stage.WAITING)
            hello = HelloReceived(socket.epoch)
            yield Move(Actor.PEER, "the gateway greets", (hello,), waiting, good=True)
        case Stage.IDENTIFYING | Stage.RESUMING:
            yield from _confirmation(world, socket)
        case Stage.READY:
            yield from _life(world, socket)
        case _:
            pass
    yield from _ends(world, socket)


def _confirmation(world: QqWorld, socket: Socket) -> Moves:
    epoch = socket.epoch
    ready = _at(world, socket, Stage.READY)
    if socket.refused:
        return
    if socket.stage is Stage.RESUMING:
        if socket.session == world.session and socket.token == world.living:
            resumed = (ResumedReceived(epoch),)
            yield Move(Actor.PEER, "the session goes on", resumed, ready, good=True)
    elif socket.token == world.living:
        number = world.begun + 1
        session = f"session-{number}"
        after = replace(ready, begun=number, session=session, s=1)
        begun = ReadyReceived(epoch, s=1, session=session)
        yield Move(Actor.PEER, "a session begins", (begun,), after, good=True)
    gone = socket.stage is Stage.RESUMING and socket.session != world.session
    if world.extent.invalid or gone:
        yield from _invalid(world, socket, good=gone)


def _invalid(world: QqWorld, socket: Socket, *, good: bool = False) -> Moves:
    refused = replace(socket, refused=True)
    later = (SessionInvalidated(socket.epoch, resumable=True),)
    kept = replace(world, socket=refused)
    yield Move(Actor.PEER, "the session is refused for now (op 9)", later, kept)
    gone = (SessionInvalidated(socket.epoch, resumable=False),)
    lost = replace(kept, session="")
    yield Move(Actor.PEER, "the session is refused (op 9)", gone, lost, good)


def _life(world: QqWorld, socket: Socket) -> Moves:
    epoch = socket.epoch
    if socket.refused:
        return
    if socket.beats:
        after = replace(world, socket=replace(socket, beats=False))
        acked = (HeartbeatAcked(epoch),)
        yield Move(Actor.PEER, "the heartbeat is acknowledged", acked, after, good=True)
    else:
        asked = (HeartbeatAsked(epoch),)
        yield Move(Actor.PEER, "the gateway wants a heartbeat", asked, world)
    if socket.pings:
        after = replace(world, socket=replace(socket, pings=False))
        yield Move(Actor.PEER, "a pong comes", (PongReceived(epoch),), after, good=True)
    if not socket.closing:
        after = replace(world, s=world.s + 1)
        event = (DispatchReceived(epoch, s=after.s, name="GUILD_CREATE"),)
        yield Move(Actor.PEER, "an event comes", event, after)
    wanted = (ReconnectAsked(epoch),)
    yield Move(Actor.PEER, "the gateway wants another socket (op 7)", wanted, world)
    if world.extent.invalid:
        yield from _invalid(world, socket)


def _ends(world: QqWorld, socket: Socket) -> Moves:
    extent, closes = world.extent, dict[str, int | None](CLOSES)
    if not extent.network:
        closes = {"without a close frame": None}
    dead = socket.token not in ("", world.living)
    if extent.denials or dead:
        closes |= DENYING
    if extent.refusals:
        closes |= REFUSING | FATAL
    if socket.closing:
        closes = {"without a close frame": None}
    rest = tuple(c for c in world.calls if not isinstance(c.command, CloseSocket))
    gone = replace(world, socket=None, calls=rest)
    for what, code in closes.items():
        kind = "eof" if code is None else "closed"
        lost = code is not None and code not in (4009, 4008)
        after = replace(gone, session="") if lost else gone
        if code in DENYING.values():
            after = replace(after, living="")
        told: tuple[Event, ...] = (SocketClosed(socket.epoch, kind, code),)
        good = socket.refused if code is None else dead and code in DENYING.values()
        yield Move(Actor.PEER, f"the gateway hangs up {what}", told, after, good)


def _at(world: QqWorld, socket: Socket, stage: Stage) -> QqWorld:
    return replace(world, socket=replace(socket, stage=stage))


def dial(world: QqWorld, command: OpenSocket) -> Obeyed:
    """Obey `OpenSocket`."""
    said = ["[2] a socket is dialled beside another"] if world.socket else []
    world = replace(world, socket=Socket(command.epoch))
    return called(world, command, command.timeout_ms), said


def close(world: QqWorld, command: CloseSocket) -> Obeyed:
    """Obey `CloseSocket`; its end is still to come."""
    socket = world.socket
    if socket is None or socket.epoch != command.epoch:
        return world, []
    asked = any(isinstance(call.command, CloseSocket) for call in world.calls)
    world = replace(world, socket=replace(socket, closing=True))
    if socket.stage is Stage.DIALING or asked:
        return world, []
    return called(world, command, CLOSE_MS), []


def identify(world: QqWorld, command: Identify) -> Obeyed:
    """Obey `Identify`."""
    return _show(world, command.epoch, Stage.IDENTIFYING, command.token, "")


def resume(world: QqWorld, command: Resume) -> Obeyed:
    """Obey `Resume`."""
    epoch, token = command.epoch, command.token
    world, said = _show(world, epoch, Stage.RESUMING, token, command.session)
    if command.session != world.session:
        return world, said
    if command.seq > world.s:
        said.append("[5] the gateway is told of a dispatch that it never sent")
    # All that came after it is sent again.
    return replace(world, s=command.seq), said


def _show(world: QqWorld, epoch: int, stage: Stage, token: str, session: str) -> Obeyed:
    socket = world.socket
    if socket is None or socket.epoch != epoch or socket.stage is not Stage.WAITING:
        return world, ["[2] a session is asked for without a greeted socket"]
    shown = replace(socket, stage=stage, token=token, session=session)
    return replace(world, socket=shown), []


def beat(world: QqWorld, command: Heartbeat) -> Obeyed:
    """Obey `Heartbeat`."""
    socket = world.socket
    if socket is None or socket.epoch != command.epoch:
        return world, ["[2] a heartbeat is sent without a socket"]
    return replace(world, socket=replace(socket, beats=True)), []


def ping(world: QqWorld, command: Ping) -> Obeyed:
    """Obey `Ping`."""
    socket = world.socket
    if socket is None or socket.epoch != command.epoch:
        return world, ["[2] a ping is sent without a socket"]
    return replace(world, socket=replace(socket, pings=True)), []
