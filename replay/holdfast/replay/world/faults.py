"""When faults strike, whatever they do: the part that all simulated peers share."""

from typing import Generic, TypeVar

import msgspec
from msgspec import Struct


class Timed(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """When a fault strikes, and what heals it. The subclasses say what it does.

    Of the occasions that it concerns the first `skip` pass, then each `every`-th is
    struck, `count` times at most (None: for ever). `from_ms` and `to_ms` are counted
    from when the fault is armed.
    """

    skip: int = 0
    every: int = 1
    count: int | None = None
    from_ms: int = 0
    to_ms: int | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that no occasion could match."""
        if self.every < 1:
            message = "every must be 1 or more"
            raise ValueError(message)
        if self.to_ms is not None and self.to_ms <= self.from_ms:
            message = "to_ms must come after from_ms"
            raise ValueError(message)


F = TypeVar("F", bound=Timed)


class Clocked(Struct, Generic[F], frozen=True):
    """A fault on the clock, with the occasions that it saw and those it struck."""

    fault: F
    armed_ms: int
    seen: int = 0
    struck: int = 0

    @property
    def from_ms(self) -> int:
        """When the fault begins."""
        return self.armed_ms + self.fault.from_ms

    @property
    def to_ms(self) -> int | None:
        """When time heals the fault; None: time does not."""
        to_ms = self.fault.to_ms
        return None if to_ms is None else self.armed_ms + to_ms

    def is_live(self, at_ms: int) -> bool:
        """Return whether the fault has begun and nothing has healed it."""
        spent = self.fault.count is not None and self.struck >= self.fault.count
        over = self.to_ms is not None and at_ms >= self.to_ms
        return at_ms >= self.from_ms and not spent and not over

    def turn(self) -> tuple[int, int]:
        """Return `seen` and `struck` after one more occasion."""
        past = self.seen - self.fault.skip
        due = past >= 0 and past % self.fault.every == 0
        return self.seen + 1, self.struck + due


class ScriptError(ValueError):
    """A fault script that cannot be read; its text says what is wrong and where."""


S = TypeVar("S", bound=Struct)


def read_script(document: bytes | str, kind: type[S]) -> S:
    """Read a fault script of this kind. Raise `ScriptError` for what is not one."""
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"not a fault script: {error}"
        raise ScriptError(message) from error
