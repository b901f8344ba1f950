"""What surrounds an account of any platform: its login file, its host, its sends.

A platform adds its peer: what answers each call, and what else the peer may do.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core import connection
from holdfast.core.account import Account
from holdfast.core.commands import (
    ClearTimer,
    Command,
    Forget,
    Offer,
    ReloadCredentials,
    Report,
    Send,
    SetTimer,
)
from holdfast.core.events import (
    CredentialsMissing,
    PartRequest,
    SendRequested,
    Started,
    StopRequested,
)
from holdfast.core.outbox import Phase
from holdfast.replay.explore.world import (
    Actor,
    Call,
    Move,
    World,
    answered,
    called,
    clear_timer,
    forget,
    is_any,
    set_timer,
)

SEED = 7
# Who logs in anew takes the other name.
LOGINS = {"login-a": "login-b", "login-b": "login-a"}
# A host and a human leave an account alone that waits for so many answers.
CALLS_MAX = 2
FINAL = ("accepted", "unconfirmed", "rejected")
ENDED_MAX = 2


class AccountExtent(Struct, frozen=True):
    """How much of what can happen to any account is explored together.

    `files`: the login file goes missing. `humans` put another login there. `stops`: the
    host stops. `texts_max`: parts that the host gives at once, `parts_max` in one
    request.
    """

    files: bool = False
    humans: bool = False
    stops: bool = False
    texts_max: int = 0
    parts_max: int = 1


class AccountWorld(World, frozen=True, gc=False):
    """What the disk and the host know.

    `disk` is the login in the file, `read` the one the account was told last. `ended`
    are parts that came to their end lately.
    """

    disk: str = "login-a"
    read: str = ""
    ended: tuple[tuple[int, int], ...] = ()


A = TypeVar("A", bound=AccountWorld)
Obeyed = tuple[A, list[str]]
Orders = Mapping[type, Callable[[Any, Any], tuple[Any, list[str]]]]


def has_unsent(state: Account) -> bool:
    """Say whether a part is to be sent and does not wait for its peer to write."""
    queues = state.outbox.queues.values()
    return any(orders[0].parts[0].phase is not Phase.PARKED for orders in queues)


def told(state: Account, world: AccountWorld) -> bool:
    """Say whether somebody was told, and has not yet put another login there."""
    login = state.session
    waits = login.needs_login or state.connection.phase is connection.Phase.FATAL
    return waits and (login.missing or login.credential == world.disk)


def started(world: AccountWorld, **gone: Any) -> Move:
    """Return the start of a process; `gone` is what the last one takes with it."""
    what = "the process dies and starts again"
    if not world.running:
        what = "the process starts"
    after = replace(
        world, running=True, stopping=False, timers=(), calls=(), read="", **gone
    )
    return Move(Actor.PROCESS, what, (Started(SEED),), after)


def moves_of_host(
    world: AccountWorld, extent: AccountExtent, held: int, peer: str
) -> Iterator[Move]:
    """Yield what a host does: it stops, or gives so many parts for a peer."""
    if extent.stops:
        stopping = replace(world, stopping=True)
        yield Move(Actor.HOST, "the host stops", (StopRequested(),), stopping)
    for count in range(1, extent.parts_max + 1):
        if held + count <= extent.texts_max:
            parts = tuple(PartRequest("body") for _ in range(count))
            asked = (SendRequested(peer, parts),)
            yield Move(Actor.HOST, f"the host sends {count} parts", asked, world)


def login_reloaded(
    world: A, extent: AccountExtent, call: Call, read: Callable[[A], Move]
) -> Iterator[Move]:
    """Yield what comes of reading the login file."""
    after = answered(world, call)
    yield read(after)
    if extent.files:
        missing = (CredentialsMissing("no such file"),)
        gone = replace(after, read="")
        yield Move(Actor.DISK, "the login cannot be read", missing, gone)


def login_noticed(
    world: A, extent: AccountExtent, read: Callable[[A], Move]
) -> Iterator[Move]:
    """Yield the notice of a file that changed: the watch over it always runs."""
    changed = extent.humans and world.disk != world.read
    if changed and len(world.calls) < CALLS_MAX:
        yield read(world)._replace(what="the new login file is noticed")


def carried_out(world: A, commands: Sequence[Command], orders: Orders) -> Obeyed[A]:
    """Return the world after commands, and what they break there."""
    complaints: list[str] = []
    for command in commands:
        order = orders.get(type(command))
        if order is not None:
            world, said = order(world, command)
            complaints += said
    return world, complaints


def offered(commands: Sequence[Command], *, fresh: bool) -> Iterator[str]:
    """[4] Each message is offered when it comes first, and never again."""
    if is_any(commands, Offer) != fresh:
        yield "[4] a message is lost" if fresh else "[4] a copy is offered again"


def asked(world: A, command: Any) -> Obeyed[A]:
    """Obey a command that has a time-out of its own."""
    return called(world, command, command.timeout_ms), []


def _send(world: A, send: Send) -> Obeyed[A]:
    said = []
    if any(isinstance(call.command, Send) for call in world.calls):
        said.append("[2] a part is sent while another is under way")
    if (send.delivery, send.part) in world.ended:
        said.append("[4] a part is sent that has come to its end")
    if send.context in world.forgotten:
        said.append("[6] a token is used that the vault was told to forget")
    return called(world, send, send.timeout_ms), said


def _report(world: A, report: Report) -> Obeyed[A]:
    if report.state not in FINAL:
        return world, []
    ended = (*world.ended, (report.delivery, report.part))[-ENDED_MAX:]
    return replace(world, ended=ended), []


ORDERS: Orders = {
    SetTimer: lambda world, command: (set_timer(world, command), []),
    ClearTimer: lambda world, command: (clear_timer(world, command), []),
    Forget: lambda world, command: (forget(world, command), []),
    ReloadCredentials: lambda world, command: (called(world, command, 0), []),
    Send: _send,
    Report: _report,
}
