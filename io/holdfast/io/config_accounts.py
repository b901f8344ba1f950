"""Accounts: what the configuration says of one bot login, checked and complete."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from holdfast.core import weixin
from holdfast.core.policy import Policy
from holdfast.io import config_intents
from holdfast.io.config_errors import redacted
from holdfast.io.config_values import (
    AccountId,
    AppId,
    BotAgent,
    File,
    Proxy,
    RouteTag,
    Token,
    Url,
    Variable,
)
from holdfast.io.login_found import Credentials, UnusableError

BASE_URL = "https://ilinkai.weixin.qq.com"
CDN_URL = "https://novac2c.cdn.weixin.qq.com/c2c"
BOT_AGENT = "Holdfast/0.1.0"
API_URL = "https://api.bot.qq.com"
TOKEN_URL = "https://api.bot.qq.com/app/getAppAccessToken"  # noqa: S105 - an address.
SANDBOX_API_URL = "https://sandbox.api.sgroup.qq.com"
SANDBOX_TOKEN_URL = "https://bots.qq.com/app/getAppAccessToken"  # noqa: S105 - as above.

WEIXIN_LOGINS = ("token", "token_file", "token_env")
QQ_LOGINS = ("secret", "secret_file", "secret_env")


class Source(Struct, frozen=True):
    """Where the secret of a login is: in one of three places. `noun` is its name."""

    noun: str
    text: str
    file: Path | None
    variable: str


# {what we call it: what Holdfast and other clients call it in their files; the first
# that is there wins}
FileNames = Mapping[str, tuple[str, ...]]
# What no two accounts may share: the key, its value, what it is.
Exclusive = tuple[str, object, str]
_FULL_TOKEN = re.compile(r"([^\s:@]+@[^\s:@]+):\S+")


class _Common(Struct, frozen=True, kw_only=True):
    """What every account has."""

    name: str
    platform: str
    # None: none, whatever the *_PROXY variables of the environment say.
    proxy: Proxy | None = None


class WeixinAccount(_Common, frozen=True, kw_only=True):
    """One bot login. Exactly one of token, token_file and token_env is set.

    Do not read the token here: `CredentialSource` reads it from wherever it is.
    """

    platform: Literal["weixin"] = "weixin"
    # None: the one that came with the login, else BASE_URL; see `Credentials.base_url`.
    base_url: Url | None = None
    cdn_url: Url = CDN_URL
    # Empty: derived from the token.
    account_id: AccountId = ""
    token: Token = ""
    token_file: File | None = None
    token_env: Variable = ""
    # Value of the header SKRouteTag; empty: no header.
    route_tag: RouteTag = ""
    bot_agent: BotAgent = BOT_AGENT
    policy: Policy = weixin.POLICY

    @property
    def source(self) -> Source:
        """Where its token is."""
        return Source("token", self.token, self.token_file, self.token_env)

    @property
    def exclusive(self) -> list[Exclusive]:
        """What serves this account alone."""
        given = ((key, getattr(self, key)) for key in WEIXIN_LOGINS)
        return [(key, value, "a login") for key, value in given if value]

    @property
    def file_names(self) -> FileNames:
        """What a login file calls what is in it."""
        return {
            "token": ("token", "bot_token"),
            "account_id": ("account_id", "ilink_bot_id"),
            "base_url": ("base_url", "baseUrl", "baseurl"),
            "user_id": ("user_id", "userId", "ilink_user_id"),
        }

    def completed(
        self, secret: str, fields: Mapping[str, str], place: str
    ) -> Credentials:
        """Complete what the source says; the configuration wins over it."""
        warnings: tuple[str, ...] = ()
        full = _FULL_TOKEN.fullmatch(secret)
        derived = full[1] if full else ""
        account_id = self.account_id or fields.get("account_id") or derived
        if derived and account_id != derived:
            text = f"{place}: the token is {derived}'s, account_id is {account_id}"
            warnings = (text,)
        return Credentials(
            token=secret,
            account_id=account_id,
            base_url=self.base_url or _base_url(fields.get("base_url")),
            user_id=fields.get("user_id", ""),
            warnings=warnings,
        )

    def __repr__(self) -> str:
        """Leave out what is secret."""
        return redacted(self, "token", "proxy")


class QqAccount(_Common, frozen=True, kw_only=True):
    """One shard of one app. Exactly one of secret, secret_file, secret_env is set.

    What it asks the gateway for, and which share of it, is in `policy.gateway`.
    """

    platform: Literal["qq"] = "qq"
    app_id: AppId
    secret: Token = ""
    secret_file: File | None = None
    secret_env: Variable = ""
    api_url: Url = API_URL
    token_url: Url = TOKEN_URL
    policy: Policy = config_intents.POLICY

    @property
    def source(self) -> Source:
        """Where its secret is."""
        return Source("secret", self.secret, self.secret_file, self.secret_env)

    @property
    def exclusive(self) -> list[Exclusive]:
        """What serves this account alone."""
        gateway = self.policy.gateway
        place = (self.app_id, gateway.shard, gateway.shards)
        return [("app_id", place, "a shard of an app")]

    @property
    def file_names(self) -> FileNames:
        """What a login file calls what is in it."""
        return {
            "token": ("secret", "client_secret", "clientSecret"),
            "account_id": ("app_id", "appId"),
        }

    def completed(
        self, secret: str, fields: Mapping[str, str], place: str
    ) -> Credentials:
        """Complete what the source says; the configuration wins over it."""
        warnings: tuple[str, ...] = ()
        there = fields.get("account_id") or self.app_id
        if there != self.app_id:
            text = f"{place}: the secret is {there}'s, app_id is {self.app_id}"
            warnings = (text,)
        return Credentials(
            token=secret,
            account_id=self.app_id,
            base_url=self.api_url,
            warnings=warnings,
        )

    def __repr__(self) -> str:
        """Leave out what is secret."""
        return redacted(self, "secret", "proxy")


Account = WeixinAccount | QqAccount


def _base_url(text: str | None) -> str:
    try:
        return msgspec.convert(text or BASE_URL, Url).rstrip("/")
    except msgspec.ValidationError:
        reason = "the token file's base URL is not an http(s) address"
        raise UnusableError(reason) from None
