"""A consumer that finishes everything but one message."""

from pathlib import Path

import pytest
import trio
from incident_rig import START_MS
from trio.testing import MockClock

from holdfast.io import Surroundings, messages
from holdfast.io.clock import TrioClock
from holdfast.replay.incidents.stage import Wings
from holdfast.replay.incidents.weixin_stage import WEIXIN
from holdfast.replay.world.online import clock_from

AHEAD = 3


async def test_it_is_offered_no_more_than_it_may_finish_ahead(
    autojump_clock: MockClock,  # noqa: ARG001 - it makes time virtual.
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(messages, "AHEAD_MAX", AHEAD)
    around = Surroundings(TrioClock(START_MS), threaded=False)
    wings = Wings(tmp_path, around, now_ms=clock_from(START_MS))
    async with WEIXIN.open_stage(WEIXIN.real, wings) as stage:
        stage.say("never finished")
        first = await stage.next_message()
        for number in range(AHEAD):
            await stage.hear(f"finished {number}")
        stage.say("one too many")
        await stage.no_message(100)
        await first.done()
        with trio.fail_after(10):
            assert (await stage.next_message()).text == "one too many"
