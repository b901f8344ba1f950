"""Broken connections of the QQ platform on real sockets in virtual time."""

import httpx
import pytest
import trio
from qq_online import drain, online, raw_socket, seconds
from trio.testing import MockClock
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus

from holdfast.replay.world.qq_faults import (
    Answer,
    Closing,
    Freeze,
    Noise,
    Outage,
    Silence,
    Twist,
)


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        (Closing(close=4009), (4009, "Session timed out")),
        (Closing(close=4321, reason="why not"), (4321, "why not")),
        (Closing(close=1000), (1000, "")),
        (Closing(close=1011, reason="keepalive ping timeout"), None),
        (Closing(close=1005), (1005, "")),
        (Closing(close=1006), (None, "")),
        (Closing(close=1006, reset=True), (None, "")),
        (Closing(close=1006, torn=True), (None, "")),
        (Closing(first="op9_false", close=4903), (4903, "create session error")),
        (
            Closing(first="op7", close=4009, after_ms=60_000),
            (4009, "Session timed out"),
        ),
    ],
)
async def test_a_connection_ends_as_the_fault_says(
    autojump_clock: MockClock, fault: Closing, end: tuple[int | None, str] | None
) -> None:
    async with online() as (served, client), client.dial() as gateway:
        await gateway.identify()
        served.arm(fault)
        assert await gateway.end() == (end or (fault.close, fault.reason))
        assert seconds(autojump_clock) * 1_000 == fault.after_ms


async def test_a_reset_is_a_reset(autojump_clock: MockClock) -> None:
    del autojump_clock
    async with online() as (served, _), await raw_socket(served) as stream:
        await served.until(lambda peer: peer.sockets)
        served.arm(Outage(to_ms=10_000))
        with pytest.raises(trio.BrokenResourceError) as caught:
            await drain(stream)
        assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_during_an_outage_nothing_listens(autojump_clock: MockClock) -> None:
    async with online() as (served, client):
        async with client.dial() as gateway:
            await gateway.identify()
            served.arm(Outage(to_ms=60_000))
            assert await gateway.end() == (None, "")
            with pytest.raises(OSError, match="connect"):
                async with client.dial():
                    pass
            with pytest.raises(httpx.ConnectError):
                await client.get("/gateway")
        await trio.sleep(60)
        assert (await client.get("/gateway")).status_code == 200
        assert seconds(autojump_clock) >= 60


async def test_a_half_open_socket_takes_everything_and_says_nothing(
    autojump_clock: MockClock,
) -> None:
    async with online() as (served, client), client.dial() as gateway:
        await gateway.identify()
        served.arm(Silence())
        await served.until(lambda peer: peer.sockets[1].mute)
        await gateway.tell(1, 1)
        pong = await gateway.ws.ping()
        served.say("nobody hears")
        with trio.move_on_after(600) as scope:
            await gateway.get()
        assert scope.cancelled_caught
        assert not pong.is_set()
        assert served.peer.counts.heartbeats == 0
        assert seconds(autojump_clock) == 600


async def test_a_frozen_platform_says_all_of_it_afterwards(
    autojump_clock: MockClock,
) -> None:
    async with online(timeout_s=400) as (served, client), client.dial() as gateway:
        await gateway.identify()
        served.arm(Freeze(to_ms=322_000))
        await gateway.tell(1, 1)
        pong = await gateway.ws.ping()
        served.say("late")
        assert (await client.get("/gateway")).status_code == 200
        told = [(await gateway.get()).get("t"), (await gateway.get())["op"]]
        assert told == ["C2C_MESSAGE_CREATE", 11]
        await pong.wait()
        assert seconds(autojump_clock) == 322


async def test_a_handshake_is_answered_by_a_captive_portal(
    autojump_clock: MockClock,
) -> None:
    async with online() as (served, client):
        served.arm(Answer(at="websocket", status=200, body="<html>", count=1))
        with pytest.raises(InvalidStatus) as caught:
            async with client.dial():
                pass
        assert caught.value.response.status_code == 200
        assert served.peer.counts.connections == 0
        served.arm(Answer(at="websocket", wire="reset_before_headers", count=1))
        with pytest.raises((OSError, InvalidMessage, InvalidHandshake)):
            async with client.dial():
                pass
        async with client.dial() as gateway:
            assert (await gateway.identify())["t"] == "READY"
        assert seconds(autojump_clock) == 0


async def test_a_handshake_into_a_black_hole(autojump_clock: MockClock) -> None:
    async with online() as (served, client):
        served.arm(Answer(at="websocket", wire="never_answer"))
        with trio.move_on_after(5) as scope:
            async with client.dial():
                pass
        assert scope.cancelled_caught
        assert seconds(autojump_clock) == 5


async def test_frames_of_a_megabyte_and_frames_that_trickle(
    autojump_clock: MockClock,
) -> None:
    async with online() as (served, client), client.dial() as gateway:
        await gateway.identify()
        served.arm(Noise(kind="huge"))
        assert len((await gateway.get())["d"]["text"]) == 1_000_000
        served.arm(Twist(kind="slow", byte_ms=10, count=1))
        served.say("slow")
        assert (await gateway.get())["d"]["content"] == "slow"
        assert seconds(autojump_clock) > 3


async def test_malformed_json_reaches_the_client(autojump_clock: MockClock) -> None:
    del autojump_clock
    async with online() as (served, client), client.dial() as gateway:
        await gateway.identify()
        served.arm(Noise(kind="malformed"))
        assert await gateway.ws.recv() == '{"op":0,"s":'


async def test_who_never_answers_a_close_frame_is_left_after_ten_seconds(
    autojump_clock: MockClock,
) -> None:
    async with online() as (served, _), await raw_socket(served) as stream:
        await served.until(lambda peer: peer.sockets)
        served.close(4009)
        assert (4009).to_bytes(2) in await drain(stream)
        assert seconds(autojump_clock) == 10


async def test_a_client_that_vanishes_keeps_its_session(
    autojump_clock: MockClock,
) -> None:
    async with online() as (served, client):
        async with client.dial() as gateway:
            session_id = (await gateway.identify())["d"]["session_id"]
            await gateway.ws.stream.aclose()
            await served.until(lambda peer: not peer.sockets)
        async with client.dial() as gateway:
            assert (await gateway.resume(session_id, 1))["t"] == "RESUMED"
        assert seconds(autojump_clock) == 0
        assert served.peer.violations == ()
