"""What went wrong every half hour: op 7, close 4009, and sessions lost by it."""

import trio

from holdfast.core.qq_events import ReconnectAsked, SocketClosed
from holdfast.replay.incidents.qq_stage import QqStage
from holdfast.replay.world.qq_faults import Closing

WITHIN_MS = 1_000
TURNS = 2


async def asked_to_renew_every_half_hour(stage: QqStage) -> None:
    """Every half hour the platform sends op 7 and closes with 4009 at once."""
    await stage.hear("hello")
    stage.set(recycle_ms=_half_hour_ms(stage))
    await _renewals(stage)
    stage.expect(len(stage.events(ReconnectAsked)) == TURNS, "each came with op 7")


async def timed_out_every_half_hour(stage: QqStage) -> None:
    """Every half hour the platform closes with 4009, without a word before."""
    await stage.hear("hello")
    up_ms = _half_hour_ms(stage)
    stage.peer.arm(Closing(close=4009, up_ms=up_ms, count=TURNS))
    await _renewals(stage)
    codes = [event.code for event in stage.events(SocketClosed)]
    stage.expect(codes == [4009] * TURNS, f"it was told why: {codes}")


async def old_socket_closed_late(stage: QqStage) -> None:
    """The 4009 that belongs to an op 7 comes a minute late: it must change nothing."""
    await stage.hear("hello")
    stable_s = stage.policy.connection.stable_ms / 1_000
    await trio.sleep(stable_s)
    stage.tell("op 7, and its 4009 a minute later")
    since = len(stage.told)
    late_ms = stage.policy.connection.backoff_ms_max
    stage.peer.arm(Closing(first="op7", close=4009, after_ms=late_ms))
    await stage.until_lost()
    await stage.until_ready()
    epoch = stage.state.connection.epoch
    stage.say("during the minute")
    await stage.catch_up()
    await trio.sleep(2 * late_ms / 1_000)
    stage.expect(stage.state.connection.epoch == epoch, "the new socket is untouched")
    stage.expect(stage.begun(since) == ["resume"], "its session went on")
    await stage.hear("after it")


async def _renewals(stage: QqStage) -> None:
    for turn in range(TURNS):
        since = len(stage.told)
        lost = await stage.until_lost()
        stage.say(f"said in gap {turn}")
        await stage.until_ready()
        took_ms = stage.told[-1].fact.at_ms - lost.fact.at_ms
        stage.tell(f"half an hour later the socket is gone; resumed in {took_ms} ms")
        stage.expect(took_ms <= WITHIN_MS, f"it goes on at once: {took_ms} ms")
        stage.expect(stage.begun(since) == ["resume"], "the session goes on")
        await stage.catch_up()
    stage.expect(not stage.escalations, "nobody is bothered")


def _half_hour_ms(stage: QqStage) -> int:
    return 30 * stage.policy.connection.backoff_ms_max


PLAYS = (
    asked_to_renew_every_half_hour,
    timed_out_every_half_hour,
    old_socket_closed_late,
)
