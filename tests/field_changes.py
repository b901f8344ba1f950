"""Field changes: every field of a struct, found by its type, and changed in a value."""

import enum
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

Seen = dict[str, list[Any]]
"""{field: values that it had somewhere}."""

# A value of a field is tried beside these many others that it had elsewhere.
OTHERS_MAX = 6


@cache
def named(owner: type, field: str) -> str:
    """Return a field's name, with those of the module and struct that declare it."""
    declares = next(
        base
        for base in reversed(owner.__mro__)
        if field in inspect.get_annotations(base)
    )
    return f"{declares.__module__.rsplit('.', 1)[-1]}.{declares.__name__}.{field}"


def fields_of(owner: type[Struct], apart: Mapping[str, str]) -> Iterator[str]:
    """Yield every field of a struct and of all structs within it.

    What is held by a field of `apart` is not looked into: it counts as a whole.
    """
    found: dict[type[Struct], None] = {owner: None}
    left = [owner]
    while left:
        struct = left.pop()
        for field, hint in typing.get_type_hints(struct).items():
            yield named(struct, field)
            for inner in () if named(struct, field) in apart else _structs_in(hint):
                if inner not in found:
                    found[inner] = None
                    left.append(inner)


def _structs_in(hint: Any) -> Iterator[type[Struct]]:
    union = typing.get_origin(hint) is types.UnionType
    if union and type(None) not in typing.get_args(hint):
        return  # One of many commands: it is changed as a whole.
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield hint
    for inner in typing.get_args(hint):
        yield from _structs_in(inner)


def note(value: Any, known: Mapping[str, None], seen: Seen) -> None:
    """Add to `seen` what the known fields have in this value."""
    for name, held, _ in _inside(value):
        others = seen.setdefault(name, [])
        if name in known and len(others) < OTHERS_MAX and held not in others:
            others.append(held)
        note(held, known, seen)


def changed(
    value: Any, wanted: Mapping[str, None], seen: Seen
) -> Iterator[tuple[str, Any]]:
    """Yield (field, the value with that field alone changed) for all fields wanted."""
    for name, held, rebuilt in _inside(value):
        if name in wanted:
            for other in _others(held, seen.get(name, [])):
                yield name, rebuilt(other)
        for inner, other in changed(held, wanted, seen):
            yield inner, rebuilt(other)


def _inside(value: Any) -> Iterator[tuple[str, Any, Callable[[Any], Any]]]:
    """Yield what is directly in a value: its field, itself, and how to replace it."""
    if isinstance(value, Struct):
        for field in value.__struct_fields__:
            name = named(type(value), field)
            yield name, getattr(value, field), partial(_with_field, value, field)
    elif isinstance(value, tuple):
        for place, one in enumerate(value):
            yield "", one, partial(_with_item, value, place)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield "", one, partial(_with_value, value, key)


def _with_field(struct: Struct, field: str, other: Any) -> Struct:
    return replace(struct, **{field: other})


def _with_item(items: tuple[Any, ...], place: int, other: Any) -> tuple[Any, ...]:
    return (*items[:place], other, *items[place + 1 :])


def _with_value(mapping: dict[Any, Any], key: Any, other: Any) -> dict[Any, Any]:
    return {**mapping, key: other}


def _others(held: Any, seen: list[Any]) -> Iterator[Any]:
    """Yield what a field could be instead."""
    if isinstance(held, bool):
        yield not held
    elif isinstance(held, enum.Enum):
        yield from (one for one in type(held) if one is not held)
    else:
        yield from (one for one in seen if one != held)
        if isinstance(held, int):
            yield held + 1
        elif isinstance(held, str):
            yield f"{held}?"
