"""Tables of the configuration: converted key by key, so that every mistake is found.

The types of a struct's fields are the schema. `Meta(description=…)` says in words what
would be right, `Meta(extra={"secret": True})` that a value is never shown.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, ValidationError, inspect
from msgspec.structs import fields

from holdfast.io.config_errors import (
    INTEGER_BITS_MAX,
    ConfigError,
    dotted,
    shown,
    sort_of,
    unknown,
)

ENV_PREFIX = "HOLDFAST__"

# Who has more mistakes than that is helped by the first ones.
PROBLEMS_MAX = 100

KeyPath = tuple[str, ...]


class Document:
    """What file and environment say together, and all that is wrong with it."""

    def __init__(
        self,
        file: Path | None,
        content: dict[str, Any],
        decode: Callable[[type, Any], object],
    ) -> None:
        self.file = file
        self.content = content
        self.origins: dict[KeyPath, str] = {}  # {key: the variable that set it}
        self._decode = decode
        self._problems: list[str] = []

    def blame(self, path: KeyPath, problem: str) -> None:
        """Note what is wrong with a key, under the name the user knows it by."""
        self.blame_at(self._where(path), problem)

    def blame_at(self, where: str, problem: str) -> None:
        """Note what is wrong at a place that is not a key.

        Raises `ConfigError` when that is enough: a suggestion for each of a million
        unknown keys would take minutes.
        """
        self._problems.append(f"{where}: {problem}")
        if len(self._problems) >= PROBLEMS_MAX:
            more = f"{self.file or 'the environment'}: there may be more mistakes"
            self._problems.append(more)
            self.raise_if_blamed()

    def raise_if_blamed(self) -> None:
        """Raise all problems as one `ConfigError`; call it before using any value."""
        if self._problems:
            raise ConfigError(list(dict.fromkeys(self._problems)))

    def table(self, path: KeyPath) -> dict[str, Any]:
        """Return the table at the path; what is absent or no table counts as empty."""
        table = self.content
        for depth, key in enumerate(path, 1):
            found = table.get(key, {})
            if not isinstance(found, dict):
                here = path[:depth]
                text = f"found {sort_of(found)}; expected a table [{dotted(here)}]"
                self.blame(here, text)
                return {}
            table = found
        return table

    def read(
        self, path: KeyPath, kinds: Mapping[str, Any], inner: Collection[str] = ()
    ) -> dict[str, Any]:
        """Return the good values of a table, converted; `inner` names its own tables.

        Each wrong value or unknown key is noted and left out.
        """
        values: dict[str, Any] = {}
        for key, found in self.table(path).items():
            if key in kinds:
                try:
                    values[key] = self._convert(kinds[key], found)
                except (ValidationError, ValueError):
                    self._blame_value((*path, key), kinds[key], found)
            elif key not in inner:
                self.blame((*path, key), unknown(key, [*kinds, *inner]))
        return values

    def _convert(self, kind: Any, found: object) -> object:
        value: object = msgspec.convert(
            found, kind, strict=False, dec_hook=self._decode
        )
        if isinstance(value, int) and value.bit_length() > INTEGER_BITS_MAX:
            raise ValueError
        return value

    def _blame_value(self, path: KeyPath, kind: Any, found: object) -> None:
        info = inspect.type_info(kind)
        what = shown(found, secret=_is_secret(info))
        self.blame(path, f"found {what}; expected {_right(info, path[-1])}")

    def _where(self, path: KeyPath) -> str:
        """Name the variable that set a key or, without any file, that would set it."""
        if path in self.origins:
            return self.origins[path]
        if self.file is None:
            return f"{ENV_PREFIX}{'__'.join(path).upper()}"
        return f"{self.file}: {dotted(path)}"


def kinds_of(struct: type[Struct], *, without: Collection[str] = ()) -> dict[str, Any]:
    """Return {key: type} of a struct's fields."""
    return {f.name: f.type for f in fields(struct) if f.name not in without}


def _right(info: inspect.Type, key: str) -> str:
    """Say in words which values a type takes."""
    match info:
        case inspect.Metadata(extra_json_schema={"description": str(description)}):
            return description
        case inspect.UnionType(types=(first, *_)):
            return _right(first, key)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=low, le=high):
            unit = " of milliseconds" if "_ms" in key else ""
            span = f"from {low} to {high}" if high is not None else f"from {low} on"
            return f"a whole number{unit} {span}"
        case _:
            return "text"


def _is_secret(info: inspect.Type) -> bool:
    match info:
        case inspect.Metadata(extra=extra):
            return bool(extra and extra.get("secret"))
        case inspect.UnionType(types=(first, *_)):
            return _is_secret(first)
        case _:
            return False
