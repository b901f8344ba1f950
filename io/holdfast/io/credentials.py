"""Credentials: the token of an account, from wherever the configuration says it is.

A token is read again when the peer refuses it and when its source changed, so what is
wrong with a source is an answer, not an exception: a bot waits for its login. Reasons
are recorded, hence they hold neither tokens nor places; `source` names the place.
"""

import os
import re
import stat
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from holdfast.core.weixin import PLATFORM
from holdfast.io.config import BASE_URL, Account
from holdfast.io.config_errors import redacted
from holdfast.io.config_values import Token, Url

FILE_BYTES_MAX = 64 * 1024

# {what we call it: what Holdfast and other clients call it in their files; the first
# that is there wins}
_NAMES = {
    "token": ("token", "bot_token"),
    "account_id": ("account_id", "ilink_bot_id"),
    "base_url": ("base_url", "baseUrl", "baseurl"),
    "user_id": ("user_id", "userId", "ilink_user_id"),
}
_FULL_TOKEN = re.compile(r"([^\s:@]+@[^\s:@]+):\S+")


class Credentials(Struct, frozen=True, kw_only=True):
    """A login that may be tried. `token` is secret: give it to the vault and the peer.

    `account_id` and `user_id` are empty when unknown. `base_url` is where this login
    belongs. Show `warnings` to a human; the login works in spite of them.
    """

    token: str
    account_id: str = ""
    base_url: str = BASE_URL
    user_id: str = ""
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Leave out what is secret."""
        return redacted(self, "token")


class MissingCredentials(Struct, frozen=True):
    """There is nothing to log in with: record the reason, log the source beside it."""

    reason: str
    source: str = ""


class CredentialSource:
    """Where one account's credentials come from."""

    def __init__(self, account: Account, environ: Mapping[str, str]) -> None:
        self._account = account
        self._environ = environ

    def load(self) -> Credentials | MissingCredentials:
        """Read the credentials. It may touch the disk: call it in a thread."""
        warnings: tuple[str, ...] = ()
        try:
            if self._account.token_file:
                text, warnings = _read(self._account.token_file)
                fields = _fields(text)
            else:
                fields = {"token": self._given()}
            return self._credentials(fields, warnings)
        except _UnusableError as error:
            return MissingCredentials(str(error), self.source)

    def fingerprint(self) -> str:
        """Return a text that differs when the source may have changed; it is cheap.

        Take it before `load`, so that no change is missed in between.
        """
        path = self._account.token_file
        if path is None:
            raw = self._text().encode(errors="surrogatepass")
            return blake2b(raw, digest_size=16).hexdigest()
        try:
            found = path.stat()
        except OSError as error:
            return f"errno {error.errno}"
        return f"{found.st_mtime_ns} {found.st_size} {found.st_ino}"

    @property
    def source(self) -> str:
        """Name the place for a human: the file, the variable or the configuration."""
        account = self._account
        if account.token_file:
            return str(account.token_file)
        if account.token_env:
            return f"environment variable {account.token_env}"
        return f"accounts.{account.name}.token"

    def _given(self) -> str:
        text = self._text().strip()
        if not text:
            raise _UnusableError("the environment variable is not set or empty")
        return text

    def _text(self) -> str:
        variable = self._account.token_env
        return self._environ.get(variable, "") if variable else self._account.token

    def _credentials(
        self, fields: Mapping[str, str], warnings: tuple[str, ...]
    ) -> Credentials:
        """Complete what the source says; the configuration wins over it."""
        token = _token(fields.get("token", ""))
        derived = _bot_id(token)
        account_id = self._account.account_id or fields.get("account_id") or derived
        if derived and account_id != derived:
            text = (
                f"{self.source}: the token is {derived}'s, account_id is {account_id}"
            )
            warnings += (text,)
        base_url = self._account.base_url or _base_url(fields.get("base_url"))
        return Credentials(
            token=token,
            account_id=account_id,
            base_url=base_url,
            user_id=fields.get("user_id", ""),
            warnings=warnings,
        )


class _UnusableError(Exception):
    """The source gives no token; the text says why, safe to record."""


def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return a token file's text, and warnings about the file."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "a directory" if stat.S_ISDIR(mode) else "no regular file"
            raise _UnusableError(f"the token file is {what}")
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise _UnusableError("the token file does not exist") from None
    except OSError as error:
        text = f"the token file cannot be read: {error.strerror}"
        raise _UnusableError(text) from error
    if len(raw) > FILE_BYTES_MAX:
        raise _UnusableError("the token file is larger than 64 KiB")
    try:
        text = raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _UnusableError("the token file is not UTF-8 text") from None
    open_to_all = os.name == "posix" and mode & stat.S_IROTH
    warning = f"{path} can be read by every user of this machine: chmod 600 it"
    return text, (warning,) if open_to_all else ()


def _fields(text: str) -> dict[str, str]:
    """Read one line of text, or JSON, under the names that we use."""
    if not text:
        raise _UnusableError("the token file is empty")
    if not text.startswith("{"):
        if len(text.splitlines()) > 1:
            raise _UnusableError("the token file has several lines and is not JSON")
        return {"token": text}
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise _UnusableError(f"in the token file, {error}") from None
    except RecursionError:
        raise _UnusableError("the token file is nested too deeply") from None
    if found.get("platform", PLATFORM) != PLATFORM:
        raise _UnusableError(f"the token file is a login for no {PLATFORM} account")
    return {
        ours: _text_of(found, name)
        for ours, names in _NAMES.items()
        for name in reversed(names)
        if found.get(name) is not None
    }


def _text_of(found: Mapping[str, Any], name: str) -> str:
    value = found[name]
    if not isinstance(value, str):
        raise _UnusableError(f"in the token file, {name} is not text")
    return value.strip()


def _token(text: str) -> str:
    if not text:
        raise _UnusableError("the token file has no token")
    try:
        return msgspec.convert(text, Token)
    except msgspec.ValidationError:
        reason = "the token is not printable ASCII without spaces"
        raise _UnusableError(reason) from None


def _bot_id(token: str) -> str:
    """Return the bot that a full token begins with; empty for any other token."""
    full = _FULL_TOKEN.fullmatch(token)
    return full[1] if full else ""


def _base_url(text: str | None) -> str:
    try:
        return msgspec.convert(text or BASE_URL, Url).rstrip("/")
    except msgspec.ValidationError:
        reason = "the token file's base URL is not an http(s) address"
        raise _UnusableError(reason) from None
