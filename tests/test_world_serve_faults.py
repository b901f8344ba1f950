"""Broken transports on real sockets in virtual time, for httpx and for raw clients."""

import gc

import httpx
import msgspec
import pytest
import trio
from trio.testing import MockClock
from weixin_client import outbound
from weixin_online import dial, online, raw_poll

from holdfast.replay.world.weixin_faults import (
    Freeze,
    HttpStatus,
    Late,
    Outage,
    Padding,
    Wire,
)
from holdfast.replay.world.weixin_inbound import USER


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("accept_and_close", httpx.RemoteProtocolError),
        ("reset_before_headers", httpx.ReadError),
        ("reset_in_body", httpx.ReadError),
        ("cut_body", httpx.RemoteProtocolError),
        ("headers_then_stall", httpx.ReadTimeout),
        ("never_answer", httpx.ReadTimeout),
        ("refuse", httpx.ReadError),
    ],
)
async def test_a_transport_breaks_as_the_fault_says(
    autojump_clock: MockClock, how: str, error: type[httpx.HTTPError]
) -> None:
    fault = msgspec.convert({"type": "wire", "how": how, "count": 1}, Wire)
    async with online(autojump_clock) as (served, client):
        served.arm(fault)
        with pytest.raises(error):
            await client.notify()
        assert served.now_ms() == (60_000 if error is httpx.ReadTimeout else 0)
        assert served.peer.log[-1].outcome == "broken"
        served.heal(Outage)
        await trio.sleep(1)
        assert (await client.notify()).json() == {"ret": 0}


async def test_a_reset_after_the_body_leaves_the_answer_whole(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as (served, client):
        served.arm(Wire(how="reset_after_body", count=1))
        assert (await client.notify()).json() == {"ret": 0}
        await trio.sleep(1)
        assert (await client.notify()).json() == {"ret": 0}


async def test_a_wrong_length_cuts_the_json(autojump_clock: MockClock) -> None:
    async with online(autojump_clock) as (served, client):
        served.arm(Wire(how="wrong_length", count=1))
        assert (await client.notify()).content == b'{"re'


async def test_a_trickle_brings_one_byte_per_second(autojump_clock: MockClock) -> None:
    async with online(autojump_clock) as (served, client):
        served.arm(Wire(how="trickle", count=1))
        assert (await client.notify()).json() == {"ret": 0}
        assert served.now_ms() == 9_000


@pytest.mark.parametrize("how", ["headers_then_stall", "never_answer"])
async def test_a_stall_can_end(autojump_clock: MockClock, how: str) -> None:
    fields = {"type": "wire", "how": how, "for_ms": 30_000, "count": 1}
    async with online(autojump_clock) as (served, client):
        served.arm(msgspec.convert(fields, Wire))
        assert (await client.notify()).json() == {"ret": 0}
        assert served.now_ms() == 30_000


async def test_a_client_that_hangs_up_ends_a_trickle(autojump_clock: MockClock) -> None:
    async with online(autojump_clock) as (served, client):
        served.arm(Wire(how="trickle", interval_ms=1_000_000))
        with trio.move_on_after(5):
            await client.notify()
        served.heal()
        assert (await client.notify()).json() == {"ret": 0}


async def test_a_lost_reply_is_a_message_shown(autojump_clock: MockClock) -> None:
    async with online(autojump_clock) as (served, client):
        served.say()
        served.arm(Wire(at="sendmessage", how="reset_before_headers", acted=True))
        with pytest.raises(httpx.ReadError):
            await client.post("sendmessage", outbound("once"))
        assert served.peer.shown[USER][0].text == "once"


async def test_an_edge_answers_late_and_a_client_may_not_wait_for_it(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock, timeout_s=10) as (served, client):
        served.arm(HttpStatus(status=524, after_ms=16_000, count=1))
        with pytest.raises(httpx.ReadTimeout):
            await client.notify()
        peer = await served.until(lambda peer: peer.log[-1].outcome == "abandoned")
        assert peer.log[-1].status == 524
        served.arm(HttpStatus(status=502, count=1))
        assert (await client.notify()).status_code == 502


async def test_late_and_frozen_answers_come_when_the_fault_says(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as (served, client):
        served.arm(Late(delay_ms=4_000, count=1))
        await client.notify()
        assert served.now_ms() == 4_000
        served.arm(Freeze(to_ms=30_000))
        await client.notify()
        assert served.now_ms() == 34_000


async def test_a_big_answer_arrives_whole(autojump_clock: MockClock) -> None:
    async with online(autojump_clock) as (served, client):
        served.arm(Padding(bytes=8 << 20))
        assert len((await client.notify()).content) == (8 << 20) + 9


async def test_during_an_outage_connections_are_reset_and_then_refused(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as (served, client):
        served.arm(Outage(from_ms=10_000, to_ms=60_000))
        with pytest.raises(httpx.ReadError):
            await client.poll()
        assert served.now_ms() == 10_000
        assert served.peer.log[-1].outcome == "cut"
        with pytest.raises(httpx.ConnectError):
            await client.notify()
        await trio.sleep(50)
        assert (await client.notify()).json() == {"ret": 0}
        assert not served.peer.waiting


async def test_a_peer_can_be_taken_offline_during_an_outage(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as (served, client):
        served.arm(Outage())
        with pytest.raises(httpx.ConnectError):
            await client.notify()
    gc.collect()


async def test_a_refusing_peer_opens_again_by_itself(autojump_clock: MockClock) -> None:
    async with online(autojump_clock) as (served, client):
        served.arm(Wire(how="refuse", for_ms=20_000, count=1))
        with pytest.raises(httpx.ReadError):
            await client.notify()
        with pytest.raises(httpx.ConnectError):
            await client.notify()
        await trio.sleep(20)
        assert (await client.notify()).json() == {"ret": 0}


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x00\r\n\r\n", b"GET"])
async def test_noise_ends_the_connection_and_nothing_else(
    autojump_clock: MockClock, noise: bytes
) -> None:
    async with (
        online(autojump_clock) as (served, client),
        await dial(served) as stream,
    ):
        await stream.send_all(noise)
        await stream.send_eof()
        assert await stream.receive_some() == b""
        assert (await client.notify()).json() == {"ret": 0}


async def test_a_reset_is_a_reset_and_a_close_is_a_close(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as (served, _):
        served.arm(Wire(how="reset_before_headers", count=1))
        served.arm(Wire(how="accept_and_close"))
        async with await dial(served) as stream:
            await stream.send_all(raw_poll(served))
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.receive_some()
            assert isinstance(caught.value.__cause__, ConnectionResetError)
        async with await dial(served) as stream:
            await stream.send_all(raw_poll(served))
            assert await stream.receive_some() == b""
