"""The QQ adapter at the simulated platform: it is understood, and understands."""

import msgspec
import pytest
import trio
from qq_online import online
from qq_rig import APP_ID, DIAL_MS, EPOCH, SECRET, Desk, desk
from trio.testing import MockClock

from holdfast.core.commands import (
    FetchGateway,
    FetchToken,
    Heartbeat,
    Identify,
    OpenSocket,
    Ping,
    Resume,
    Send,
)
from holdfast.core.events import MessageReceived, SendAnswered
from holdfast.core.qq_events import (
    DispatchReceived,
    GatewayAnswered,
    HeartbeatAcked,
    HelloReceived,
    PongReceived,
    ReadyReceived,
    ResumedReceived,
    SocketClosed,
    TokenAnswered,
)
from holdfast.io.vault import BODY
from holdfast.replay.world.qq_say import Say
from holdfast.replay.world.qq_settings import INTENTS_ALL, Settings

SETTINGS = Settings(app_id=APP_ID, secret=SECRET)
PLACES = {
    "c2c": "c2c",
    "group": "group",
    "group_all": "group",
    "channel": "guild",
    "channel_all": "guild",
    "dm": "dm",
}


async def log_in(it: Desk) -> tuple[str, str]:
    """Return the handle of a token, and the gateway's address."""
    (token,) = (await it.peer.perform(FetchToken(it.login, DIAL_MS))).events
    assert isinstance(token, TokenAnswered)
    asked = FetchGateway(EPOCH, token.token, DIAL_MS)
    (gateway,) = (await it.peer.perform(asked)).events
    assert isinstance(gateway, GatewayAnswered)
    assert (gateway.shards, gateway.remaining) == (1, gateway.total)
    return token.token, gateway.url


async def reply(it: Desk, token: str, to: str, context: str, number: int) -> None:
    body = it.keep(BODY, "hi back")
    command = Send(1, 0, to, body, "x", token, context, DIAL_MS, number, EPOCH)
    (event,) = (await it.peer.perform(command)).events
    assert isinstance(event, SendAnswered)
    assert (event.status, event.code, event.malformed) == (200, None, "")
    assert event.message_id


async def test_a_session_begins_beats_receives_answers_and_goes_on(
    autojump_clock: MockClock,
) -> None:
    assert autojump_clock.autojump_threshold == 0
    async with online(SETTINGS) as (served, _), desk(served.url) as it:
        token, url = await log_in(it)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.converse, url)
            await it.until(HelloReceived)
            it.peer.tell(Identify(EPOCH, token, INTENTS_ALL, (0, 1)))
            ready = await it.until(ReadyReceived)
            it.peer.tell(Heartbeat(EPOCH, ready.s))
            it.peer.tell(Ping(EPOCH))
            await it.until(HeartbeatAcked)
            await it.until(PongReceived)
            for count, (place, kind) in enumerate(PLACES.items(), 1):
                served.say(Say(text="hello", place=place))  # type: ignore[arg-type]  # - a key.
                message = await it.until(MessageReceived, count)
                assert message.peer.startswith(f"{kind}:")
                await reply(it, token, message.peer, message.context, 1)
            served.close(4009)
            closed = await it.until(SocketClosed)
            assert (closed.kind, closed.code) == ("closed", 4009)
        last = it.of(MessageReceived)[-1].s
        again = it.peer.converse(OpenSocket(EPOCH + 1, url, DIAL_MS), it.post)

        async def hold() -> None:
            await again

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold)
            await it.until(HelloReceived, 2)
            it.peer.tell(Resume(EPOCH + 1, token, ready.session, last))
            resumed = await it.until(ResumedReceived)
            assert (resumed.epoch, resumed.s) == (EPOCH + 1, last + 1)
            nursery.cancel_scope.cancel()
        assert served.peer.violations == ()
    assert msgspec.json.decode(msgspec.json.encode(it.events))


@pytest.mark.parametrize("name", ["FRIEND_ADD", "C2C_MSG_RECEIVE"])
async def test_an_event_is_answered_by_its_outer_id(
    autojump_clock: MockClock, name: str
) -> None:
    assert autojump_clock.autojump_threshold == 0
    async with online(SETTINGS) as (served, _), desk(served.url) as it:
        token, url = await log_in(it)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.converse, url)
            await it.until(HelloReceived)
            it.peer.tell(Identify(EPOCH, token, INTENTS_ALL, (0, 1)))
            await it.until(ReadyReceived)
            served.event(name, openid="0A1B2C3D4E5F60718293A4B5C6D7E8F9")
            event = await it.until(DispatchReceived)
            await reply(it, token, event.peer, event.context, 1)
            nursery.cancel_scope.cancel()
        assert served.peer.violations == ()
