"""What we say to a QQ gateway, and how fast we listen, over real sockets."""

import pytest
import trio
from qq_rig import ACCESS, EPOCH, SESSION_ID, conversing, desk, gateway
from shell_rig import raw_server
from trio.testing import MockClock
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.trio.server import ServerConnection

from holdfast.core.commands import CloseSocket, Heartbeat, Identify, Ping, Resume
from holdfast.core.qq_events import (
    FrameUnread,
    HeartbeatAcked,
    PongReceived,
    SocketClosed,
    SocketOpened,
)

HELLO = '{"op":10,"d":{"heartbeat_interval":41250}}'
ACK = '{"op":11}'
END_S = 86_400


# What we say.


async def test_orders_are_written_in_order_with_what_their_handles_stand_for(
    autojump_clock: MockClock,
) -> None:
    heard: list[str | bytes] = []

    async def listen(ws: ServerConnection) -> None:
        heard.extend([await ws.recv() for _ in range(4)])
        await ws.aclose(1001)

    async with (
        gateway(listen) as url,
        desk() as it,
        conversing(it, url, autojump_clock),
    ):
        it.peer.tell(Identify(EPOCH, it.token, 1174409216, (1, 3)))
        it.peer.tell(Heartbeat(EPOCH - 1, 7))
        it.peer.tell(Heartbeat(EPOCH))
        it.peer.tell(Resume(EPOCH, it.token, it.session, 251))
        it.peer.tell(Heartbeat(EPOCH, 252))
        await it.until(SocketClosed)
    token = f'"token":"QQBot {ACCESS}"'
    asked = '"intents":1174409216,"shard":[1,3],"properties":{}'
    resumed = f'"session_id":"{SESSION_ID}","seq":251'
    assert heard == [
        f'{{"op":2,"d":{{{token},{asked}}}}}',
        '{"op":1,"d":null}',
        f'{{"op":6,"d":{{{token},{resumed}}}}}',
        '{"op":1,"d":252}',
    ]


async def test_a_pong_is_told(autojump_clock: MockClock) -> None:
    async def wait(_: ServerConnection) -> None:
        await trio.sleep(END_S)

    async with gateway(wait) as url, desk() as it, conversing(it, url, autojump_clock):
        await it.until(SocketOpened)
        it.peer.tell(Ping(EPOCH))
        it.peer.tell(Ping(EPOCH))
        await it.until(PongReceived, 2)
    assert it.of(PongReceived) == [PongReceived(EPOCH)] * 2
    assert it.events[-1] == SocketClosed(EPOCH, "dropped")


async def deaf(stream: trio.SocketStream) -> None:
    """Agree to a socket, and then neither read nor say anything."""
    protocol = ServerProtocol()
    while not (events := protocol.events_received()):
        protocol.receive_data(await stream.receive_some())
    assert isinstance(events[0], Request)
    protocol.send_response(protocol.accept(events[0]))
    for data in protocol.data_to_send():
        await stream.send_all(data)
    await trio.sleep(END_S)


async def test_half_open_nothing_is_told_until_told_to_close(
    autojump_clock: MockClock,
) -> None:
    async with (
        raw_server(deaf, "ws") as url,
        desk() as it,
        conversing(it, url, autojump_clock),
    ):
        await it.until(SocketOpened)
        it.peer.tell(Heartbeat(EPOCH))
        it.peer.tell(Ping(EPOCH))
        await trio.sleep(3_600)
        assert it.events == [SocketOpened(EPOCH)]
        began = trio.current_time()
        it.peer.tell(CloseSocket(EPOCH))
        assert await it.until(SocketClosed) == SocketClosed(EPOCH, "dropped")
        assert trio.current_time() - began < 0.6


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every heartbeat so large that no buffer holds it."""
    large = '{"op":1,"d":"' + "x" * 30_000_000 + '"}'
    monkeypatch.setattr("holdfast.io.qq.wire.heartbeat", lambda _: large)


@pytest.mark.usefixtures("narrow")
async def test_a_write_that_hangs_ends_the_socket(autojump_clock: MockClock) -> None:
    async with (
        raw_server(deaf, "ws") as url,
        desk() as it,
        conversing(it, url, autojump_clock),
    ):
        await it.until(SocketOpened)
        it.peer.tell(Heartbeat(EPOCH))
        assert await it.until(SocketClosed) == SocketClosed(EPOCH, "stalled")
        assert autojump_clock.current_time() == pytest.approx(5, abs=0.1)


@pytest.mark.usefixtures("narrow")
async def test_told_to_close_no_write_is_waited_for(autojump_clock: MockClock) -> None:
    async with (
        raw_server(deaf, "ws") as url,
        desk() as it,
        conversing(it, url, autojump_clock),
    ):
        await it.until(SocketOpened)
        it.peer.tell(Heartbeat(EPOCH))
        it.peer.tell(CloseSocket(EPOCH))
        assert await it.until(SocketClosed) == SocketClosed(EPOCH, "dropped")
        assert autojump_clock.current_time() == pytest.approx(0.5, abs=0.1)


async def test_told_to_close_the_far_end_hears_4000(autojump_clock: MockClock) -> None:
    codes: list[int | None] = []

    async def listen(ws: ServerConnection) -> None:
        await ws.wait_closed()
        codes.append(ws.close_code)

    async with (
        gateway(listen) as url,
        desk() as it,
        conversing(it, url, autojump_clock),
    ):
        await it.until(SocketOpened)
        it.peer.tell(CloseSocket(EPOCH))
        assert await it.until(SocketClosed) == SocketClosed(EPOCH, "dropped")
        await trio.sleep(1)
    assert codes == [4000]


async def test_told_to_close_what_the_far_end_said_before_is_still_told(
    autojump_clock: MockClock,
) -> None:
    async def close(ws: ServerConnection) -> None:
        await ws.send(ACK)
        await ws.aclose(4009, "late")

    async with gateway(close) as url, desk() as it:
        it.open = trio.Event()
        async with conversing(it, url, autojump_clock):
            await trio.sleep(1)
            it.peer.tell(CloseSocket(EPOCH))
            it.open.set()
    assert it.events == [
        SocketOpened(EPOCH),
        HeartbeatAcked(EPOCH),
        SocketClosed(EPOCH, "dropped", 4009, "late"),
    ]


# In order, and no faster than it is taken.


async def test_an_owner_that_is_busy_slows_the_far_end_down_and_loses_nothing(
    autojump_clock: MockClock,
) -> None:
    sent = 0

    async def flood(ws: ServerConnection) -> None:
        nonlocal sent
        for number in range(2_000):
            await ws.send(f'{{"op":{1_000 + number},"d":"{"x" * 20_000}"}}')
            sent += 1
        await ws.aclose(1000)

    async with gateway(flood) as url, desk() as it, conversing(it, url, autojump_clock):
        await it.until(SocketOpened)
        it.open = trio.Event()
        await trio.sleep(60)
        assert sent < 1_000, "the far end could send on and on"
        it.open.set()
        await it.until(SocketClosed)
    assert [event.op for event in it.of(FrameUnread)] == list(range(1_000, 3_000))


async def test_cancelled_a_conversation_says_so_and_loses_nothing_it_read(
    autojump_clock: MockClock,
) -> None:
    async def flood(ws: ServerConnection) -> None:
        for number in range(2_000):
            await ws.send(f'{{"op":{1_000 + number},"d":"{"x" * 20_000}"}}')

    async with gateway(flood) as url, desk() as it:
        it.open = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.converse, url)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
            it.open.set()
        assert autojump_clock.current_time() < 2
        assert it.events[0] == SocketOpened(EPOCH)
        assert it.events[-1] == SocketClosed(EPOCH, "dropped")


@pytest.mark.usefixtures("narrow")
async def test_cancelled_no_write_is_waited_for(autojump_clock: MockClock) -> None:
    async with raw_server(deaf, "ws") as url, desk() as it:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.converse, url)
            await it.until(SocketOpened)
            it.peer.tell(Heartbeat(EPOCH))
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        assert it.events[-1] == SocketClosed(EPOCH, "dropped")
        assert autojump_clock.current_time() == pytest.approx(1, abs=0.1)
