"""Differences: two values of core compared field by field.

A `Change` names the place by a dotted path, `outbox.peers.o9cq.context`, and holds each
side as JSON, or `ABSENT` where a side has nothing.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from msgspec import Struct

from holdfast.core.commands import Command
from holdfast.replay.describe import literal, quote

ABSENT = "(absent)"


class _Nothing:
    """Stands where one side has no value."""


NOTHING = _Nothing()


class Change(Struct, frozen=True):
    """One value that differs."""

    path: str
    recorded: str
    produced: str


def differences(path: str, recorded: Any, produced: Any) -> Iterator[Change]:
    """Yield every leaf below `path` at which two values differ."""
    match recorded, produced:
        case (Struct(), Struct()) if type(recorded) is type(produced):
            for name in recorded.__struct_fields__:
                old, new = getattr(recorded, name), getattr(produced, name)
                yield from differences(_join(path, name), old, new)
        case dict(), dict():
            yield from _entries(path, recorded, produced)
        case (list() | tuple(), list() | tuple()):
            pairs = zip_longest(recorded, produced, fillvalue=NOTHING)
            for index, (old, new) in enumerate(pairs):
                yield from differences(f"{path}[{index}]", old, new)
        case _ if recorded != produced:
            yield Change(path, _show(recorded), _show(produced))


def command_differences(
    recorded: Sequence[Command], produced: Sequence[Command]
) -> Iterator[Change]:
    """Compare two lists of commands; those that both begin or end with are left out."""
    begin, end = shared(recorded, produced)
    old, new = (side[begin : len(side) - end] for side in (recorded, produced))
    pairs = zip_longest(old, new, fillvalue=NOTHING)
    for index, (one, other) in enumerate(pairs, begin):
        yield from differences(f"commands[{index}]", one, other)


def shared(one: Sequence[Any], other: Sequence[Any]) -> tuple[int, int]:
    """Return how many items both sequences begin with, and then end with."""
    begin = _alike(one, other)
    return begin, _alike(one[begin:][::-1], other[begin:][::-1])


def _entries(
    path: str, recorded: dict[Any, Any], produced: dict[Any, Any]
) -> Iterator[Change]:
    """Compare mappings; their order counts too, because queues take turns in it."""
    for key in {**recorded, **produced}:
        old, new = recorded.get(key, NOTHING), produced.get(key, NOTHING)
        yield from differences(_join(path, quote(key)), old, new)
    if recorded.keys() == produced.keys() and [*recorded] != [*produced]:
        yield Change(f"order of {path}", _show([*recorded]), _show([*produced]))


def _alike(one: Sequence[Any], other: Sequence[Any]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    shorter = min(len(one), len(other))
    return next((index for index, (a, b) in pairs if a != b), shorter)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _show(value: Any) -> str:
    return ABSENT if value is NOTHING else literal(value)
