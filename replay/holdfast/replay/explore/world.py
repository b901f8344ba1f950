"""World: what surrounds an account while it is explored, and what may happen next.

A world holds what the shell would: timers, calls under way, a clock. A platform adds
what its peer remembers (which login it takes, whether a socket is open). From these
follow the moves: every fact that may be recorded next, by whom it comes, and the world
after it. A command changes the world when it is obeyed, as it would the shell.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core.commands import ClearTimer, Command, Forget, SetTimer
from holdfast.core.events import Event, TimerFired

# What is further away than any path is long comes never.
NEVER_MS = 1_000_000


class Actor(StrEnum):
    """Who makes a move. What recovery may rest on is said in `NATURE`."""

    PEER = "peer"
    NETWORK = "network"
    TIME = "time"
    DISK = "disk"
    HOST = "host"  # The program around the account: sends, retries, stops.
    HUMAN = "human"  # Who logs in.
    PROCESS = "process"  # A crash, and the next start.


# An account must come back by these alone.
NATURE = frozenset({Actor.PEER, Actor.NETWORK, Actor.TIME, Actor.DISK})


class Call(Struct, frozen=True, gc=False):
    """A command that waits for its one answer, at the latest at `deadline_ms`."""

    command: Command
    deadline_ms: int


class World(Struct, frozen=True, gc=False):
    """The shell's half of an explored state; platforms add their peer's.

    `forgotten` are the last handles that the vault was told to forget, by whichever
    process.
    """

    now_ms: int
    timers: tuple[tuple[str, int], ...] = ()
    calls: tuple[Call, ...] = ()
    running: bool = False
    stopping: bool = False
    forgotten: tuple[str, ...] = ()


W = TypeVar("W", bound=World)


class Move(NamedTuple):
    """What may happen next: who did it, in words, the facts, and the world after."""

    by: Actor
    what: str
    events: tuple[Event, ...]
    world: World


def set_timer(world: W, command: SetTimer) -> W:
    """Obey `SetTimer`: the timer of the same name is replaced."""
    others = [timer for timer in world.timers if timer[0] != command.name]
    timers = tuple(sorted([*others, (command.name, command.due_ms)]))
    return replace(world, timers=timers)


def clear_timer(world: W, command: ClearTimer) -> W:
    """Obey `ClearTimer`."""
    timers = tuple(timer for timer in world.timers if timer[0] != command.name)
    return replace(world, timers=timers)


def forget(world: W, command: Forget) -> W:
    """Obey `Forget`; no more handles are remembered than can come again."""
    return replace(world, forgotten=(*world.forgotten[-3:], command.handle))


def called(world: W, command: Command, timeout_ms: int) -> W:
    """Obey a command that asks something; calls stand in one order, whoever was first.

    So the moves of two states that differ only in that are the same, one by one.
    """
    call = Call(command, world.now_ms + timeout_ms)
    calls = tuple(sorted([*world.calls, call], key=_rank))
    return replace(world, calls=calls)


def _rank(call: Call) -> tuple[str, int]:
    return type(call.command).__name__, call.deadline_ms


def answered(world: W, call: Call) -> W:
    """Return the world without a call, for it has its answer."""
    calls = tuple(other for other in world.calls if other is not call)
    return replace(world, calls=calls)


def moves_of_time(world: World) -> Iterator[Move]:
    """Yield the timers that are due; if none is, time up to the next instant.

    Time does not pass a timer or the deadline of a call: what happens before or after
    it happens at that instant, in either order.
    """
    now_ms = world.now_ms
    due = [timer for timer in world.timers if timer[1] <= now_ms]
    for timer in due:
        name, due_ms = timer
        timers = tuple(other for other in world.timers if other is not timer)
        after = replace(world, timers=timers)
        told = (TimerFired(name, due_ms),)
        yield Move(Actor.TIME, f"the timer {name} runs out", told, after)
    soon_ms = now_ms + NEVER_MS
    instants = [due_ms for _, due_ms in world.timers if due_ms < soon_ms]
    instants += [call.deadline_ms for call in world.calls]
    if instants and min(instants) > now_ms:
        after = replace(world, now_ms=min(instants))
        yield Move(Actor.TIME, "time passes", (), after)


def timers_key(world: World) -> tuple[tuple[str, int], ...]:
    """Return the timers, by how far away they are."""
    return tuple(
        [(name, min(due_ms - world.now_ms, NEVER_MS)) for name, due_ms in world.timers]
    )


def nothing_goes_on(world: World) -> bool:
    """Say whether no timer is set and no call under way: nothing will ever happen."""
    return not world.timers and not world.calls


def is_any(commands: Sequence[Command], kind: type[Command]) -> bool:
    """Say whether one of the commands is of a kind."""
    return any(isinstance(command, kind) for command in commands)
