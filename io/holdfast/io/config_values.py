"""The values that keys of the configuration take, and how a user is told of them."""

from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
_PORT = r"(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[0-5]?[0-9]{1,4})"
_PLACE = r"(?:/[A-Za-z0-9._~%!$&'()*+,;=:@/-]*)?"
_AGENT = r"[A-Za-z0-9_.-]{1,32}/[A-Za-z0-9_.+-]{1,32}(?: \([ -'*-~]{1,64}\))?"

Url = Annotated[
    str,
    Meta(
        pattern=rf"^https?://{_HOST}(?::{_PORT})?{_PLACE}\Z",
        description='an address such as "https://host/path", without query or password',
    ),
]
Proxy = Annotated[
    str,
    Meta(
        pattern=rf"^https?://(?:[!-?A-~]*@)?{_HOST}(?::{_PORT})?/?\Z",
        description='an address such as "http://user:password@host:3128"',
        extra={"secret": True},
    ),
]
Token = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]+\Z",
        description="printable ASCII without spaces",
        extra={"secret": True},
    ),
]
Variable = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*\Z",
        description="the name of an environment variable",
        extra={"secret": True},
    ),
]
AccountId = Annotated[
    str,
    Meta(
        pattern=r"^[!-9;-~]{1,128}\Z",
        description='a bot id such as "a1b2c3d4e5f6@im.bot"',
    ),
]
AppId = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,32}\Z",
        description='the bot\'s app id in quotes, such as "102000001"',
    ),
]
RouteTag = Annotated[
    str,
    Meta(
        pattern=r"^[!-~](?:[ -~]{0,254}[!-~])?\Z",
        description="printable ASCII in quotes, at most 256 characters",
    ),
]
BotAgent = Annotated[
    str,
    Meta(
        pattern=rf"^{_AGENT}(?: {_AGENT})*\Z",
        max_length=256,
        description='"Name/Version", perhaps "(comment)", again after a space;'
        " at most 256 bytes",
    ),
]
File = Annotated[Path, Meta(description="a path")]


Listen = Annotated[
    str,
    Meta(
        pattern=rf"^{_HOST}:{_PORT}\Z",
        description='HOST:PORT such as "127.0.0.1:8710", or no such key',
    ),
]


class Address(Struct, frozen=True):
    """Where to listen; port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as the configuration does."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def address(listen: str) -> Address:
    """Take apart what is a good `Listen`."""
    host, _, port = listen.rpartition(":")
    return Address(host.strip("[]"), int(port))


class Decoder:
    """Turns text into absolute paths: relative ones begin at the file's folder."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder
        self._home = home

    def __call__(self, kind: type, found: Any) -> object:
        """Return the path; raise `ValueError` when it cannot be one."""
        assert kind is Path, "the only kind of value that msgspec does not know"
        if not isinstance(found, str) or not found or "\0" in found:
            raise ValueError
        if found.startswith("~/"):
            return self._home / found[2:]
        return self._folder / found
