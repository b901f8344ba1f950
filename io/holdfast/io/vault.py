"""Vault: what a handle stands for. Tokens, cursors and bodies never enter core.

A handle is a digest under the journal's own key: equal values have equal handles, and
nothing can be told from one without the key. Values that must outlive the process are
written to the journal by the entry of the fact that names them. The login is read from
its own source at every start and an access token is fetched anew, so these are held in
memory alone.
"""

from hashlib import blake2b
from typing import Protocol

from holdfast.io.credentials import Credentials
from holdfast.io.journal_rows import Kept

LOGIN = "login"
CONTEXT = "context"
CURSOR = "cursor"
BODY = "body"
SESSION = "session"
ACCESS = "access"
# What is under way names a login of a moment ago; older ones are not asked for again.
LOGINS_MAX = 16
TOKENS_MAX = 16


class Values(Protocol):
    """Where durable values are read: the journal."""

    def value(self, handle: str) -> bytes | None:
        """Return the value of a handle; None when unknown or forgotten."""
        ...


class Vault:
    """The values of one account."""

    def __init__(self, key: bytes, account: str, values: Values) -> None:
        self._key = key
        self._account = account
        self._values = values
        # {handle: login}, the one read last at the end.
        self._logins: dict[str, Credentials] = {}
        # {handle: access token}, the one given last at the end.
        self._tokens: dict[str, str] = {}

    def handle(self, kind: str, value: str | bytes) -> str:
        """Return the handle of a value, empty for an empty one."""
        if not value:
            return ""
        raw = value.encode() if isinstance(value, str) else value
        scope = f"{self._account}\0{kind}\0".encode()
        digest = blake2b(scope + raw, key=self._key, digest_size=8).hexdigest()
        return f"{kind}-{digest}"

    def seal(self, kind: str, value: str | bytes) -> Kept:
        """Return what the journal must keep; name its handle in the same draft."""
        raw = value.encode() if isinstance(value, str) else value
        return Kept(self.handle(kind, value), kind, raw)

    def text(self, handle: str) -> str:
        """Return a durable value as text; empty when the handle is empty or gone."""
        return self.bytes(handle).decode()

    def bytes(self, handle: str) -> bytes:
        """Return a durable value; empty when the handle is empty or gone."""
        return (self._values.value(handle) or b"") if handle else b""

    def hold_login(self, login: Credentials) -> str:
        """Keep a login in memory, with its address; the newest few stay.

        The handle is the token's alone: read again at another address, it has moved.
        """
        handle = self.handle(LOGIN, login.token)
        self._logins.pop(handle, None)
        self._logins[handle] = login
        if len(self._logins) > LOGINS_MAX:
            del self._logins[next(iter(self._logins))]
        return handle

    def login(self, handle: str) -> Credentials | None:
        """Return the login of a handle; None when it was not read here lately."""
        return self._logins.get(handle)

    def hold_token(self, token: str) -> str:
        """Keep an access token in memory; the newest few stay."""
        handle = self.handle(ACCESS, token)
        self._tokens.pop(handle, None)
        self._tokens[handle] = token
        if len(self._tokens) > TOKENS_MAX:
            del self._tokens[next(iter(self._tokens))]
        return handle

    def token(self, handle: str) -> str:
        """Return an access token; empty when it was not given to us lately."""
        return self._tokens.get(handle, "")
