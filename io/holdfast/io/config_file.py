"""Finding and reading the configuration file.

Without a path, `./holdfast.toml` wins over `$XDG_CONFIG_HOME/holdfast/holdfast.toml`:
who stands in a folder that has one means that one. Neither is needed when the
environment says it all.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from holdfast.io.config_errors import HIDDEN, ConfigError, looks_secret

FILE_NAME = "holdfast.toml"
FILE_BYTES_MAX = 1 << 20
# The parser takes the square of a key's parts: minutes for a megabyte of them.
DOTS_A_LINE_MAX = 100

_TOML_PLACE = re.compile(r" \(at line ([0-9]+), column ([0-9]+)\)\Z")


class TomlFile(NamedTuple):
    """What was read: the file, its folder and its content.

    Without a file the path is None, and the folder the current one.
    """

    path: Path | None
    folder: Path
    content: dict[str, Any]


def read_file(path: Path | None, environ: Mapping[str, str]) -> TomlFile:
    """Read the file, or the first default one that exists; raise `ConfigError`."""
    if path is not None:
        return _read(path)
    for candidate in (
        Path(FILE_NAME),
        xdg_folder(environ, "XDG_CONFIG_HOME", ".config") / FILE_NAME,
    ):
        try:
            return _read(candidate)
        except _NoFileError:
            continue
    return TomlFile(None, Path.cwd(), {})


def xdg_folder(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """Return our folder below an XDG base; a relative base is ignored, as XDG asks."""
    base = Path(environ.get(variable, ""))
    return (base if base.is_absolute() else home(environ) / default) / "holdfast"


def home(environ: Mapping[str, str]) -> Path:
    """Return the user's home; the file system's root when nothing names one."""
    if text := environ.get("HOME"):
        return Path(text)
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


class _NoFileError(ConfigError):
    """There is no such file, which is an error only for a path that was asked for."""


def _read(path: Path) -> TomlFile:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        folder = path.absolute().parent
    except FileNotFoundError:
        raise _NoFileError([f"{path}: there is no such file"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError([f"{path}: is larger than 1 MiB"])
    return TomlFile(path, folder, _parse(path, raw))


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    """Parse a file that may begin with the byte order mark of a Windows editor."""
    for index, piece in enumerate(raw.split(b"\n"), 1):
        if piece.count(b".") > DOTS_A_LINE_MAX:
            what = f"has more than {DOTS_A_LINE_MAX} dots in one line"
            raise ConfigError([f"{path}:{index}: {what}"])
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: is not UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as error:
        text = str(error)
        place = _TOML_PLACE.search(text)
        where = f"{path}:{place[1]}:{place[2]}" if place else f"{path}"
        reason = HIDDEN if looks_secret(text) else _TOML_PLACE.sub("", text)
        raise ConfigError([f"{where}: is not TOML: {reason}"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: is nested too deeply"]) from None
    except ValueError:  # Python's limit on the digits of a number.
        raise ConfigError([f"{path}: holds a number too large"]) from None
