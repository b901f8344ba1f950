"""Rest: a loop that is never idle must still leave the writer's thread its turns.

A thread gets Python's global lock when the holder pauses for long enough to wake it,
or drops it because it was asked to after 5 ms. A busy loop does neither: at each look
at its sockets it gives the lock up for a microsecond, too short to be taken, and the
5 ms begin anew. Measured with tasks of 1 ms each: one commit took 44 s instead of
0.1 ms. So while somebody waits for the disk, a loop that did not pause by itself for
`EVERY_S` pauses for `REST_S`, in which a commit is mostly done.
"""

import threading
from contextlib import suppress
from time import perf_counter

import trio

EVERY_S = 0.005
REST_S = 0.001
PAUSE_S_MIN = 0.0005  # A wait for sockets of this length was a rest, too.


class Rest(trio.abc.Instrument):
    """Watches the loop from `begin` to `end`; `busy` and `idle` are the writer's."""

    def __init__(self) -> None:
        self._idle = threading.Event()
        self._idle.set()
        self._rested_s = 0.0
        self._waiting_s = 0.0

    def begin(self) -> None:
        """Watch the loop that calls this."""
        trio.lowlevel.add_instrument(self)

    def end(self) -> None:
        """Leave the loop alone."""
        with suppress(KeyError):  # As often as one likes.
            trio.lowlevel.remove_instrument(self)

    def busy(self) -> None:
        """Somebody waits for the writer from now on."""
        if self._idle.is_set():
            self._rested_s = perf_counter()
            self._idle.clear()

    def idle(self) -> None:
        """Nobody waits for the writer any more."""
        self._idle.set()

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - trio's signature
        """Pause when the writer has work and the loop had no pause for long."""
        if self._idle.is_set():
            return
        self._waiting_s = perf_counter()
        if self._waiting_s - self._rested_s > EVERY_S:
            self._idle.wait(REST_S)
            self._rested_s = self._waiting_s = perf_counter()

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - trio's signature
        """Take note of a pause that the loop made by itself."""
        if not self._idle.is_set():
            now_s = perf_counter()
            if now_s - self._waiting_s >= PAUSE_S_MIN:
                self._rested_s = now_s
