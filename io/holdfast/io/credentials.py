"""Credentials: the secret of an account, from wherever the configuration says it is.

A secret (iLink's token, the secret of a QQ app) is read again when the peer refuses it
and when its source changed, so what is wrong with a source is an answer, not an
exception: a bot waits for its login. Reasons are recorded, hence they hold neither
secrets nor places; `source` names the place.
"""

import os
import stat
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from holdfast.io.config_accounts import Account, Source
from holdfast.io.config_values import Token
from holdfast.io.login_found import Credentials, MissingCredentials, UnusableError

__all__ = ["CredentialSource", "Credentials", "MissingCredentials"]

FILE_BYTES_MAX = 64 * 1024


class CredentialSource:
    """Where one account's credentials come from."""

    def __init__(self, account: Account, environ: Mapping[str, str]) -> None:
        self._account = account
        self._where: Source = account.source
        self._environ = environ

    def load(self) -> Credentials | MissingCredentials:
        """Read the credentials. It may touch the disk: call it in a thread."""
        warnings: tuple[str, ...] = ()
        try:
            if self._where.file:
                found = _File(self._where.noun, self._account)
                text, warnings = found.read(self._where.file)
                fields = found.fields(text)
            else:
                fields = {"token": self._given()}
            return self._credentials(fields, warnings)
        except UnusableError as error:
            return MissingCredentials(str(error), self.source)

    def fingerprint(self) -> str:
        """Return a text that differs when the source may have changed; it is cheap.

        Take it before `load`, so that no change is missed in between.
        """
        path = self._where.file
        if path is None:
            raw = self._text().encode(errors="surrogatepass")
            return blake2b(raw, digest_size=16).hexdigest()
        try:
            found = path.stat()
        except OSError as error:
            return f"errno {error.errno}"
        return f"{found.st_mtime_ns} {found.st_size} {found.st_ino}"

    @property
    def can_change(self) -> bool:
        """Whether its fingerprint is worth looking at again: a given text stays."""
        return bool(self._where.file or self._where.variable)

    @property
    def source(self) -> str:
        """Name the place for a human: the file, the variable or the configuration."""
        if self._where.file:
            return str(self._where.file)
        if self._where.variable:
            return f"environment variable {self._where.variable}"
        return f"accounts.{self._account.name}.{self._where.noun}"

    def _given(self) -> str:
        text = self._text().strip()
        if not text:
            raise UnusableError("the environment variable is not set or empty")
        return text

    def _text(self) -> str:
        variable = self._where.variable
        return self._environ.get(variable, "") if variable else self._where.text

    def _credentials(
        self, fields: Mapping[str, str], warnings: tuple[str, ...]
    ) -> Credentials:
        """Complete what the source says; the configuration wins over it."""
        token = _token(fields.get("token", ""), self._where.noun)
        found = self._account.completed(token, fields, self.source)
        return replace(found, warnings=warnings + found.warnings)


class _File:
    """The file of a login; `noun` is what its secret is called."""

    def __init__(self, noun: str, account: Account) -> None:
        self._noun = noun
        self._platform = account.platform
        self._names = account.file_names

    def read(self, path: Path) -> tuple[str, tuple[str, ...]]:
        """Return the file's text, and warnings about the file."""
        try:
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode):
                what = "a directory" if stat.S_ISDIR(mode) else "no regular file"
                raise self._unusable(f"is {what}")
            with path.open("rb") as file:
                raw = file.read(FILE_BYTES_MAX + 1)
        except FileNotFoundError:
            raise self._unusable("does not exist") from None
        except OSError as error:
            raise self._unusable(f"cannot be read: {error.strerror}") from error
        if len(raw) > FILE_BYTES_MAX:
            raise self._unusable("is larger than 64 KiB")
        try:
            text = raw.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise self._unusable("is not UTF-8 text") from None
        open_to_all = os.name == "posix" and mode & stat.S_IROTH
        warning = f"{path} can be read by every user of this machine: chmod 600 it"
        return text, (warning,) if open_to_all else ()

    def fields(self, text: str) -> dict[str, str]:
        """Read one line of text, or JSON, under the names that we use."""
        if not text:
            raise self._unusable("is empty")
        if not text.startswith("{"):
            if len(text.splitlines()) > 1:
                raise self._unusable("has several lines and is not JSON")
            return {"token": text}
        try:
            found = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise UnusableError(f"in the {self._noun} file, {error}") from None
        except RecursionError:
            raise self._unusable("is nested too deeply") from None
        if found.get("platform", self._platform) != self._platform:
            raise self._unusable(f"is a login for no {self._platform} account")
        return {
            ours: self._text_of(found, name)
            for ours, names in self._names.items()
            for name in reversed(names)
            if found.get(name) is not None
        }

    def _text_of(self, found: Mapping[str, Any], name: str) -> str:
        value = found[name]
        if not isinstance(value, str):
            raise UnusableError(f"in the {self._noun} file, {name} is not text")
        return value.strip()

    def _unusable(self, what: str) -> UnusableError:
        return UnusableError(f"the {self._noun} file {what}")


def _token(text: str, noun: str) -> str:
    if not text:
        raise UnusableError(f"the {noun} file has no {noun}")
    try:
        return msgspec.convert(text, Token)
    except msgspec.ValidationError:
        reason = f"the {noun} is not printable ASCII without spaces"
        raise UnusableError(reason) from None
