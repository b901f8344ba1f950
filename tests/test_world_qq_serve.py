"""The QQ platform on real sockets in virtual time."""

import httpx
import pytest
import trio
from qq_online import Client, drain, online, raw_socket, seconds
from trio.testing import MockClock

from holdfast.replay.world.online import clock_from
from holdfast.replay.world.qq_faults import (
    Answer,
    decode_script,
)
from holdfast.replay.world.qq_say import USER, Say
from holdfast.replay.world.qq_settings import Settings
from holdfast.replay.world.serve_qq import ServedQq, serve_qq, serve_qq_forever


async def test_from_token_to_ready_to_a_reply_that_is_shown(
    autojump_clock: MockClock,
) -> None:
    async with online() as (served, client):
        gateway_call = (await client.get("/gateway/bot")).json()
        assert gateway_call["url"] == served.peer.settings.address
        assert gateway_call["session_start_limit"]["remaining"] == 1_000
        async with client.dial() as gateway:
            assert (await gateway.identify())["t"] == "READY"
            asked = served.say("good morning")
            told = await gateway.get()
            assert (told["s"], told["d"]["content"]) == (2, "good morning")
            answer = await client.send("and to you", msg_id=asked)
            assert answer.headers["content-type"] == "application/json"
            shown = served.peer.shown[f"c2c:{USER}"][0]
            assert (shown.text, shown.message_id) == ("and to you", answer.json()["id"])
        assert seconds(autojump_clock) == 0
        assert served.peer.violations == ()
        assert served.peer.sockets == {}


async def test_half_an_hour_ends_in_op_7_and_4009_and_a_resume_goes_on(
    autojump_clock: MockClock,
) -> None:
    async with online() as (served, client):
        async with client.dial() as gateway, trio.open_nursery() as nursery:
            session_id = (await gateway.identify())["d"]["session_id"]

            async def beat() -> None:
                while True:
                    await trio.sleep(41.25)
                    await gateway.tell(1, 1)

            nursery.start_soon(beat)
            while (told := await gateway.get())["op"] == 11:
                pass
            assert told == {"op": 7}
            assert await gateway.end() == (4009, "Session timed out")
            nursery.cancel_scope.cancel()
        assert seconds(autojump_clock) == 1_800
        served.say("in between")
        async with client.dial() as gateway:
            assert (await gateway.resume(session_id, 1))["d"]["content"] == "in between"
            assert (await gateway.get()) == {"op": 0, "s": 3, "t": "RESUMED", "d": ""}
        assert served.peer.counts.resumed == 1
        assert served.peer.violations == ()


async def test_a_client_without_heartbeats_loses_its_connection_without_a_code(
    autojump_clock: MockClock,
) -> None:
    async with online() as (served, client), client.dial() as gateway:
        await gateway.identify()
        assert await gateway.end() == (None, "")
        assert seconds(autojump_clock) == 75
        assert served.peer.counts.drops == 1


async def test_a_ping_is_answered(autojump_clock: MockClock) -> None:
    async with online() as (served, client), client.dial() as gateway:
        pong = await gateway.ws.ping()
        await pong.wait()
        assert served.peer.counts.pings == 1
        assert seconds(autojump_clock) == 0


async def test_a_client_that_breaks_the_framing_is_told_so(
    autojump_clock: MockClock,
) -> None:
    del autojump_clock
    async with online() as (served, _), await raw_socket(served) as stream:
        await served.until(lambda peer: peer.sockets)
        await stream.send_all(b"\x83\x00")  # A reserved opcode, unmasked.
        assert (1002).to_bytes(2) in await drain(stream)
        assert served.peer.sockets == {}


async def test_a_fragmented_frame_is_one_text(autojump_clock: MockClock) -> None:
    del autojump_clock
    async with online() as (_, client), client.dial() as gateway:
        await gateway.identify()
        await gateway.ws.send(['{"op":', '1,"d":', "null}"])
        assert await gateway.get() == {"op": 11}


async def test_a_binary_frame_is_an_invalid_payload(autojump_clock: MockClock) -> None:
    del autojump_clock
    async with online() as (_, client), client.dial() as gateway:
        await gateway.ws.send(b"\xff\x00")
        assert await gateway.end() == (4002, "invalid payload")


async def test_what_is_no_handshake_is_refused(autojump_clock: MockClock) -> None:
    del autojump_clock
    async with online() as (served, client):
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        answer = await httpx.AsyncClient(trust_env=False).get(
            f"{served.url}/websocket/", headers=headers
        )
        assert answer.status_code == 400
        assert (await client.get("/websocket/")).status_code == 404


async def test_the_controls_act_at_once(autojump_clock: MockClock) -> None:
    del autojump_clock
    async with online() as (served, client), client.dial() as gateway:
        await gateway.identify()
        served.event("FRIEND_ADD", openid=USER)
        assert (await gateway.get())["t"] == "FRIEND_ADD"
        served.say(Say(place="group", text=" look"))
        assert (await gateway.get())["t"] == "GROUP_AT_MESSAGE_CREATE"
        served.load(decode_script('{"says": [{"text": "script"}]}'))
        assert (await gateway.get())["d"]["content"] == "script"
        served.arm(Answer(code=50055001))
        assert (await client.get("/gateway")).json()["code"] == 50055001
        served.heal(Answer)
        served.drop_tokens()
        assert (await client.get("/gateway")).json()["code"] == 11244
        served.drop_sessions()
        assert served.peer.sessions == {}
        served.close(4008)
        assert await gateway.end() == (4008, "payloads too fast")


async def test_a_script_runs_on_the_clock_of_the_server(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    script = decode_script('{"events": [{"name": "FRIEND_ADD", "after_ms": 9000}]}')
    served: ServedQq = await nursery.start(serve_qq_forever, None, 0, script)
    await served.until(lambda peer: peer.counts.events)
    assert seconds(autojump_clock) == 9


async def test_a_platform_can_go_on_where_another_server_stopped(
    autojump_clock: MockClock,
) -> None:
    del autojump_clock
    async with online() as (served, client), client.dial() as gateway:
        session_id = (await gateway.identify())["d"]["session_id"]
        peer = served.peer
    async with (
        serve_qq(peer, now_ms=clock_from(1)) as again,
        httpx.AsyncClient(base_url=again.url, trust_env=False) as http,
    ):
        client = Client(again, http)
        await client.log_in()
        async with client.dial() as gateway:
            assert (await gateway.resume(session_id, 1))["t"] == "RESUMED"


async def test_a_client_that_leaves_while_it_waits_for_an_answer(
    autojump_clock: MockClock,
) -> None:
    async with online(Settings(), timeout_s=5) as (served, client):
        served.arm(Answer(at="gateway", delay_ms=60_000, count=1))
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/gateway")
        assert (await client.get("/gateway")).status_code == 200
        assert seconds(autojump_clock) == 5
