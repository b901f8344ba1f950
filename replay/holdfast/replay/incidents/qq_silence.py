"""What went wrong with sockets: ends without a word, half-open ones, heartbeats."""

import trio

from holdfast.core.commands import Heartbeat
from holdfast.core.qq_events import HeartbeatAcked, SocketClosed
from holdfast.replay.incidents.qq_stage import QqStage
from holdfast.replay.incidents.stage import BUSY_MS
from holdfast.replay.world.qq_faults import Acks, Closing, Hello, Silence

BEATS = 5


async def closed_without_a_close_frame(stage: QqStage) -> None:
    """The socket ends without a close frame, or is reset: not every end is a close."""
    await stage.hear("hello")
    ends = (
        ("the stream ends", Closing(close=1006), "eof", None),
        ("amid a frame", Closing(close=1006, torn=True), "eof", None),
        ("a reset", Closing(close=1006, reset=True), "reset", None),
        ("a close without a code", Closing(close=1005), "closed", 1005),
        ("the server goes away", Closing(close=1001), "closed", 1001),
        ("a normal close", Closing(close=1000), "closed", 1000),
    )
    for what, fault, kind, code in ends:
        since = len(stage.told)
        stage.peer.arm(fault)
        lost = await stage.until_lost()
        end = lost.fact.event
        assert isinstance(end, SocketClosed), "that is what was waited for"
        found = end.kind, end.code
        stage.expect(found == (kind, code), f"{what}: told apart, not {found}")
        error = stage.service.health(stage.account).last_error
        named = kind if code is None else f"close_{code}"
        stage.expect(error and error.code == named, f"health knows why: {error}")
        stage.say(f"said after {what}")
        await stage.until_ready()
        stage.tell(f"{what}: recorded as {named}; resumed")
        stage.expect(stage.begun(since) == ["resume"], "the session goes on")
        await stage.catch_up()


async def reconnect_during_a_heartbeat(stage: QqStage) -> None:
    """A reconnect while a heartbeat is under way: other bots then beat twice."""
    await stage.hear("hello")
    old_ms = stage.state.socket.interval_ms
    new_ms = 30_000 * old_ms // 41_250
    stage.peer.arm(Acks(late_ms=old_ms, count=1))
    stage.peer.arm(Hello(interval_ms=new_ms, count=1))
    await stage.peer.until(lambda peer: peer.counts.heartbeats)
    stage.tell(f"a heartbeat is unanswered; the socket ends; Hello says {new_ms} ms")
    stage.peer.close(4009)
    await stage.until_lost()
    stage.expect(not stage.state.socket.beat_ms, "no heartbeat outlives its socket")
    await stage.until_ready()
    stage.expect(stage.state.socket.interval_ms == new_ms, "the new interval counts")
    number = max(stage.peer.peer.sockets)
    await stage.peer.until(lambda _: len(stage.beats(number)) >= BEATS)
    first_ms, *_, last_ms = beats = stage.beats(number)
    took_ms, due_ms = last_ms - first_ms, new_ms * (len(beats) - 1)
    early_ms = min(new_ms // 3, BUSY_MS)
    even = due_ms - early_ms <= took_ms <= due_ms + BUSY_MS
    stage.expect(even, f"one heartbeat in {new_ms} ms: {beats}")
    stage.expect(len(stage.beats(number - 1)) == 1, "the old socket got its only one")
    epochs = [act.epoch for _, act in stage.acts(Heartbeat)]
    stage.expect(epochs == sorted(epochs), f"none went astray: {epochs}")


async def acknowledgements_stop(stage: QqStage) -> None:
    """The platform acknowledges no heartbeat any more, though the socket is open."""
    await stage.hear("hello")
    await stage.until(lambda _: stage.events(HeartbeatAcked))
    acked_ms, interval_ms = stage.told[-1].fact.at_ms, stage.state.socket.interval_ms
    stage.peer.arm(Acks())
    lost = await stage.until_lost()
    took_ms = lost.fact.at_ms - acked_ms
    soon = took_ms <= 2 * interval_ms + BUSY_MS
    stage.expect(soon, f"two intervals are enough: {took_ms} ms")
    stage.peer.heal()
    stage.say("did you notice?")
    await stage.until_ready()
    stage.tell(f"noticed {took_ms} ms after the last one; resumed")
    stage.expect(stage.begun()[1:] == ["resume"], "the session goes on")
    await stage.catch_up()


async def half_open_socket(stage: QqStage) -> None:
    """The socket takes all we write and says nothing more: no events, no close."""
    await stage.hear("hello")
    ping_ms = stage.policy.connection.ping_ms
    await trio.sleep(1.5 * ping_ms / 1_000)
    silent_ms = stage.peer.now_ms()
    stage.peer.arm(Silence())
    stage.say("nobody hears this")
    lost = await stage.until_lost()
    took_ms = lost.fact.at_ms - silent_ms
    most_ms = 2 * ping_ms + BUSY_MS
    stage.expect(took_ms <= most_ms, f"two pings are enough: {took_ms} ms")
    await stage.until_ready()
    stage.tell(f"two pings unanswered: noticed after {took_ms} ms; resumed")
    stage.expect(stage.begun()[1:] == ["resume"], "the session goes on")
    await stage.catch_up()


PLAYS = (
    closed_without_a_close_frame,
    reconnect_during_a_heartbeat,
    acknowledgements_stop,
    half_open_socket,
)
