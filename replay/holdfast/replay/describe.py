"""Describe: facts, commands and phases in one line, for people and fixtures alike.

A fact or command reads `tag key=value …`, with the fields that differ from their
defaults. Words without spaces stand bare, other text is quoted as in JSON, so one line
is one fact and no peer can move a terminal's cursor. `parse_event` reads the form back.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from msgspec import DecodeError, Struct, json
from msgspec.structs import FieldInfo, fields

from holdfast.core.commands import Command
from holdfast.core.events import Event, Fact

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 253_402_300_799_999  # The end of the year 9999.

# A word is a run of quoted text and of what is neither blank nor a quote.
WORD = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+')


class DescriptionError(ValueError):
    """A line that describes nothing; the text names the field and what is wrong."""


def describe_event(event: Event) -> str:
    """Return a fact in one line: `poll_answered epoch=3 errcode=-14`."""
    return describe(event)


def describe_command(command: Command) -> str:
    """Return a command in one line: `set_timer name=session.retry due_ms=15020`."""
    return describe(command)


def describe(struct: Struct) -> str:
    """Return any tagged struct as `tag key=value …`, without its defaults."""
    config = struct.__struct_config__
    told = [f"{name}={quote(value)}" for name, value in _told(struct)]
    return " ".join([str(config.tag), *told])


def _told(struct: Struct) -> Iterator[tuple[str, Any]]:
    for field in fields(struct):
        value = getattr(struct, field.name)
        if field.required or value != field.default:
            yield field.name, value


def quote(value: Any) -> str:
    """Return a value in one word, or in quotes where it is none."""
    if isinstance(value, str):
        bare = value and value.isprintable() and not {" ", '"'} & {*value}
        if bare:
            return str(value)
    return literal(value)


def literal(value: Any) -> str:
    """Return a value as JSON of printable characters."""
    text = json.encode(value).decode()
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def parse_event(text: str) -> Event:
    """Read what `describe_event` wrote; raise `DescriptionError`."""
    event: Event = _parse(text, _EVENTS, "fact")
    return event


def parse_command(text: str) -> Command:
    """Read what `describe_command` wrote; raise `DescriptionError`."""
    command: Command = _parse(text, _COMMANDS, "command")
    return command


def describe_phases(before: Any, after: Any) -> str:
    """Return the phases that changed, `session active -> expired`, or nothing."""
    old, new = phases(before), phases(after)
    moved = [name for name in new if old[name] != new[name]]
    return ", ".join(f"{name} {old[name]} -> {new[name]}" for name in moved)


def phases(state: Any) -> dict[str, str]:
    """Return {machine: phase} of the machines that an account has one of."""
    machines = {name: getattr(state, name) for name in state.__struct_fields__}
    return {
        name: str(machine.phase)
        for name, machine in machines.items()
        if hasattr(machine, "phase")
    }


def describe_line(
    fact: Fact, before: Any, after: Any, commands: Iterable[Command]
) -> str:
    """Return a timeline's line: when, seq, the fact | phase changes | commands."""
    told = f"{describe_time(fact.at_ms)} {fact.seq:>6}  {describe_event(fact.event)}"
    moved = describe_phases(before, after)
    orders = "; ".join(map(describe_command, commands))
    return " | ".join(part for part in (told, moved, orders) if part)


def describe_time(at_ms: int) -> str:
    """Return UTC to the millisecond, `2026-09-01 03:12:04.123`."""
    if not 0 <= at_ms <= LAST_MS:
        return f"{at_ms} ms"
    text = (EPOCH + timedelta(milliseconds=at_ms)).isoformat(" ", "milliseconds")
    return text.removesuffix("+00:00")


def _by_tag(union: Any) -> Mapping[str, type[Struct]]:
    return {str(kind.__struct_config__.tag): kind for kind in get_args(union)}


_EVENTS = _by_tag(Event)
_COMMANDS = _by_tag(Command)


def _parse(text: str, kinds: Mapping[str, type[Struct]], what: str) -> Any:
    if WORD.sub("", text).strip():
        raise DescriptionError(f"a quote is not closed: {text}")
    tag, *pairs = WORD.findall(text) or [""]
    if tag not in kinds:
        raise DescriptionError(f"{tag!r} is no {what}; known are {', '.join(kinds)}")
    known = {field.name: field for field in fields(kinds[tag])}
    values: dict[str, Any] = {}
    for name, equals, value in (pair.partition("=") for pair in pairs):
        if not equals or name not in known or name in values:
            twice = "is given twice" if name in values else "is none"
            has = f"{tag} has {', '.join(known) or 'no fields'}, as name=value"
            raise DescriptionError(f"{name!r} {twice}; {has}")
        values[name] = _value(tag, known[name], value)
    lacking = [f.name for f in known.values() if f.required and f.name not in values]
    if lacking:
        raise DescriptionError(f"{tag} lacks {', '.join(lacking)}")
    return kinds[tag](**values)


def _value(tag: str, field: FieldInfo, text: str) -> Any:
    """Read text for a text field, quoted or bare; JSON for any other."""
    is_text = getattr(field.type, "__origin__", field.type) is str
    if is_text and not text.startswith('"'):
        return text
    try:
        return json.decode(text.encode(), type=field.type)
    except (DecodeError, UnicodeEncodeError) as error:
        raise DescriptionError(f"{tag} {field.name}={text}: {error}") from error
