"""What an account's commands change on the platform, and what they break there."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from holdfast.core.commands import (
    CloseSocket,
    Command,
    FetchGateway,
    FetchToken,
    Heartbeat,
    Identify,
    OpenSocket,
    Ping,
    Resume,
)
from holdfast.core.events import Fact
from holdfast.core.qq_socket import BEAT
from holdfast.replay.explore import qq_gateway
from holdfast.replay.explore.account import (
    ORDERS,
    Orders,
    asked,
    carried_out,
    offered,
)
from holdfast.replay.explore.qq_world import QqWorld, Stage
from holdfast.replay.explore.world import (
    called,
    message_number,
)

NOT_GREETED = (Stage.DIALING, Stage.GREETING)


def obey(
    world: QqWorld, fact: Fact, commands: Sequence[Command]
) -> tuple[QqWorld, list[str]]:
    """Carry out the commands of one fact; name what they break."""
    complaints: list[str] = []
    number = message_number(fact.event)
    if number:
        complaints += offered(commands, fresh=number > world.offered)
        world = replace(world, offered=number)
    world, said = carried_out(world, commands, _ORDERS)
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


def _fetch_token(world: QqWorld, fetch: FetchToken) -> tuple[QqWorld, list[str]]:
    twice = any(isinstance(call.command, FetchToken) for call in world.calls)
    said = ["[2] the token is asked for twice at once"] if twice else []
    return called(world, fetch, fetch.timeout_ms), said


_ORDERS: Orders = {
    **ORDERS,
    FetchToken: _fetch_token,
    FetchGateway: asked,
    OpenSocket: qq_gateway.dial,
    CloseSocket: qq_gateway.close,
    Identify: qq_gateway.identify,
    Resume: qq_gateway.resume,
    Heartbeat: qq_gateway.beat,
    Ping: qq_gateway.ping,
}
