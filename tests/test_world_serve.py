"""The Weixin peer on real sockets in virtual time: holding, leaving, running it."""

import socket

import msgspec
import pytest
import trio
from trio.testing import MockClock
from weixin_client import outbound, polling
from weixin_online import dial, milliseconds, online, raw_poll

from holdfast.replay.world import weixin
from holdfast.replay.world.serve import (
    Served,
    clock_from,
    serve_forever,
    serve_weixin,
    wall_clock,
)
from holdfast.replay.world.weixin_faults import Code, decode_script
from holdfast.replay.world.weixin_inbound import USER, Copy, Inbound
from holdfast.replay.world.weixin_settings import Settings

CONTEXT = "context-1"
HAND_OUT = Settings(consume="hand_out")


async def test_an_idle_poll_comes_back_after_35_s_of_virtual_time(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as (served, client):
        assert await client.poll() == []
        assert served.now_ms() == 35_000
        assert served.peer.violations == ()


async def test_clocks_go_as_virtual_time_goes(autojump_clock: MockClock) -> None:
    since_zero, time_of_day = clock_from(0), wall_clock()
    start_ms = time_of_day()
    await trio.sleep(3_600)
    assert since_zero() == time_of_day() - start_ms == 3_600_000
    assert milliseconds(autojump_clock) == 3_600_000


async def test_a_held_poll_is_answered_when_the_user_writes(
    autojump_clock: MockClock,
) -> None:
    async with (
        online(autojump_clock) as (served, client),
        trio.open_nursery() as nursery,
    ):
        got: list[str] = []

        async def poll() -> None:
            got.extend(await client.poll())

        nursery.start_soon(poll)
        await served.until(lambda peer: peer.waiting)
        await trio.sleep(12)
        message = served.say("good morning")
        await served.until(lambda peer: not peer.waiting)
        assert message.user == USER
        assert served.peer.log[-1].answered_ms == 12_000
    assert got == ["good morning"]


async def test_one_connection_carries_many_requests(autojump_clock: MockClock) -> None:
    async with online(autojump_clock) as (served, client):
        streams = [
            (await client.notify()).extensions["network_stream"] for _ in range(3)
        ]
        ports = {stream.get_extra_info("client_addr") for stream in streams}
        assert len(ports) == 1
        assert served.peer.calls == 3


async def test_an_answer_is_called_octet_stream_although_it_is_json(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as (_, client):
        reply = await client.notify()
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.json() == {"ret": 0}


async def test_a_send_is_shown_to_the_user(autojump_clock: MockClock) -> None:
    async with online(autojump_clock) as (served, client):
        served.say()
        reply = await client.post("sendmessage", outbound("hi"))
        peer = await served.until(lambda peer: peer.shown.get(USER))
        assert reply.json()["message_id"] == peer.shown[USER][0].message_id
        assert peer.shown[USER][0].text == "hi"


async def test_a_poller_that_hung_up_takes_no_message_with_it(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock, HAND_OUT) as (served, client):
        with trio.move_on_after(10):
            await client.poll()
        peer = await served.until(lambda peer: not peer.waiting)
        assert served.now_ms() == 10_000
        assert peer.log[-1].outcome == "abandoned"
        served.say("kept")
        assert await client.poll() == ["kept"]


async def test_hanging_up_counts_even_in_the_moment_in_which_the_user_writes(
    autojump_clock: MockClock,
) -> None:
    async with (
        online(autojump_clock, HAND_OUT) as (served, client),
        await dial(served) as stream,
    ):
        await stream.send_all(raw_poll(served))
        await served.until(lambda peer: peer.waiting)
        stream.socket.shutdown(socket.SHUT_RDWR)
        served.say("kept")
        await served.until(lambda peer: not peer.waiting)
        assert await client.poll() == ["kept"]


async def test_bytes_sent_early_are_no_hanging_up(autojump_clock: MockClock) -> None:
    async with (
        online(autojump_clock) as (served, _),
        await dial(served) as stream,
    ):
        await stream.send_all(raw_poll(served) * 2)
        peer = await served.until(lambda peer: peer.calls == 2 and not peer.waiting)
        assert [entry.at_ms for entry in peer.log] == [0, 35_000]


@pytest.mark.parametrize("parallel", ["first", "last"])
async def test_of_parallel_polls_exactly_one_gets_a_message(
    autojump_clock: MockClock, parallel: str
) -> None:
    settings = msgspec.convert({"parallel": parallel}, Settings)
    async with (
        online(autojump_clock, settings) as (served, client),
        trio.open_nursery() as nursery,
    ):
        got: list[list[str]] = []

        async def poll() -> None:
            got.append(await client.poll())

        for _ in range(5):
            nursery.start_soon(poll)
        await served.until(lambda peer: len(peer.waiting) == 5)
        served.say("once")
        await served.until(lambda peer: not peer.waiting)
    assert sorted(got) == [[], [], [], [], ["once"]]


async def test_what_tests_do_to_the_peer_reaches_a_held_poll_at_once(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as (served, client):
        served.bind_elsewhere(after_ms=29_000)
        stale = await client.post("getupdates", polling())
        assert stale.json()["errcode"] == -14
        assert served.now_ms() == 29_000
        served.rebind(token=f"{served.peer.bot_id}:2")
        served.say(Inbound(text="again"))
        assert served.repeat(Copy(ids="absent")).wire.get("message_id") is None
        assert await client.poll() == ["again", "again"]
        served.expire_context(USER, refusal=Code(ret=-2))
        refused = await client.post("sendmessage", outbound("x", context_token=CONTEXT))
        assert refused.json() == {"ret": -2}
        served.heal()
        assert served.peer.armed == ()


async def test_a_script_runs_on_the_clock_of_the_server(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    script = decode_script('{"says": [{"after_ms": 9000, "text": "on time"}]}')
    served: Served = await nursery.start(serve_forever, None, 0, script)
    peer = await served.until(lambda peer: peer.inbound)
    assert peer.inbound[0].at_ms - peer.start_ms == 9_000
    assert milliseconds(autojump_clock) == 9_000


async def test_a_script_can_be_loaded_into_a_running_peer(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as (served, client):
        served.load(decode_script('{"says": [{"after_ms": 9000, "text": "later"}]}'))
        assert await client.poll() == ["later"]
        assert served.now_ms() == 9_000


async def test_a_peer_can_go_on_where_another_server_stopped(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as (served, _), await dial(served) as stream:
        await stream.send_all(raw_poll(served))
        peer = await served.until(lambda peer: peer.waiting)
    peer = weixin.say(peer, 1, Inbound(text="before the restart"))
    script = decode_script('{"says": [{"text": "after it"}]}')
    async with serve_weixin(peer, script=script, now_ms=lambda: 1) as again:
        assert [message.wire["seq"] for message in again.peer.inbound] == [1, 2]
        assert again.peer.waiting == ()


@pytest.mark.parametrize("threshold_s", [0, 0.001])
def test_an_hour_of_polls_takes_no_hour(threshold_s: float) -> None:
    clock = MockClock(autojump_threshold=threshold_s)

    async def poll_for_an_hour() -> int:
        async with online(clock) as (served, client):
            while served.now_ms() < 3_600_000:
                await client.poll()
            return served.peer.calls

    assert trio.run(poll_for_an_hour, clock=clock) == 103
