"""Clocks: the only place of the product that asks what time it is."""

import time
from typing import Protocol

import trio

NS_PER_MS = 1_000_000


class Clock(Protocol):
    """What the owner needs: the wall's milliseconds, and time that only goes on."""

    def wall_ms(self) -> int:
        """Return epoch milliseconds; may jump either way."""
        ...

    def mono_ms(self) -> int:
        """Return milliseconds that never go back; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall_ms(self) -> int:
        """Return epoch milliseconds."""
        return time.time_ns() // NS_PER_MS

    def mono_ms(self) -> int:
        """Return monotonic milliseconds."""
        return time.monotonic_ns() // NS_PER_MS


class TrioClock:
    """A wall that follows trio's time, so that virtual hours pass on it too."""

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms
        self._origin = trio.current_time()

    def wall_ms(self) -> int:
        """Return `start_ms` plus the time that passed in this trio run."""
        return self._start_ms + self.mono_ms()

    def mono_ms(self) -> int:
        """Return the milliseconds since this clock was made."""
        # Rounded: a sleep of n ms must not end a float's breadth before n ms.
        return round((trio.current_time() - self._origin) * 1000)


class Timeline:
    """The journal's time for one account: the wall's, but it never stands or goes back.

    A wall set back by an hour would otherwise freeze every deadline for that hour. The
    line then goes on at the pace of the monotonic clock until the wall has caught up.
    """

    def __init__(self, clock: Clock, last_ms: int = 0) -> None:
        self._clock = clock
        self._mono_ms = clock.mono_ms()
        self._now_ms = max(last_ms, clock.wall_ms())

    def now_ms(self) -> int:
        """Return the time to stamp a fact with."""
        mono_ms = self._clock.mono_ms()
        passed_ms = self._now_ms + mono_ms - self._mono_ms
        self._mono_ms = mono_ms
        self._now_ms = max(passed_ms, self._clock.wall_ms())
        return self._now_ms
