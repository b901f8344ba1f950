"""Configuration: one TOML file, overridden by the environment, checked as a whole.

`load_config` gives frozen structs with every default filled in, or one `ConfigError`
with every mistake. The structs' fields are the keys of the file; what their types say
in `Meta(description=…)` is what a user reads about a wrong value.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from holdfast.core import qq, weixin
from holdfast.core.policy import Policy
from holdfast.io import config_intents
from holdfast.io.config_accounts import (
    Account,
    QqAccount,
    WeixinAccount,
)
from holdfast.io.config_env import overlay
from holdfast.io.config_errors import ConfigError, quoted, shown, unknown
from holdfast.io.config_file import home, read_file, xdg_folder
from holdfast.io.config_policy import lay_policy
from holdfast.io.config_qq import read_qq
from holdfast.io.config_tables import Document, KeyPath, kinds_of
from holdfast.io.config_values import Address, Decoder, File, Listen, address
from holdfast.io.config_weixin import read_weixin

__all__ = [
    "Account",
    "Address",
    "Config",
    "ConfigError",
    "QqAccount",
    "Service",
    "WeixinAccount",
    "load_config",
]

# {platform: its numbers, before the file changes any}
POLICIES = {weixin.PLATFORM: weixin.POLICY, qq.PLATFORM: config_intents.POLICY}

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


class Config(Struct, frozen=True):
    """The whole configuration, checked."""

    service: Service
    accounts: Mapping[str, Account]  # {name: account}, in the order of the file
    # None: everything came from the environment.
    file: Path | None = None


_TABLES = ("service", "accounts", "policy")


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
    policies = {
        platform: lay_policy(document, ("policy",), base)
        for platform, base in POLICIES.items()
    }
    accounts = {}
    for name in document.table(("accounts",)):
        if account := _account(document, name, service, policies):
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
    document: Document, name: str, service: Service, policies: Mapping[str, Policy]
) -> Account | None:
    """Return the account; None when it is not even clear of which platform it is."""
    path: KeyPath = ("accounts", name)
    if not _ACCOUNT_NAME.fullmatch(name):
        text = "an account's name is 1 to 64 letters, digits, hyphens, dots and _"
        document.blame(path, text)
        return None
    platform = _platform(document, path)
    if not platform:
        return None
    login_file = service.login_file(name)
    read = {weixin.PLATFORM: read_weixin, qq.PLATFORM: read_qq}[platform]
    return read(document, name, login_file, policies[platform])


def _platform(document: Document, path: KeyPath) -> str:
    """Return the platform's name, empty when there is none that we know."""
    here = (*path, "platform")
    right = " or ".join(map(quoted, POLICIES))
    match document.table(path[:-1])[path[-1]]:
        case {"platform": str(platform)} if platform in POLICIES:
            return platform
        case {"platform": other}:
            document.blame(here, f"found {shown(other)}; expected {right}")
        case {}:
            document.blame(here, f"missing; expected {right}")
        case _:
            document.table(path)  # Notes that it is none.
    return ""


def _check_sharing(document: Document, accounts: Mapping[str, Account]) -> None:
    """Two accounts on one login would take each other's messages."""
    owners: dict[tuple[str, object], str] = {}
    for name, account in accounts.items():
        for key, value, serves in account.exclusive:
            owner = owners.setdefault((key, value), name)
            if owner != name:
                text = f"the same as for {owner}; {serves} serves one account"
                document.blame(("accounts", name, key), text)
