"""What an account's commands change around it, and what they break there."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from holdfast.core.commands import (
    Command,
    NotifyStart,
    NotifyStop,
    Poll,
    Report,
    Send,
)
from holdfast.core.events import Fact, SendRequested
from holdfast.core.pacing import NEXT
from holdfast.replay.explore.account import (
    ORDERS,
    Orders,
    asked,
    carried_out,
    offered,
)
from holdfast.replay.explore.weixin_world import WeixinWorld
from holdfast.replay.explore.world import (
    called,
    is_any,
    message_number,
)


def obey(
    world: WeixinWorld, fact: Fact, commands: Sequence[Command]
) -> tuple[WeixinWorld, list[str]]:
    """Carry out the commands of one fact; name what they break."""
    complaints: list[str] = []
    number = message_number(fact.event)
    if number:
        fresh = number > world.heard
        complaints += offered(commands, fresh=fresh)
        if fresh:
            world = replace(world, heard=number, heard_seq=fact.seq)
    world, said = carried_out(world, commands, _ORDERS)
    complaints += said
    if isinstance(fact.event, SendRequested):
        complaints += _sent_or_timed(world, commands)
    return world, complaints


def _sent_or_timed(world: WeixinWorld, commands: Sequence[Command]) -> Iterator[str]:
    """[3] With a login, a part goes, waits for its time, or its sender is told why not.

    However the poll stands.
    """
    sending = any(isinstance(call.command, Send) for call in world.calls)
    timed = any(name == NEXT for name, _ in world.timers)
    if world.read and not (sending or timed or is_any(commands, Report)):
        yield "[3] a part may go, but is neither sent nor timed"


def _begin_poll(world: WeixinWorld, poll: Poll) -> tuple[WeixinWorld, list[str]]:
    calls = tuple(c for c in world.calls if not isinstance(c.command, Poll))
    replaced = [c.command for c in world.calls if isinstance(c.command, Poll)]
    late = replaced[0] if replaced else world.late
    assert late is None or isinstance(late, Poll)
    after = called(replace(world, calls=calls, late=late), poll, poll.timeout_ms)
    return after, []


_ORDERS: Orders = {
    **ORDERS,
    NotifyStart: asked,
    NotifyStop: asked,
    Poll: _begin_poll,
}
