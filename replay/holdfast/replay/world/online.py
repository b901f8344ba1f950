"""What every simulated peer that is online has in common: a state, a clock, a door."""

import math
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, Protocol, TypeVar

import trio

from holdfast.replay.world.serve_door import End, Entrance
from holdfast.replay.world.serve_http import Line

Clock = Callable[[], int]

P = TypeVar("P")


def clock_from(start_ms: int) -> Clock:
    """Return a clock that shows `start_ms` now and goes as trio's clock goes."""
    origin_ms = start_ms - round(trio.current_time() * 1_000)
    return lambda: origin_ms + round(trio.current_time() * 1_000)


def wall_clock() -> Clock:
    """Return a clock that shows the time of day and goes as trio's clock goes."""
    return clock_from(time.time_ns() // 1_000_000)


class Online(Generic[P]):
    """A peer that is online: its state now, and how to wait for another.

    Subclasses add what tests do to it.
    """

    def __init__(self, peer: P, now_ms: Clock) -> None:
        self.peer = peer
        self.now_ms = now_ms
        self.url = ""
        self.changed = trio.Event()

    async def until(self, predicate: Callable[[P], object]) -> P:
        """Wait until the predicate holds and return the peer as it is then.

        The peer is looked at after changes only, and two changes may come between two
        looks: ask for what stays (the log, what was shown), not for what passes.
        """
        while not predicate(self.peer):
            await self.changed.wait()
        return self.peer

    def become(self, peer: P) -> None:
        """Take on a new state and wake all who wait for a change."""
        if peer is self.peer:
            return
        self.peer = peer
        changed, self.changed = self.changed, trio.Event()
        changed.set()

    async def pause(self, changed: trio.Event, until_ms: int | None) -> None:
        """Wait for a change, at most until a time on the peer's clock."""
        wait_ms = math.inf if until_ms is None else max(0, until_ms - self.now_ms())
        with trio.move_on_after(wait_ms / 1_000):
            await changed.wait()


class Ticking(Protocol[P]):
    """The calls of a model that a server makes by the clock."""

    def is_listening(self, peer: P, at_ms: int, /) -> bool:
        """Return whether the peer takes connections now."""

    def wake_ms(self, peer: P, at_ms: int, /) -> int | None:
        """Return when the peer changes next by itself."""

    def tick(self, peer: P, at_ms: int, /) -> P:
        """Let everything happen that is due by now."""


async def keep_time(served: Online[P], model: Ticking[P]) -> None:
    """Let happen what is planned, when it is due."""
    while True:
        changed, now_ms = served.changed, served.now_ms()
        served.become(model.tick(served.peer, now_ms))
        await served.pause(changed, model.wake_ms(served.peer, now_ms))


async def keep_door(
    served: Online[P],
    door: Entrance,
    model: Ticking[P],
    converse: Callable[[Line], Awaitable[object]],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen while the peer listens; between two outages the port stays ours."""
    status: trio.TaskStatus[None] = task_status
    while True:
        await _admit(served, door, model, converse, status)
        status = trio.TASK_STATUS_IGNORED
        await door.bind()
        await _until_door(served, model, open_=True)


async def _admit(
    served: Online[P],
    door: Entrance,
    model: Ticking[P],
    converse: Callable[[Line], Awaitable[object]],
    task_status: trio.TaskStatus[None],
) -> None:
    """Serve connections until an outage, which resets all of them."""
    lines: set[Line] = set()
    async with trio.open_nursery() as nursery:
        await nursery.start(door.admit, partial(_attend, lines, converse))
        task_status.started()
        await _until_door(served, model, open_=False)
        for line in lines:
            line.reset_on_close()
        nursery.cancel_scope.cancel()


async def _until_door(served: Online[P], model: Ticking[P], *, open_: bool) -> None:
    while True:
        changed, now_ms = served.changed, served.now_ms()
        if model.is_listening(served.peer, now_ms) is open_:
            return
        await served.pause(changed, model.wake_ms(served.peer, now_ms))


async def _attend(
    lines: set[Line],
    converse: Callable[[Line], Awaitable[object]],
    stream: End,
) -> None:
    """Carry one connection until it ends."""
    line = Line(stream)
    lines.add(line)
    try:
        await converse(line)
    finally:
        lines.discard(line)
        with trio.CancelScope(shield=True):
            await line.aclose()
