"""What a fact of a QQ account tells of the world around it."""

from collections.abc import Mapping

from msgspec.structs import replace

from holdfast.core.commands import (
    CloseSocket,
    Command,
    FetchGateway,
    FetchToken,
    OpenSocket,
    ReloadCredentials,
    Send,
)
from holdfast.core.events import (
    CredentialsLoaded,
    CredentialsMissing,
    Event,
    SendAnswered,
    SendFailed,
    Started,
)
from holdfast.core.qq_codes import CLOSES, Fate, Fault
from holdfast.core.qq_events import (
    DialFailed,
    GatewayAnswered,
    GatewayFailed,
    HeartbeatAcked,
    HelloReceived,
    PongReceived,
    ReadyReceived,
    ResumedReceived,
    SessionInvalidated,
    SocketClosed,
    SocketOpened,
    TokenAnswered,
    TokenFailed,
)
from holdfast.core.qq_rules import fault_of
from holdfast.replay.explore.qq_world import QqWorld, Socket, Stage
from holdfast.replay.explore.world import without_answered

ANSWERS: Mapping[type, tuple[type[Command], ...]] = {
    TokenAnswered: (FetchToken,),
    TokenFailed: (FetchToken,),
    GatewayAnswered: (FetchGateway,),
    GatewayFailed: (FetchGateway,),
    SocketOpened: (OpenSocket,),
    DialFailed: (OpenSocket,),
    SocketClosed: (CloseSocket,),
    CredentialsLoaded: (ReloadCredentials,),
    CredentialsMissing: (ReloadCredentials,),
    SendAnswered: (Send,),
    SendFailed: (Send,),
}


def witness(world: QqWorld, event: Event) -> QqWorld:
    """Return the world as it is when this was recorded, before anything was done.

    The platform is believed to be as it answered last: what it refused is dead.
    """
    world = without_answered(world, event, ANSWERS)
    match event:
        case Started():
            return replace(world, socket=None)
        case CredentialsLoaded(credential):
            return replace(world, read=credential, disk=credential, taken=True)
        case TokenAnswered(token=token) if token:
            return replace(world, living=token)
        case GatewayAnswered() | SendAnswered():
            denied = fault_of(event.err_code, event.code) is Fault.TOKEN
            return replace(world, living="") if denied else world
        case _:
            return _socket(world, event)


def _socket(world: QqWorld, event: Event) -> QqWorld:
    match event:
        case SocketOpened(epoch):
            return replace(world, socket=Socket(epoch, Stage.GREETING))
        case DialFailed():
            return replace(world, socket=None)
        case SocketClosed(code=code):
            kept = code is None or CLOSES.get(code, Fate.DROPPED) is Fate.KEPT
            return replace(world, socket=None, session=world.session if kept else "")
        case SessionInvalidated(resumable=resumable):
            return world if resumable else replace(world, session="")
        case _ if world.socket is not None:
            return _frame(world, world.socket, event)
        case _:
            return world


def _frame(world: QqWorld, socket: Socket, event: Event) -> QqWorld:
    match event:
        case HelloReceived():
            socket = replace(socket, stage=Stage.WAITING)
        case ReadyReceived(session=session, s=s):
            world = replace(world, session=session, s=s or 0)
            socket = replace(socket, stage=Stage.READY)
        case ResumedReceived():
            socket = replace(socket, stage=Stage.READY)
        case HeartbeatAcked():
            socket = replace(socket, beats=False)
        case PongReceived():
            socket = replace(socket, pings=False)
        case _:
            pass
    return replace(world, socket=socket)
