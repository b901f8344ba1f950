"""The socket to a QQ gateway: each way to its end, over real sockets."""

import socket
from collections.abc import Awaitable, Callable

import pytest
import trio
from qq_rig import ACCESS, EPOCH, Desk, conversing, desk, gateway
from trio.testing import MockClock
from websockets.trio.server import ServerConnection

from holdfast.core.commands import Identify
from holdfast.core.qq_events import (
    FrameUnread,
    HeartbeatAcked,
    HelloReceived,
    SocketClosed,
    SocketOpened,
)
from holdfast.io.qq.gateway import FRAME_BYTES_MAX

HELLO = '{"op":10,"d":{"heartbeat_interval":41250}}'
ACK = '{"op":11}'
END_S = 86_400


async def ended(handler: Callable[[ServerConnection], Awaitable[None]]) -> Desk:
    """Converse with a gateway until it is over; it was opened and closed once."""
    async with gateway(handler) as url, desk() as it:
        await it.converse(url)
    assert it.events[0] == SocketOpened(EPOCH)
    assert len(it.of(SocketClosed)) == 1
    assert isinstance(it.events[-1], SocketClosed)
    return it


# The end of an open socket.


@pytest.mark.parametrize(
    ("code", "reason"), [(4009, "Session timed out"), (1000, ""), (4915, "封禁")]
)
async def test_a_close_frame_is_told_with_its_code_and_reason(
    code: int, reason: str
) -> None:
    it = await ended(lambda ws: ws.aclose(code, reason))
    assert it.events[-1] == SocketClosed(EPOCH, "closed", code, reason)


async def test_an_empty_close_frame_is_told_as_1005() -> None:
    async def close(ws: ServerConnection) -> None:
        await ws.stream.send_all(b"\x88\x00")
        await trio.sleep(END_S)

    it = await ended(close)
    assert it.events[-1] == SocketClosed(EPOCH, "closed", 1005)


async def test_a_close_frame_is_told_at_once_though_the_connection_stays_open() -> None:
    async def close(ws: ServerConnection) -> None:
        await ws.stream.send_all(b'\x81\x09{"op":11}\x88\x07\x0f\xa9renew')
        await trio.sleep(END_S)

    began = trio.current_time()
    it = await ended(close)
    assert it.events[1:] == [
        HeartbeatAcked(EPOCH),
        SocketClosed(EPOCH, "closed", 4009, "renew"),
    ]
    assert trio.current_time() - began < 0.1


async def test_an_end_without_close_frame_has_no_code() -> None:
    it = await ended(lambda ws: ws.stream.aclose())
    assert it.events[-1] == SocketClosed(EPOCH, "eof")


async def test_a_reset_has_no_code_but_its_words() -> None:
    async def reset(ws: ServerConnection) -> None:
        assert isinstance(ws.stream, trio.SocketStream)
        ws.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        await ws.stream.aclose()

    it = await ended(reset)
    last = it.events[-1]
    assert isinstance(last, SocketClosed)
    assert (last.kind, last.code) == ("reset", None)
    assert "reset" in last.reason


@pytest.mark.parametrize(
    "broken", [b"\x83\x00", b"\x81\x02\xff\xff", b"\xc1\x00", b"\x88\x01\x00"]
)
async def test_what_breaks_the_framing_is_a_protocol_error(broken: bytes) -> None:
    async def garble(ws: ServerConnection) -> None:
        await ws.send(HELLO)
        await ws.stream.send_all(broken)
        await trio.sleep(END_S)

    began = trio.current_time()
    it = await ended(garble)
    assert it.of(HelloReceived)
    last = it.events[-1]
    assert isinstance(last, SocketClosed)
    assert (last.kind, last.code) == ("protocol", None)
    assert last.reason
    assert trio.current_time() - began < 0.1


async def test_a_frame_of_a_megabyte_is_read_and_one_too_large_ends_the_socket() -> (
    None
):
    async def shout(ws: ServerConnection) -> None:
        await ws.send('{"op":77,"d":"' + "x" * 1_000_000 + '"}')
        await ws.send('{"d":"' + "x" * FRAME_BYTES_MAX + '"}')
        await trio.sleep(END_S)

    it = await ended(shout)
    (unread,) = it.of(FrameUnread)
    assert unread.op == 77
    assert len(it.kept[unread.body]) > 1_000_000
    last = it.events[-1]
    assert isinstance(last, SocketClosed)
    assert (last.kind, last.code) == ("too_large", None)


async def test_a_reason_that_repeats_the_token_is_masked(
    autojump_clock: MockClock,
) -> None:
    async def blab(ws: ServerConnection) -> None:
        await ws.recv()
        await ws.aclose(4004, f"wrong token QQBot {ACCESS}")

    async with gateway(blab) as url, desk() as it, conversing(it, url, autojump_clock):
        it.peer.tell(Identify(EPOCH, it.token, 1 << 25, (0, 1)))
        assert (await it.until(SocketClosed)).reason == "wrong token QQBot …"
