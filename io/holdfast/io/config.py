"""Configuration: one TOML file, overridden by the environment, checked as a whole.

`load_config` gives frozen structs with every default filled in, or one `ConfigError`
with every mistake. The structs' fields are the keys of the file; what their types say
in `Meta(description=…)` is what a user reads about a wrong value.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from holdfast.core import weixin
from holdfast.core.policy import Policy
from holdfast.io.config_env import overlay
from holdfast.io.config_errors import (
    HIDDEN,
    ConfigError,
    looks_secret,
    redacted,
    shown,
    unknown,
)
from holdfast.io.config_file import home, read_file, xdg_folder
from holdfast.io.config_policy import lay_policy
from holdfast.io.config_tables import Document, KeyPath, kinds_of
from holdfast.io.config_values import (
    AccountId,
    Address,
    BotAgent,
    Decoder,
    File,
    Listen,
    Proxy,
    RouteTag,
    Token,
    Url,
    Variable,
    address,
)

__all__ = ["Account", "Address", "Config", "ConfigError", "Service", "load_config"]

BASE_URL = "https://ilinkai.weixin.qq.com"
CDN_URL = "https://novac2c.cdn.weixin.qq.com/c2c"
BOT_AGENT = "Holdfast/0.1.0"

_ACCOUNT_NAME = re.compile(r"(?!\.\.?\Z)[A-Za-z0-9._-]{1,64}")


class Service(Struct, frozen=True, kw_only=True):
    """What the process is for all accounts; paths are absolute."""

    data_dir: File
    # None: no HTTP API.
    listen: Address | None = None
    # Create it (0600) when it does not exist; use an existing one as it is.
    api_token_file: File

    def login_file(self, name: str) -> Path:
        """Return where `holdfast login` keeps an account's credentials."""
        return self.data_dir / "credentials" / f"{name}.json"


class Account(Struct, frozen=True, kw_only=True):
    """One bot login. Exactly one of token, token_file and token_env is set.

    Do not read the token here: `CredentialSource` reads it from wherever it is.
    """

    name: str
    platform: Literal["weixin"]
    # None: the one that came with the login, else BASE_URL; see `Credentials.base_url`.
    base_url: Url | None = None
    cdn_url: Url = CDN_URL
    # Empty: derived from the token.
    account_id: AccountId = ""
    token: Token = ""
    token_file: File | None = None
    token_env: Variable = ""
    # None: none, whatever the *_PROXY variables of the environment say.
    proxy: Proxy | None = None
    # Value of the header SKRouteTag; empty: no header.
    route_tag: RouteTag = ""
    bot_agent: BotAgent = BOT_AGENT
    policy: Policy = weixin.POLICY

    def __repr__(self) -> str:
        """Leave out what is secret."""
        return redacted(self, "token", "proxy")


class Config(Struct, frozen=True):
    """The whole configuration, checked."""

    service: Service
    accounts: Mapping[str, Account]  # {name: account}, in the order of the file
    # None: everything came from the environment.
    file: Path | None = None


_TABLES = ("service", "accounts", "policy")
_LOGINS = ("token", "token_file", "token_env")


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read and check the configuration; without a path, look in the default places.

    Raises `ConfigError` with all problems: print it and exit with 2. No accounts at all
    is not a problem here.
    """
    file, folder, content = read_file(path, environ)
    document = Document(file, content, Decoder(folder, home(environ)))
    overlay(document, environ)
    _check_tables(document)
    service = _service(document, xdg_folder(environ, "XDG_DATA_HOME", ".local/share"))
    policy = lay_policy(document, ("policy",), weixin.POLICY)
    accounts = {}
    for name in document.table(("accounts",)):
        if account := _account(document, name, service, policy):
            accounts[name] = account
    _check_sharing(document, accounts)
    document.raise_if_blamed()
    return Config(service, accounts, file and file.absolute())


def _check_tables(document: Document) -> None:
    """Note what stands outside the known tables, often a key above its table."""
    for key in document.content:
        if key in kinds_of(Service):
            document.blame((key,), "belongs under [service]")
        elif key not in _TABLES:
            document.blame((key,), unknown(key, _TABLES, "table"))


def _service(document: Document, data_dir: Path) -> Service:
    kinds = kinds_of(Service) | {"listen": Listen}
    values = document.read(("service",), kinds)
    if "listen" in values:
        values["listen"] = address(values["listen"])
    values.setdefault("data_dir", data_dir)
    values.setdefault("api_token_file", values["data_dir"] / "api_token")
    return Service(**values)


def _account(
    document: Document, name: str, service: Service, policy: Policy
) -> Account | None:
    """Return the account; None when it is not even clear of which platform it is."""
    path: KeyPath = ("accounts", name)
    if not _ACCOUNT_NAME.fullmatch(name):
        text = "an account's name is 1 to 64 letters, digits, hyphens, dots and _"
        document.blame(path, text)
        return None
    if not _is_weixin(document, path):
        return None
    kinds = kinds_of(Account, without=("name", "policy"))
    values = document.read(path, kinds, inner=("policy",))
    _keep_one_login(document, path, values)
    if not any(key in document.table(path) for key in _LOGINS):
        values["token_file"] = service.login_file(name)
    for key in ("base_url", "cdn_url"):
        if key in values:
            values[key] = values[key].rstrip("/")
    values["policy"] = lay_policy(document, (*path, "policy"), policy)
    return Account(name=name, **values)


def _is_weixin(document: Document, path: KeyPath) -> bool:
    here = (*path, "platform")
    match document.table(path[:-1])[path[-1]]:
        case {"platform": "weixin"}:
            return True
        case {"platform": "qq"}:
            document.blame(here, 'found "qq", which is not built yet; so far: "weixin"')
        case {"platform": other}:
            document.blame(here, f'found {shown(other)}; expected "weixin"')
        case {}:
            document.blame(here, 'missing; expected "weixin"')
        case _:
            document.table(path)  # Notes that it is none.
    return False


def _keep_one_login(document: Document, path: KeyPath, values: dict[str, Any]) -> None:
    """Note a second source of the token; one in the environment replaces the file's."""
    given = [key for key in _LOGINS if key in document.table(path)]
    overrides = [key for key in given if (*path, key) in document.origins]
    kept, *others = overrides or given or [""]
    for key in others:
        document.blame((*path, key), f"given beside {kept}; keep one of them")
    for key in set(given) - {kept}:
        values.pop(key, None)
    if looks_secret(str(values.get("token_file", ""))):
        text = f"found {HIDDEN}; expected a path, or write token = …"
        document.blame((*path, "token_file"), text)


def _check_sharing(document: Document, accounts: Mapping[str, Account]) -> None:
    """Two accounts on one login would take each other's messages."""
    owners: dict[tuple[str, object], str] = {}
    for name, account in accounts.items():
        for key in _LOGINS:
            if not (value := getattr(account, key)):
                continue
            owner = owners.setdefault((key, value), name)
            if owner != name:
                text = f"the same as for {owner}; a login serves one account"
                document.blame(("accounts", name, key), text)
