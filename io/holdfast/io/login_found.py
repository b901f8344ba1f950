"""What a source of a login gave: credentials, or why there are none."""

from msgspec import Struct

from holdfast.io.config_errors import redacted


class Credentials(Struct, frozen=True, kw_only=True):
    """A login that may be tried. `token` is secret: give it to the vault and the peer.

    It is iLink's token, or the secret of a QQ app, whose id `account_id` then is.
    `account_id` and `user_id` are empty when unknown. `base_url` is where this login
    belongs. Show `warnings` to a human; the login works in spite of them.
    """

    token: str
    account_id: str = ""
    base_url: str = ""
    user_id: str = ""
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Leave out what is secret."""
        return redacted(self, "token")


class MissingCredentials(Struct, frozen=True):
    """There is nothing to log in with: record the reason, log the source beside it."""

    reason: str
    source: str = ""


class UnusableError(Exception):
    """A source gives no secret; the text says why, safe to record."""
