"""What is wrong with a configuration, in words; secrets are never among them."""

import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Any

from msgspec import Struct

SHOWN_CHARS_MAX = 60
# Longer numbers fit no field of a recording, and Python refuses to print the longest.
INTEGER_BITS_MAX = 63

HIDDEN = "a value that is not shown here"

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# A bot token, or an address that carries a password, under a key meant for neither.
_LOOKS_SECRET = re.compile(r"@im\.bot:|://[^/]*@")


class ConfigError(Exception):
    """The configuration cannot be used: print the text, exit with 2.

    Its text is all of `problems`, one line each: where, what was found, what would be
    right.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(map(_printable, problems))
        super().__init__("\n".join(self.problems))


def dotted(path: Sequence[str]) -> str:
    """Write a path of keys as TOML does."""
    return ".".join(key if _BARE_KEY.fullmatch(key) else quoted(key) for key in path)


def shown(value: object, *, secret: bool = False) -> str:
    """Say what was found, briefly."""
    if secret:
        return HIDDEN
    match value:
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > INTEGER_BITS_MAX:
            return "a number too large"
        case int() | float():
            return str(value)
        case str():
            return HIDDEN if looks_secret(value) else quoted(value)
        case _:
            return sort_of(value)


def sort_of(value: object) -> str:
    """Name the sort of a TOML value without showing it."""
    match value:
        case str():
            return "text"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def quoted(text: str) -> str:
    """Put text in quotes, cut where it is long."""
    cut = text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"
    return '"…"' if looks_secret(text) else f'"{cut}"'


def looks_secret(text: str) -> bool:
    """Tell whether the text holds a bot token or a password, wherever it was found."""
    return _LOOKS_SECRET.search(text) is not None


def unknown(key: str, known: Collection[str], what: str = "key") -> str:
    """Say that a key is not known, and which one was probably meant."""
    if close := get_close_matches(key.lower(), known, n=1):
        return f'unknown {what}; did you mean "{close[0]}"?'
    return f"unknown {what}; known here: {', '.join(known)}"


def redacted(struct: Struct, *secrets: str) -> str:
    """Write a struct as `repr` does, without the values of some of its fields."""
    fields: dict[str, Any] = {
        name: getattr(struct, name) for name in struct.__struct_fields__
    }
    parts = (
        f"{name}={'…' if name in secrets and value else repr(value)}"
        for name, value in fields.items()
    )
    return f"{type(struct).__name__}({', '.join(parts)})"


def _printable(text: str) -> str:
    """Return the text on one line, escaped where a terminal could not show it."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text
    )
