"""A QQ peer on a vault that is a dictionary, and raw gateways that play a part."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from ssl import SSLContext
from typing import Any, TypeVar

import msgspec
import trio
from msgspec import Struct
from shell_rig import raw_server
from trio.testing import MockClock
from websockets.exceptions import ConnectionClosed
from websockets.trio.server import Server, ServerConnection, serve

from holdfast.core.commands import CloseSocket, OpenSocket
from holdfast.core.events import Event
from holdfast.io.config import QqAccount
from holdfast.io.credentials import Credentials
from holdfast.io.draft import Draft
from holdfast.io.http import make_tls_context
from holdfast.io.qq.peer import QqPeer, open_peer
from holdfast.io.vault import SESSION, Vault

APP_ID = "102000001"
SECRET = "EXAMPLESECRETEXAMPLE"  # noqa: S105 - invented.
ACCESS = "EXAMPLETOKEN1EXAMPLE"
SESSION_ID = "7d3c0f52-1111-4e6b-9f00-0123456789ab"
EPOCH = 3
DIAL_MS = 15_000
E = TypeVar("E", bound=Event)
Handler = Callable[[ServerConnection], Awaitable[None]]
TLS = make_tls_context()


class Desk:
    """One QQ peer, its vault, and what it posted; it may be slow to take it."""

    def __init__(self) -> None:
        self.vault = Vault(bytes(32), "bob", self)
        self.login = self.vault.hold_login(Credentials(token=SECRET, account_id=APP_ID))
        self.token = self.vault.hold_token(ACCESS)
        self.kept: dict[str, bytes] = {}
        self.events: list[Event] = []
        self.open = trio.Event()
        self.open.set()
        self._changed = trio.Event()
        self.peer: QqPeer

    def value(self, handle: str) -> bytes | None:
        return self.kept.get(handle)

    def keep(self, kind: str, value: str | bytes) -> str:
        kept = self.vault.seal(kind, value)
        self.kept[kept.handle] = kept.value
        return kept.handle

    @property
    def session(self) -> str:
        return self.keep(SESSION, SESSION_ID)

    async def post(self, draft: Draft) -> None:
        await self.open.wait()
        self.events += draft.events
        self.kept |= {one.handle: one.value for one in draft.kept}
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[E], count: int = 1) -> E:
        """Wait for the so-manieth fact of a kind."""
        with trio.fail_after(600):
            while len(self.of(kind)) < count:
                await self._changed.wait()
        return self.of(kind)[count - 1]

    async def converse(self, url: str, timeout_ms: int = DIAL_MS) -> None:
        with trio.fail_after(600):
            await self.peer.converse(OpenSocket(EPOCH, url, timeout_ms), self.post)
        self.check()

    def check(self) -> None:
        """No secret is in any fact, whatever was in the frames and answers."""
        text = msgspec.json.encode(self.events).decode()
        for secret in (SECRET, ACCESS, SESSION_ID):
            assert secret not in text
        assert "auth_token" not in text


def account(url: str, **changes: Any) -> QqAccount:
    given: dict[str, Any] = {
        "name": "bob",
        "app_id": APP_ID,
        "secret": SECRET,
        "api_url": url,
        "token_url": f"{url}/app/getAppAccessToken",
    }
    return QqAccount(**given | changes)


@asynccontextmanager
async def desk(
    url: str = "http://127.0.0.1:9", *, tls: SSLContext = TLS, **changes: Any
) -> AsyncIterator[Desk]:
    it = Desk()
    async with open_peer(account(url, **changes), it.vault, tls) as it.peer:
        yield it
    it.check()


@asynccontextmanager
async def gateway(handler: Handler, **options: Any) -> AsyncIterator[str]:
    """Serve WebSockets on loopback, and give the address."""

    async def handle(ws: ServerConnection) -> None:
        with suppress(ConnectionClosed, trio.ClosedResourceError):
            await handler(ws)

    given = {"compression": None, "ping_interval": None, "close_timeout": 1} | options
    async with trio.open_nursery() as nursery:
        server: Server = await nursery.start(
            partial(serve, handle, 0, host="127.0.0.1", **given)
        )
        port = server.listeners[0].socket.getsockname()[1]
        yield f"ws{'s' if 'ssl' in given else ''}://127.0.0.1:{port}"
        nursery.cancel_scope.cancel()


class Call(Struct):
    """One request as a raw server saw it."""

    line: str
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def answering(
    answer: bytes, calls: list[Call] | None = None
) -> AsyncIterator[str]:
    """Give every request the same answer, and note what was asked."""
    seen = [] if calls is None else calls

    async def converse(stream: trio.SocketStream) -> None:
        while whole := await _request(stream):
            head, _, body = whole.partition(b"\r\n\r\n")
            line, *lines = head.decode().split("\r\n")
            pairs = (one.split(": ", 1) for one in lines)
            seen.append(Call(line, {k.lower(): v for k, v in pairs}, body))
            await stream.send_all(answer)

    async with raw_server(converse) as url:
        yield url


async def _request(stream: trio.SocketStream) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = await stream.receive_some(65_536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    size = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            size = int(line.partition(b":")[2])
    while len(body) < size:
        body += await stream.receive_some(65_536)
    return head + b"\r\n\r\n" + body


@asynccontextmanager
async def conversing(it: Desk, url: str, clock: MockClock) -> AsyncIterator[None]:
    """Converse while the block runs, then close as the reducer would."""
    assert clock.autojump_threshold == 0, "only so do hours pass at once"
    talk = it.peer.converse(OpenSocket(EPOCH, url, DIAL_MS), it.post)

    async def hold() -> None:
        await talk

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold)
        yield
        it.peer.tell(CloseSocket(EPOCH))


@asynccontextmanager
async def answered(reply: bytes, calls: list[Call]) -> AsyncIterator[Desk]:
    async with answering(reply, calls) as url, desk(url) as it:
        yield it
