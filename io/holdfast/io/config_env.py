"""Environment overrides: `HOLDFAST__SERVICE__LISTEN=…` says what `service.listen` says.

    HOLDFAST__SERVICE__KEY               HOLDFAST__POLICY__SECTION__KEY
    HOLDFAST__ACCOUNTS__NAME__KEY        HOLDFAST__ACCOUNTS__NAME__POLICY__SECTION__KEY

Names and keys match whatever their case, and `_` also stands for the `-` and `.` of an
account's name, which no shell can export.
"""

from collections.abc import Mapping
from difflib import get_close_matches

from holdfast.io.config_errors import quoted
from holdfast.io.config_tables import ENV_PREFIX, Document, KeyPath

_FORMS = "SERVICE__KEY, POLICY__SECTION__KEY or ACCOUNTS__NAME__KEY"
_LIKE_UNDERSCORE = str.maketrans("-.", "__")


def overlay(document: Document, environ: Mapping[str, str]) -> None:
    """Lay the overrides over the file's content, noting those that fit nowhere."""
    newcomers: dict[str, str] = {}  # {account that the file does not have: variable}
    for variable in sorted(environ):
        if variable.startswith(ENV_PREFIX):
            path = _path(document, variable, newcomers)
            if path and _is_text(document, variable, environ[variable]):
                _put(document, path, variable, environ[variable])
    for name, variable in newcomers.items():
        _need_platform(document, name, variable)


def _path(
    document: Document, variable: str, newcomers: dict[str, str]
) -> KeyPath | None:
    """Read the keys out of a variable's name; None when they fit nowhere."""
    match variable.removeprefix(ENV_PREFIX).lower().split("__"):
        case ["service", key]:
            return "service", key
        case ["policy", section, key]:
            return "policy", section, key
        case ["accounts", first, *more, "policy", section, key]:
            tail: KeyPath = ("policy", section, key)
        case ["accounts", first, *more, key]:
            tail = (key,)
        case _:
            document.blame_at(variable, f"expected {ENV_PREFIX} and then {_FORMS}")
            return None
    name = _account(document, variable, "__".join([first, *more]), newcomers)
    return ("accounts", name, *tail) if name else None


def _account(
    document: Document, variable: str, given: str, newcomers: dict[str, str]
) -> str | None:
    """Return the account's name as the file writes it; as given when it has none."""
    names = document.table(("accounts",))
    found = [name for name in names if _folded(name) == _folded(given)]
    match found:
        case []:
            newcomers[given] = variable
            return given
        case [name]:
            return name
        case _:
            which = ", ".join(map(quoted, found))
            document.blame_at(variable, f"means more than one account: {which}")
            return None


def _folded(name: str) -> str:
    return name.lower().translate(_LIKE_UNDERSCORE)


def _is_text(document: Document, variable: str, value: str) -> bool:
    """Tell whether the value is UTF-8; Python passes other bytes on as surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        document.blame_at(variable, "is not UTF-8 text")
        return False
    return True


def _put(document: Document, path: KeyPath, variable: str, value: str) -> None:
    """Set a key. Where the file has something other than a table, reading says so."""
    if path in document.origins:
        text = f"says the same as {document.origins[path]}; keep one"
        document.blame_at(variable, text)
        return
    table = document.content
    for key in path[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            return
    table[path[-1]] = value
    document.origins[path] = variable


def _need_platform(document: Document, name: str, variable: str) -> None:
    """Note an account that only the environment names and gives no platform."""
    accounts = document.table(("accounts",))
    if name not in accounts or "platform" in document.table(("accounts", name)):
        return
    accounts.pop(name)
    close = get_close_matches(name, accounts, n=1)
    hint = f"; did you mean {quoted(close[0])}?" if close else ""
    needed = f"{ENV_PREFIX}ACCOUNTS__{name.upper()}__PLATFORM"
    text = f"there is no account {quoted(name)}, and no {needed} to make one{hint}"
    document.blame_at(variable, text)
