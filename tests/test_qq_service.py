"""A QQ account in a running service, at the simulated platform."""

from pathlib import Path

import pytest
import trio
from msgspec.structs import replace
from qq_online import online
from qq_rig import APP_ID, SECRET, account
from shell_rig import BOB, around, config, recorded
from trio.testing import MockClock

from holdfast.core.events import Fact, MessageReceived, SendAnswered, StopRequested
from holdfast.core.qq_events import ReadyReceived, ResumedReceived, SocketClosed
from holdfast.io import Config, SendRefusedError, Service, open_service
from holdfast.io.clock import TrioClock
from holdfast.io.config_accounts import Account
from holdfast.io.config_intents import POLICY
from holdfast.replay.world.qq_say import GROUP, MEMBER, USER, Say
from holdfast.replay.world.qq_settings import INTENTS_ALL, Settings
from holdfast.replay.world.served_qq import ServedQq

SETTINGS = Settings(app_id=APP_ID, secret=SECRET)


def setup(served: ServedQq, folder: Path) -> Config:
    gateway = replace(POLICY.gateway, intents=INTENTS_ALL)
    bob: Account = account(served.url, policy=replace(POLICY, gateway=gateway))
    return config(folder, bob)


async def ready(service: Service) -> None:
    """Wait until a session has begun or goes on."""
    begun = trio.Event()

    def look(_: str, fact: Fact, *__: object) -> None:
        if isinstance(fact.event, ReadyReceived | ResumedReceived):
            begun.set()

    service.watch(look)
    await begun.wait()


async def test_a_message_comes_is_answered_and_done(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert autojump_clock.autojump_threshold == 0
    async with online(SETTINGS) as (served, _):
        async with open_service(setup(served, tmp_path), around(TrioClock(0))) as it:
            with trio.fail_after(600):
                await ready(it)
                served.say(Say(text="hello", place="group"))
                async for message in it.messages("agent"):
                    await it.send(BOB, message.from_, "hi", reply_to=message.id)
                    await message.done()
                    break
                await trio.sleep(60)
            health = it.health(BOB)
            with pytest.raises(SendRefusedError, match="to: found 'x', expected c2c:"):
                await it.send(BOB, "x", "hi")
        assert served.peer.violations == ()
    assert (message.text, message.kind) == ("hello", "text")
    assert (message.from_, message.sender) == (f"group:{GROUP}", MEMBER)
    assert message.raw["group_openid"] == GROUP
    assert (health.platform, health.account_id) == ("qq", APP_ID)
    assert health.phases == {"session": "active", "connection": "heartbeating"}
    events = [fact.event for fact in recorded(tmp_path, BOB)]
    (answered,) = [one for one in events if isinstance(one, SendAnswered)]
    assert answered.message_id
    stopped = next(one for one in events if isinstance(one, StopRequested))
    assert events.index(stopped) < len(events) - 1
    assert events[-1] == SocketClosed(1, "dropped")


async def test_a_session_goes_on_after_a_restart_and_nothing_is_lost(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert autojump_clock.autojump_threshold == 0
    async with online(SETTINGS) as (served, _):
        for text in ("one", "two"):
            async with open_service(
                setup(served, tmp_path), around(TrioClock(0))
            ) as it:
                with trio.fail_after(600):
                    await ready(it)
                    served.say(Say(text=text))
                    await trio.sleep(5)
            served.say(Say(text=f"{text}, while away"))
        async with open_service(setup(served, tmp_path), around(TrioClock(0))) as it:
            texts = []
            with trio.move_on_after(60):
                async for message in it.messages("agent"):
                    assert message.from_ == f"c2c:{USER}"
                    texts.append(message.text)
                    await message.done()
    assert texts == ["one", "one, while away", "two", "two, while away"]
    events = [fact.event for fact in recorded(tmp_path, BOB)]
    assert len([one for one in events if isinstance(one, MessageReceived)]) == 4
