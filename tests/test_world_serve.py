"""The Weixin peer on real sockets in virtual time: holding, leaving, broken wires."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import msgspec
import pytest
import trio
from trio.testing import MockClock
from weixin_client import URLS, about, headers_for, outbound, polling

from holdfast.replay.world.serve import (
    Served,
    clock_from,
    serve_forever,
    serve_weixin,
    wall_clock,
)
from holdfast.replay.world.weixin_faults import (
    Code,
    Freeze,
    HttpStatus,
    Late,
    Outage,
    Padding,
    Wire,
    decode_script,
)
from holdfast.replay.world.weixin_inbound import USER, Copy, Inbound
from holdfast.replay.world.weixin_settings import Settings

CONTEXT = "context-1"
HAND_OUT = Settings(consume="hand_out")


class Client:
    """httpx with a Weixin client's manners."""

    def __init__(self, served: Served, http: httpx.AsyncClient) -> None:
        self._served = served
        self._http = http

    async def post(self, endpoint: str, body: dict[str, Any]) -> httpx.Response:
        headers = headers_for(self._served.peer.token)
        return await self._http.post(URLS[endpoint], json=body, headers=headers)

    async def poll(self, cursor: str = "") -> list[str]:
        answer = (await self.post("getupdates", polling(cursor))).json()
        items = [message["item_list"][0] for message in answer["msgs"]]
        return [item["text_item"]["text"] for item in items]

    async def notify(self) -> httpx.Response:
        return await self.post("notifystart", about())


def milliseconds(clock: MockClock) -> int:
    return round(clock.current_time() * 1_000)


@asynccontextmanager
async def online(
    clock: MockClock, settings: Settings | None = None, *, timeout_s: float = 60
) -> AsyncIterator[tuple[Served, Client]]:
    async with (
        serve_weixin(settings, now_ms=partial(milliseconds, clock)) as served,
        httpx.AsyncClient(
            base_url=served.url, timeout=timeout_s, trust_env=False
        ) as http,
    ):
        yield served, Client(served, http)


async def dial(served: Served) -> trio.SocketStream:
    host, port = served.url.removeprefix("http://").split(":")
    return await trio.open_tcp_stream(host, int(port))


def raw_poll(served: Served) -> bytes:
    """Return the bytes of a poll, for clients that are no httpx."""
    body = msgspec.json.encode(polling())
    lines = [f"POST {URLS['getupdates']} HTTP/1.1", "Host: weixin"]
    headers = headers_for(served.peer.token) | {"Content-Length": str(len(body))}
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


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
    async with online(autojump_clock, HAND_OUT) as (served, client):
        stream = await dial(served)
        await stream.send_all(raw_poll(served))
        await served.until(lambda peer: peer.waiting)
        stream.socket.shutdown(socket.SHUT_RDWR)
        served.say("kept")
        await served.until(lambda peer: not peer.waiting)
        assert await client.poll() == ["kept"]
        await stream.aclose()


async def test_bytes_sent_early_are_no_hanging_up(autojump_clock: MockClock) -> None:
    async with online(autojump_clock) as (served, _):
        stream = await dial(served)
        await stream.send_all(raw_poll(served) * 2)
        peer = await served.until(lambda peer: peer.calls == 2 and not peer.waiting)
        assert [entry.at_ms for entry in peer.log] == [0, 35_000]
        await stream.aclose()


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


# Transports.


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
        await served.until(lambda _: True)
        await trio.sleep(1)
        assert (await client.notify()).json() == {"ret": 0}


async def test_a_reset_after_the_body_spoils_the_next_request_only(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as (served, client):
        served.arm(Wire(how="reset_after_body", count=1))
        assert (await client.notify()).json() == {"ret": 0}
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
        with pytest.raises(httpx.ConnectError):
            await client.notify()
        await trio.sleep(50)
        assert (await client.notify()).json() == {"ret": 0}
        assert not served.peer.waiting


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
    async with online(autojump_clock) as (served, client):
        stream = await dial(served)
        await stream.send_all(noise)
        await stream.send_eof()
        assert await stream.receive_some() == b""
        assert (await client.notify()).json() == {"ret": 0}


# Running it.


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
    async with online(autojump_clock) as (served, _):
        served.say("before the restart")
        peer = served.peer
    script = decode_script('{"says": [{"text": "after it"}]}')
    async with serve_weixin(peer, script=script, now_ms=lambda: 1) as again:
        assert [message.wire["seq"] for message in again.peer.inbound] == [1, 2]


@pytest.mark.parametrize("threshold_s", [0, 0.001])
def test_an_hour_of_polls_takes_no_hour(threshold_s: float) -> None:
    clock = MockClock(autojump_threshold=threshold_s)

    async def poll_for_an_hour() -> int:
        async with online(clock) as (served, client):
            while served.now_ms() < 3_600_000:
                await client.poll()
            return served.peer.calls

    assert trio.run(poll_for_an_hour, clock=clock) == 103
