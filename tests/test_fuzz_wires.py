"""Raw bytes from a socket: an answer or a failure of a known kind, within bounds."""

import gzip
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from fuzz_rig import FACT_BYTES_MAX, SECRET, encode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qq_rig import EPOCH, desk
from shell_rig import raw_server, read_request

from holdfast.core.commands import OpenSocket
from holdfast.core.qq_events import DialFailed, SocketClosed
from holdfast.io.http import (
    BODY_BYTES_MAX,
    Channel,
    Failure,
    Response,
    make_tls_context,
)

TLS = make_tls_context()
KINDS = {"timeout", "connect", "dns", "tls", "reset", "protocol", "too_large"}
# Sockets are real here, so each example takes milliseconds.
few = settings(max_examples=settings().max_examples // 2)

HEADS = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 999 \xff\r\n",
    b"HTTP/1.0 204\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
    b"ICY 200 OK\r\n",
    b"\x16\x03\x01\x02\x00",
    b"",
]
HEADERS = [
    b"Content-Length: 5\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Encoding: deflate\r\n",
    b"Content-Encoding: zstd, br\r\n",
    b"Content-Type: text/html; charset=\xff\r\n",
    b"X-Tps-trace-ID: \xff\xfe" + b"x" * 5_000 + b"\r\n",
    b"Location: http://127.0.0.1:9/else\r\n",
    b"Set-Cookie: a=b\r\n" * 200,
    b"no colon %s\r\n" % SECRET.encode(),
    b"Bad\0Name: 1\r\n",
]
BODIES = [
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\nx",
    b"-1\r\n\r\n",
    gzip.compress(b'{"ret":0}', mtime=0),
    gzip.compress(b'{"ret":0}', mtime=0)[:12],
    zlib.compress(b'{"ret":0}'),
    b"\x1f\x8b\x08" + b"\xff" * 40,
    b"",
]
raw_answers = st.builds(
    lambda head, headers, body: head + b"".join(headers) + b"\r\n" + body,
    st.sampled_from(HEADS),
    st.lists(st.sampled_from(HEADERS), max_size=3),
    st.sampled_from(BODIES) | st.binary(max_size=50),
)


async def asked(
    serve: Callable[[trio.SocketStream], Awaitable[None]],
) -> Response | Failure:
    """Ask a raw server once; it closes the connection when it has said its piece."""
    async with raw_server(serve) as url:
        channel = Channel(TLS, proxy=None, connections_max=1, trace_header="X-T")
        try:
            return await channel.post(url, {"A": SECRET}, b"{}", 2_000)
        except Failure as failure:
            return failure
        finally:
            await channel.aclose()


def saying(raw: bytes) -> Callable[[trio.SocketStream], Awaitable[None]]:
    async def serve(stream: trio.SocketStream) -> None:
        await read_request(stream)
        await stream.send_all(raw)
        await stream.aclose()

    return serve


@few
@given(raw_answers | st.binary(max_size=100))
@example(b"HTTP/1.1 200 OK\r\nno colon %s\r\n\r\n" % SECRET.encode())
@example(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000)
def test_whatever_bytes_answer_a_call_it_is_an_answer_or_a_known_failure(
    raw: bytes,
) -> None:
    got = trio.run(asked, saying(raw))
    if isinstance(got, Failure):
        assert got.kind in KINDS
        assert len(encode(got.words((SECRET,)))) < FACT_BYTES_MAX
        assert SECRET not in got.words((SECRET,))
    else:
        assert 100 <= got.status <= 999
        assert len(got.body) <= len(raw) + 100


@pytest.mark.parametrize("level", [1, 9])
@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_a_bomb_is_not_unpacked_beyond_the_limit(encoding: bytes, level: int) -> None:
    bits = 31 if encoding == b"gzip" else 15
    packer = zlib.compressobj(level, wbits=bits)
    zeros = bytes(1 << 20)
    packed = b"".join(packer.compress(zeros) for _ in range(48)) + packer.flush()
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
    tracemalloc.start()
    try:
        got = trio.run(asked, saying(head % (encoding, len(packed)) + packed))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(got, Failure)
    assert got.kind == "too_large"
    assert peak < 3 * BODY_BYTES_MAX


# WebSockets.

HELLO = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
FRAMES = [
    b'\x81\x09{"op":11}',
    b'\x01\x05{"op"\x80\x04:11}',
    b"\x82\x03\x00\xff\x01",
    b"\x88\x02\x0f\xa9",
    b"\x88\x02\x00\x00",
    b"\x88\x01\x0f",
    b"\x88\x05\x0f\xa9\xff\xfe\xfd",
    b"\x88\x00",
    b"\x89\x02hi",
    b"\x8a\x00",
    b"\x81\x02\xff\xfe",
    b"\xc1\x01a",
    b"\x8b\x00",
    b"\x80\x01a",
    b"\x81\x7f" + b"\xff" * 8,
    b"\x81\x7f" + (1 << 40).to_bytes(8, "big"),
    b"\x81\x85\x01\x02\x03\x04hello",
    b"\x01\x01a" * 300,
]


async def conversed(raw: bytes, *, shake: bool) -> list[Any]:
    """Dial a raw server that says some bytes and goes; return what was posted."""
    accept = "Sec-WebSocket-Accept: "

    async def serve(stream: trio.SocketStream) -> None:
        request = await read_request(stream)
        if shake:
            head = HELLO + (accept + key_for(request)).encode() + b"\r\n"
            await stream.send_all(head + b"Connection: Upgrade\r\n\r\n")
        await stream.send_all(raw)
        await stream.aclose()

    async with raw_server(serve, "ws") as url, desk(url.replace("ws:", "http:")) as it:
        with trio.fail_after(30):
            await it.peer.converse(OpenSocket(EPOCH, url, 2_000), it.post)
    return it.events


def key_for(request: bytes) -> str:
    from websockets.utils import accept_key  # noqa: PLC0415 - of a library's inside.

    lines = request.decode("latin-1").split("\r\n")
    keys = [it for it in lines if it.lower().startswith("sec-websocket-key:")]
    return accept_key(keys[0].partition(":")[2].strip())


@few
@given(
    st.lists(st.sampled_from(FRAMES), max_size=4).map(b"".join) | st.binary(max_size=60)
)
def test_whatever_frames_come_the_socket_ends_with_one_fact(raw: bytes) -> None:
    events = trio.run(lambda: conversed(raw, shake=True))
    *before, last = events
    assert isinstance(last, SocketClosed)
    assert not [it for it in before if isinstance(it, SocketClosed | DialFailed)]
    assert all(len(encode(event)) < FACT_BYTES_MAX for event in events)


@few
@given(raw_answers | st.binary(max_size=60))
@example(HELLO + b"Connection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n")
@example(HELLO + b"X: " + b"y" * 100_000 + b"\r\n\r\n")
def test_whatever_answers_a_dial_it_is_one_fact(raw: bytes) -> None:
    (failed,) = trio.run(lambda: conversed(raw, shake=False))
    assert isinstance(failed, DialFailed)
    assert len(encode(failed)) < FACT_BYTES_MAX
