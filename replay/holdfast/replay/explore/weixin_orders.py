"""What an account's commands change around it, and what they break there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from holdfast.core.commands import (
    ClearTimer,
    Command,
    Forget,
    NotifyStart,
    NotifyStop,
    Offer,
    Poll,
    ReloadCredentials,
    Report,
    Send,
    SetTimer,
)
from holdfast.core.events import Fact, SendRequested
from holdfast.core.pacing import NEXT
from holdfast.replay.explore.weixin_world import WeixinWorld
from holdfast.replay.explore.world import (
    called,
    clear_timer,
    forget,
    is_any,
    message_number,
    set_timer,
)

FINAL = ("accepted", "unconfirmed", "rejected")


def obey(
    world: WeixinWorld, fact: Fact, commands: Sequence[Command]
) -> tuple[WeixinWorld, list[str]]:
    """Carry out the commands of one fact; name what they break."""
    complaints: list[str] = []
    number = message_number(fact.event)
    if number:
        fresh = number > world.heard
        complaints += _offered(commands, fresh=fresh)
        if fresh:
            world = replace(world, heard=number, heard_seq=fact.seq)
    for command in commands:
        handle = _OBEY.get(type(command))
        if handle is not None:
            world, said = handle(world, command)
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


def _offered(commands: Sequence[Command], *, fresh: bool) -> Iterator[str]:
    """[4] Each message is offered when it comes first, and never again."""
    if is_any(commands, Offer) != fresh:
        yield "[4] a message is lost" if fresh else "[4] a copy is offered again"


def _begin_poll(world: WeixinWorld, poll: Poll) -> tuple[WeixinWorld, list[str]]:
    calls = tuple(c for c in world.calls if not isinstance(c.command, Poll))
    replaced = [c.command for c in world.calls if isinstance(c.command, Poll)]
    late = replaced[0] if replaced else world.late
    assert late is None or isinstance(late, Poll)
    after = called(replace(world, calls=calls, late=late), poll, poll.timeout_ms)
    return after, []


def _begin_send(world: WeixinWorld, send: Send) -> tuple[WeixinWorld, list[str]]:
    said = []
    if any(isinstance(call.command, Send) for call in world.calls):
        said.append("[2] a part is sent while another is under way")
    if (send.delivery, send.part) in world.ended:
        said.append("[4] a part is sent that has come to its end")
    if send.context in world.forgotten:
        said.append("[6] a token is used that the vault was told to forget")
    return called(world, send, send.timeout_ms), said


def _report(world: WeixinWorld, report: Report) -> tuple[WeixinWorld, list[str]]:
    if report.state not in FINAL:
        return world, []
    ended = (*world.ended[-1:], (report.delivery, report.part))
    return replace(world, ended=ended), []


_OBEY: Mapping[type, Callable[[WeixinWorld, Any], tuple[WeixinWorld, list[str]]]] = {
    SetTimer: lambda world, command: (set_timer(world, command), []),
    ClearTimer: lambda world, command: (clear_timer(world, command), []),
    Forget: lambda world, command: (forget(world, command), []),
    ReloadCredentials: lambda world, command: (called(world, command, 0), []),
    NotifyStart: lambda world, c: (called(world, c, c.timeout_ms), []),
    NotifyStop: lambda world, c: (called(world, c, c.timeout_ms), []),
    Poll: _begin_poll,
    Send: _begin_send,
    Report: _report,
}
