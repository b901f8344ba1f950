"""World: what surrounds an account while it is explored, and what may happen next.

A world holds what the shell would: timers, calls under way, a clock. A platform adds
what its peer remembers (which login it takes, whether a socket is open). From these
follow the moves: every fact that may be recorded next, by whom it comes, and the world
after it. A command changes the world when it is obeyed, as it would the shell.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core.commands import ClearTimer, Command, Forget, SetTimer
from holdfast.core.events import (
    Event,
    MessageReceived,
    Started,
    StopRequested,
    TimerFired,
)

# What is further away than any path is long comes never: eleven days.
NEVER_MS = 1_000_000_000


class Actor(StrEnum):
    """Who makes a move."""

    PEER = "peer"
    NETWORK = "network"
    TIME = "time"
    DISK = "disk"
    HOST = "host"  # The program around the account: sends, retries, stops.
    HUMAN = "human"  # Who logs in.
    PROCESS = "process"  # A crash, and the next start.


PASSES = "time passes"


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
    """What may happen next: who did it, in words, the facts, and the world after.

    `good`: it is what happens where the peer, the network and the disk are well; an
    account must come back by such moves alone.
    """

    by: Actor
    what: str
    events: tuple[Event, ...]
    world: World
    good: bool = False


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


def without_answered(
    world: W, event: Event, answers: Mapping[type, tuple[type[Command], ...]]
) -> W:
    """Return the world after a recorded fact: what it answers is no longer awaited.

    `answers` tells which commands a fact may answer. Calls of one kind are answered in
    the order in which they were made, for nothing tells them apart.
    """
    if isinstance(event, Started):
        return replace(world, timers=(), calls=(), running=True, stopping=False)
    if isinstance(event, StopRequested):
        return replace(world, stopping=True)
    if isinstance(event, TimerFired):
        fired = event.name, event.due_ms
        timers = tuple(timer for timer in world.timers if timer != fired)
        return replace(world, timers=timers)
    kinds = answers.get(type(event), ())
    for call in world.calls:
        if isinstance(call.command, kinds):
            return answered(world, call)
    return world


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
        yield Move(Actor.TIME, f"the timer {name} runs out", told, after, good=True)
    soon_ms = now_ms + NEVER_MS
    instants = [due_ms for _, due_ms in world.timers if due_ms < soon_ms]
    instants += [call.deadline_ms for call in world.calls]
    if instants and min(instants) > now_ms:
        after = replace(world, now_ms=min(instants))
        yield Move(Actor.TIME, PASSES, (), after, good=True)


def message_number(event: Event) -> int:
    """Return which message of this world a fact brings; 0 for none, or a recorded one.

    Messages of a world are known by `m-1`, `m-2` and so on.
    """
    if not isinstance(event, MessageReceived):
        return 0
    digits = event.by_id.removeprefix("m-")
    return int(digits) if digits.isdecimal() and digits != event.by_id else 0


def timers_key(world: World) -> tuple[tuple[str, int], ...]:
    """Return the timers, by how far away they are."""
    return tuple(
        [(name, min(due_ms - world.now_ms, NEVER_MS)) for name, due_ms in world.timers]
    )


def nothing_goes_on(world: World) -> bool:
    """Say whether nothing will ever happen: no timer is set and no call under way.

    A socket alone promises nothing: its far end may be gone.
    """
    return not world.timers and not world.calls


def is_any(commands: Sequence[Command], kind: type[Command]) -> bool:
    """Say whether one of the commands is of a kind."""
    return any(isinstance(command, kind) for command in commands)
