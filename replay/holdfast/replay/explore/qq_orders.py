"""What an account's commands change on the platform, and what they break there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from holdfast.core.commands import (
    ClearTimer,
    CloseSocket,
    Command,
    FetchGateway,
    FetchToken,
    Forget,
    Heartbeat,
    Identify,
    Offer,
    OpenSocket,
    Ping,
    ReloadCredentials,
    Report,
    Resume,
    Send,
    SetTimer,
)
from holdfast.core.events import Fact
from holdfast.core.qq_socket import BEAT
from holdfast.replay.explore import qq_gateway
from holdfast.replay.explore.qq_world import QqWorld, Stage
from holdfast.replay.explore.world import (
    called,
    clear_timer,
    forget,
    is_any,
    message_number,
    set_timer,
)

FINAL = ("accepted", "unconfirmed", "rejected")
NOT_GREETED = (Stage.DIALING, Stage.GREETING)


def obey(
    world: QqWorld, fact: Fact, commands: Sequence[Command]
) -> tuple[QqWorld, list[str]]:
    """Carry out the commands of one fact; name what they break."""
    complaints: list[str] = []
    number = message_number(fact.event)
    if number:
        complaints += _offered(commands, fresh=number > world.offered)
        world = replace(world, offered=number)
    for command in commands:
        handle = _OBEY.get(type(command))
        if handle is not None:
            world, said = handle(world, command)
            complaints += said
    complaints += _beating(world)
    return world, complaints


def _beating(world: QqWorld) -> Iterator[str]:
    """[2] A heartbeat is due exactly while a socket is open that greeted us."""
    socket = world.socket
    greeted = socket is not None and socket.stage not in NOT_GREETED
    leaving = socket is not None and (socket.closing or socket.refused)
    beats = any(name == BEAT for name, _ in world.timers)
    if greeted and not beats and not leaving:
        yield "[2] a greeted socket has no heartbeat timer"
    if beats and not greeted:
        yield "[2] a heartbeat timer is set without a greeted socket"


def _offered(commands: Sequence[Command], *, fresh: bool) -> Iterator[str]:
    """[4] Each message is offered when it comes first, and never again."""
    if is_any(commands, Offer) != fresh:
        yield "[4] a message is lost" if fresh else "[4] a copy is offered again"


def _begin_send(world: QqWorld, send: Send) -> tuple[QqWorld, list[str]]:
    said = []
    if any(isinstance(call.command, Send) for call in world.calls):
        said.append("[2] a part is sent while another is under way")
    if (send.delivery, send.part) in world.ended:
        said.append("[4] a part is sent that has come to its end")
    if send.context in world.forgotten:
        said.append("[6] a token is used that the vault was told to forget")
    return called(world, send, send.timeout_ms), said


def _fetch_token(world: QqWorld, asked: FetchToken) -> tuple[QqWorld, list[str]]:
    twice = any(isinstance(call.command, FetchToken) for call in world.calls)
    said = ["[2] the token is asked for twice at once"] if twice else []
    return called(world, asked, asked.timeout_ms), said


def _report(world: QqWorld, report: Report) -> tuple[QqWorld, list[str]]:
    if report.state not in FINAL:
        return world, []
    ended = (*world.ended[-1:], (report.delivery, report.part))
    return replace(world, ended=ended), []


_OBEY: Mapping[type, Callable[[QqWorld, Any], tuple[QqWorld, list[str]]]] = {
    SetTimer: lambda world, command: (set_timer(world, command), []),
    ClearTimer: lambda world, command: (clear_timer(world, command), []),
    Forget: lambda world, command: (forget(world, command), []),
    ReloadCredentials: lambda world, command: (called(world, command, 0), []),
    FetchToken: _fetch_token,
    FetchGateway: lambda world, c: (called(world, c, c.timeout_ms), []),
    OpenSocket: qq_gateway.dial,
    CloseSocket: qq_gateway.close,
    Identify: qq_gateway.identify,
    Resume: qq_gateway.resume,
    Heartbeat: qq_gateway.beat,
    Ping: qq_gateway.ping,
    Send: _begin_send,
    Report: _report,
}
