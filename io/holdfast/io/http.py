"""HTTP: the one module that knows httpx, and httpcore below it.

Polls and sends of an account have a client each, so that a hung poll cannot hold a
send; all accounts share one TLS context, which costs 100 ms to make. Redirects are
answers like any other, proxies come from the configuration alone, and a body is read
up to a limit. One outer deadline covers the whole exchange: httpx's own time-outs
bound single waits on the socket and are set above it.
"""

import math
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeAlias

import httpcore
import httpx
import trio
from msgspec import Struct

from holdfast.io.causes import chain, is_tls
from holdfast.io.network import Link, Network
from holdfast.io.opening import masked
from holdfast.io.unpacking import unpacked

BODY_BYTES_MAX = 32 * 1024 * 1024
# Below every deadline of the policies, so that an unreachable host is known as such.
CONNECT_TIMEOUT_S = 8.0
KEEPALIVE_S = 15.0
Seconds: TypeAlias = float | None


class Response(Struct, frozen=True):
    """A whole answer: what the peer said, unread.

    `trace` is the header by which the peer knows this exchange, where it has one.
    """

    status: int
    body: bytes
    trace: str = ""


class Failure(Exception):  # noqa: N818 - not an error of ours: what became of a try.
    """No answer. `left` is false only when no byte of the request was sent.

    `kind` is one of timeout, connect, dns, tls, reset, protocol, too_large.
    """

    def __init__(self, kind: str, reason: str, *, left: bool) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason
        self.left = left

    def words(self, hide: Iterable[str]) -> str:
        """Say why, without the values of this call: a broken answer is quoted in it."""
        return masked(self.reason, hide)


def make_tls_context() -> ssl.SSLContext:
    """Make the context that all accounts share; it verifies certificates."""
    return ssl.create_default_context()


class Channel:
    """One kind of conversation with one peer: its own connections, nothing shared."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        proxy: str | None,
        connections_max: int,
        trace_header: str = "",
        network: Network | None = None,
    ) -> None:
        self._trace_header = trace_header
        self._client = httpx.AsyncClient(
            verify=context,
            trust_env=False,
            proxy=proxy,
            follow_redirects=False,
            limits=httpx.Limits(
                max_connections=connections_max,
                max_keepalive_connections=connections_max,
                keepalive_expiry=KEEPALIVE_S,
            ),
            headers={"Accept": "*/*", "Accept-Encoding": "identity"},
            transport=_Through(network, context, connections_max) if network else None,
        )

    async def aclose(self) -> None:
        """Close every connection; the channel cannot be used again."""
        await self._client.aclose()

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_ms: int
    ) -> Response:
        """Post a body and read the whole answer, or raise `Failure`."""
        return await self.request("POST", url, headers, body, timeout_ms)

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout_ms: int,
    ) -> Response:
        """Ask, and read the whole answer, or raise `Failure`."""
        left = _Left()
        failure = Failure("timeout", f"no answer within {timeout_ms} ms", left=True)
        with trio.move_on_after(timeout_ms / 1000):
            try:
                beyond_s = timeout_ms / 1000 + 5
                request = self._client.build_request(
                    method,
                    url,
                    headers=dict(headers),
                    content=body,
                    timeout=httpx.Timeout(beyond_s, connect=CONNECT_TIMEOUT_S),
                    extensions={"trace": left.trace},
                )
                request.stream = _Body(body)
                return await self._exchange(request)
            except httpx.TransportError as error:
                raise _failure(error, left=left.began) from error
            except (httpx.InvalidURL, UnicodeError) as error:
                # A host that no name server could be asked for.
                raise Failure("dns", str(error), left=False) from error
        failure.left = left.began
        raise failure

    async def _exchange(self, request: httpx.Request) -> Response:
        response = await self._client.send(request, stream=True)
        try:
            body = await _read(response)
            trace = response.headers.get(self._trace_header, "")
            return Response(response.status_code, body, trace)
        finally:
            await response.aclose()


class _Body(httpx.AsyncByteStream):
    """A request's body; httpx's own is a generator that a broken write leaves open."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._rest = b""

    def __aiter__(self) -> Self:
        self._rest = self._body
        return self

    async def __anext__(self) -> bytes:
        chunk, self._rest = self._rest, b""
        if not chunk:
            raise StopAsyncIteration
        return chunk


class _Left:
    """Whether anything of a request was handed to a socket."""

    def __init__(self) -> None:
        self.began = False

    async def trace(self, name: str, info: Mapping[str, Any]) -> None:
        # A CONNECT is for the proxy; the peer sees nothing of it.
        if name.endswith("send_request_headers.started"):
            self.began |= info["request"].method != b"CONNECT"


class _Through(httpx.AsyncHTTPTransport):
    """httpx's own transport, whose pool takes its connections from a network."""

    def __init__(
        self, network: Network, context: ssl.SSLContext, connections_max: int
    ) -> None:
        super().__init__(verify=context)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=connections_max,
            max_keepalive_connections=connections_max,
            keepalive_expiry=KEEPALIVE_S,
            network_backend=_Dialler(network),
        )


class _Dialler(httpcore.AsyncNetworkBackend):
    """A network as httpcore sees it."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Seconds = None,  # noqa: ASYNC109 - httpcore's signature.
        local_address: str | None = None,  # noqa: ARG002 - as above.
        socket_options: object = None,  # noqa: ARG002 - as above.
    ) -> httpcore.AsyncNetworkStream:
        with _within(timeout, httpcore.ConnectTimeout, httpcore.ConnectError):
            return _Dialled(await self._network.connect(host, port))


class _Dialled(httpcore.AsyncNetworkStream):
    """A link as httpcore sees it."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def read(self, max_bytes: int, timeout: Seconds = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        with _within(timeout, httpcore.ReadTimeout, httpcore.ReadError):
            return bytes(await self._link.receive_some(max_bytes))

    async def write(self, buffer: bytes, timeout: Seconds = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        with _within(timeout, httpcore.WriteTimeout, httpcore.WriteError):
            await self._link.send_all(buffer)

    async def aclose(self) -> None:
        await self._link.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._link.is_readable() if info == "is_readable" else None


@contextmanager
def _within(
    timeout: Seconds, late: type[Exception], broken: type[Exception]
) -> Iterator[None]:
    """Bound a wait, and say what came of it as httpcore does."""
    try:
        with trio.fail_after(math.inf if timeout is None else timeout):
            yield
    except trio.TooSlowError as error:
        raise late from error
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise broken(str(error)) from error


async def _read(response: httpx.Response) -> bytes:
    """Read the body as it comes, up to the limit."""
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in response.aiter_raw():
            size += len(chunk)
            chunks.append(chunk)
            if size > BODY_BYTES_MAX:
                # Reading on ends or fails; only so do httpx's generators end in order.
                await response.aclose()
    except httpx.ReadError:
        if size <= BODY_BYTES_MAX:
            raise
    _check_size(size)
    encoding = response.headers.get("Content-Encoding", "")
    body = unpacked(b"".join(chunks), encoding, BODY_BYTES_MAX)
    _check_size(len(body))
    return body


def _check_size(size: int) -> None:
    if size > BODY_BYTES_MAX:
        reason = f"the body is larger than {BODY_BYTES_MAX} bytes"
        raise Failure("too_large", reason, left=True)


def _failure(error: httpx.TransportError, *, left: bool) -> Failure:
    """Say which kind a failed exchange is; the cause is often a link or two down."""
    causes = tuple(chain(error))
    text = next((str(cause) for cause in reversed(causes) if str(cause)), repr(error))
    if isinstance(error, httpx.ConnectTimeout):
        text = f"no connection within {CONNECT_TIMEOUT_S:g} s"
    if any(is_tls(cause) for cause in causes):
        kind = "tls"
    elif any(isinstance(cause, socket.gaierror) for cause in causes):
        kind = "dns"
    elif isinstance(
        error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError
    ):
        kind = "connect"
    elif isinstance(error, httpx.TimeoutException):
        kind = "timeout"
    elif isinstance(error, httpx.NetworkError):
        kind = "reset"
    else:
        kind = "protocol"
    return Failure(kind, text, left=left)
