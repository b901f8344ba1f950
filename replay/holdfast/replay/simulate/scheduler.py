"""The scheduler: one order of tasks per seed, and a fuse that burns a task at a time.

trio shuffles what is ready on purpose and has no public switch against it; the private
names used here are pinned by the dependency's version, and a test watches them.
"""

import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio
from trio._core import _run as trio_run


def chance(seed: int, purpose: str) -> random.Random:
    """Return a source of chance of its own, the same in every process."""
    return random.Random(f"{seed} {purpose}")  # noqa: S311 - it must repeat.


@contextmanager
def scheduled_by(seed: int) -> Iterator[None]:
    """Let trio run tasks in the order that a seed gives; afterwards as it did before.

    Generators left behind would be finished whenever the collector comes by, which is
    another moment in another process: it comes only when it is called.
    """
    allowed, state = trio_run._ALLOW_DETERMINISTIC_SCHEDULING, trio_run._r.getstate()  # noqa: SLF001 - no public switch.
    collects = gc.isenabled()
    _allow(allowed=True)
    trio_run._r.seed(seed)  # noqa: SLF001 - no public switch.
    gc.collect()
    gc.freeze()  # What was there before is not looked through at every call.
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if collects:
            gc.enable()
        trio_run._r.setstate(state)  # noqa: SLF001 - no public switch.
        _allow(allowed=allowed)


def _allow(*, allowed: bool) -> None:
    # To the type checker it is final; trio's own plug-in for Hypothesis sets it, too.
    vars(trio_run)["_ALLOW_DETERMINISTIC_SCHEDULING"] = allowed


class Fuse(trio.abc.Instrument):
    """Calls something once, after so many more turns of tasks, whosever they are."""

    def __init__(self, turns: int, burnt: Callable[[], None]) -> None:
        self._left = turns
        self._burnt = burnt
        trio.lowlevel.add_instrument(self)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002 - trio's signature
        """Count one turn."""
        self._left -= 1
        if self._left == 0:
            trio.lowlevel.remove_instrument(self)
            self._burnt()

    def put_out(self) -> None:
        """Let it not burn down."""
        if self._left > 0:
            self._left = 0
            trio.lowlevel.remove_instrument(self)
