"""Gateway: the one module that knows websockets.

A line is dialled once, without redirects, compression or the library's own pings. It
ends at once and with the peer's own code and reason: the library would wait for the far
end to close the connection, and the far end may be gone. Reading may be cancelled, a
write may not: whoever gives one up must drop the line.
"""

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import trio
from msgspec import Struct
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    PayloadTooBig,
    ProtocolError,
    ProxyError,
    TooManyFragments,
    WebSocketException,
)
from websockets.protocol import CONNECTING
from websockets.trio.client import ClientConnection, connect

from holdfast.io.causes import chain, is_tls
from holdfast.io.network import Network
from holdfast.io.qq.wire import USER_AGENT

FRAME_BYTES_MAX = 4 * 1024 * 1024
# The connection is dropped before; only a bug would wait so long.
CLOSE_TIMEOUT_S = 1.0
OUR_CLOSE = 4000
LOOPBACK = ("localhost", "127.0.0.1", "::1")

# The library's own log shows frames, tokens included, to whoever asks for details.
_quiet = logging.getLogger("holdfast.websockets")
_quiet.setLevel(logging.WARNING)


class DialError(Exception):
    """No socket came of a dial; `kind` and `status` as in `DialFailed`."""

    def __init__(self, kind: str, reason: str, status: int | None = None) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason
        self.status = status


class LineEnded(Exception):  # noqa: N818 - not an error of ours: how a line ended.
    """The line is gone; `kind`, `code` and `reason` as in `SocketClosed`."""

    def __init__(self, kind: str, code: int | None, reason: str) -> None:
        super().__init__(f"{kind}: {code} {reason}")
        self.kind = kind
        self.code = code
        self.reason = reason


class Dialling(Struct, frozen=True):
    """Where to and how: `plain` allows ws:// to any host, not to our own alone."""

    url: str
    tls: SSLContext
    proxy: str | None
    timeout_ms: int
    plain: bool = False
    # None: the system's own.
    network: Network | None = None


class _Connection(ClientConnection):
    """A connection that is dropped as soon as either side has sent its last frame."""

    async def __aexit__(self, *_: object) -> None:
        """Leave at once: whoever leaves has dropped the connection.

        The library would write a close frame in a scope that is cancelled by then, and
        the cancellation would end the account instead of the socket.
        """

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        """Shake hands; a connection that broke is told as that."""
        try:
            await super().handshake(*args, **kwargs)
        except InvalidHandshake:
            if self.connection_exc is not None:
                raise self.connection_exc from None
            raise

    async def send_data(self) -> None:
        """Write what is due; when that was the last, drop the connection."""
        await super().send_data()
        protocol = self.protocol
        if protocol.state is not CONNECTING and protocol.close_expected():
            # What was received until now is still handed out.
            await trio.aclose_forcefully(self.stream)


class _Dial(connect):
    """A dial that takes a redirect for the answer that it is."""

    network: Network | None = None

    async def open_tcp_stream(self) -> trio.abc.Stream:
        """Dial through the network that was given, if one was."""
        if self.network is None:
            return await super().open_tcp_stream()
        return await self.network.connect(self.ws_uri.host, self.ws_uri.port)

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow nobody."""
        return exc


class Line:
    """One open socket: whole frames in and out, a ping, and its end."""

    def __init__(self, ws: ClientConnection) -> None:
        self._ws = ws

    async def receive(self) -> str | bytes:
        """Return the next frame, or raise `LineEnded` behind the last; cancellable."""
        try:
            return await self._ws.recv()
        except ConnectionClosed as error:
            raise _ended(self._ws, error) from error

    async def send(self, text: str) -> None:
        """Write a frame; on a line that has ended, nothing happens."""
        with suppress(ConnectionClosed):  # Whoever reads learns how it ended.
            await self._ws.send(text)

    async def ping(self) -> trio.Event | None:
        """Ping the far end; the event is set when the answer came."""
        try:
            return await self._ws.ping()
        except ConnectionClosed:
            return None

    async def close(self) -> None:
        """Write a close frame and drop the connection without waiting for the peer."""
        await self._ws.aclose(OUR_CLOSE)

    async def drop(self) -> None:
        """Drop the connection as it is; reading ends behind what has come in."""
        await trio.aclose_forcefully(self._ws.stream)


@asynccontextmanager
async def dial(how: Dialling) -> AsyncIterator[Line]:
    """Open a socket, or raise `DialError`; it is dropped at the end of the block."""
    _check_address(how)
    async with AsyncExitStack() as stack:
        try:
            ws = await stack.enter_async_context(_prepared(how))
        except (OSError, trio.BrokenResourceError, WebSocketException) as error:
            raise _dial_error(error, how.timeout_ms) from error
        except UnicodeError as error:
            # A host that no name server could be asked for.
            raise DialError("dns", str(error)) from error
        line = Line(ws)
        try:
            yield line
        finally:
            with trio.CancelScope(shield=True):
                await line.drop()
            # The library's reader may wait for room in a queue that nobody empties.
            ws.nursery.cancel_scope.cancel()


def _prepared(how: Dialling) -> connect:
    secure = how.url.startswith("wss:")
    proxy_tls = how.tls if (how.proxy or "").startswith("https:") else None
    prepared = _Dial(
        how.url,
        ssl=how.tls if secure else None,
        proxy=how.proxy,
        proxy_ssl=proxy_tls,
        compression=None,
        user_agent_header=USER_AGENT,
        open_timeout=how.timeout_ms / 1000,
        ping_interval=None,
        close_timeout=CLOSE_TIMEOUT_S,
        max_size=FRAME_BYTES_MAX,
        logger=_quiet,
        create_connection=_Connection,
    )
    prepared.network = how.network
    return prepared


def _check_address(how: Dialling) -> None:
    """Refuse what would show a token to the whole way, or is no address at all."""
    try:
        parts = urlsplit(how.url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("ws", "wss"):
        raise DialError("protocol", "the address given is no ws:// or wss:// address")
    if parts.scheme == "ws" and not how.plain and host not in LOOPBACK:
        raise DialError("protocol", "the address given is not encrypted: ws://")


def _dial_error(error: Exception, timeout_ms: int) -> DialError:
    """Say which kind a failed dial is; the cause is often a link or two down."""
    causes = tuple(chain(error))
    text = next((str(cause) for cause in reversed(causes) if str(cause)), repr(error))
    match error:
        case InvalidStatus():
            status = error.response.status_code
            return DialError("handshake", f"HTTP status {status}", status)
        case TimeoutError():
            return DialError("timeout", f"no socket within {timeout_ms} ms")
        case ProxyError():
            return DialError("connect", text)
        case InvalidURI() | InvalidProxy():  # Their words repeat the address.
            return DialError("protocol", "the address given cannot be dialled")
    if any(is_tls(cause) for cause in causes):
        kind = "tls"
    elif any(isinstance(cause, socket.gaierror) for cause in causes):
        kind = "dns"
    elif isinstance(error, OSError):
        kind = "connect"
    elif any(isinstance(one, OSError | trio.BrokenResourceError) for one in causes):
        kind = "reset"
    else:
        kind = "protocol"
    return DialError(kind, text)


def _ended(ws: ClientConnection, error: ConnectionClosed) -> LineEnded:
    """Say how a line ended; the peer's close frame goes before all else."""
    if error.rcvd is not None:
        return LineEnded("closed", error.rcvd.code, error.rcvd.reason)
    for cause in (ws.protocol.parser_exc, error.__cause__):
        if isinstance(cause, PayloadTooBig | TooManyFragments):
            return LineEnded("too_large", None, str(cause))
        if isinstance(cause, ProtocolError | UnicodeError):
            return LineEnded("protocol", None, str(cause))
    broken = next((one for one in chain(error.__cause__) if _is_broken(one)), None)
    if broken is not None:
        return LineEnded("reset", None, _words(broken))
    return LineEnded("eof", None, "")


def _is_broken(error: BaseException) -> bool:
    return isinstance(error, OSError | trio.BrokenResourceError)


def _words(error: BaseException) -> str:
    return next((str(one) for one in reversed(tuple(chain(error))) if str(one)), "")
