"""What went wrong with messages: crashes, replays, answers that got lost."""

import trio

from holdfast.core.commands import Resume as GoOn
from holdfast.core.commands import Send
from holdfast.replay.incidents.qq_stage import QqStage
from holdfast.replay.world.qq_faults import Answer, Resume, Suppress, Twist


async def killed_before_the_message_was_handled(stage: QqStage) -> None:
    """A dispatch is recorded; the process is killed before the bot handled it."""
    await stage.hear("hello")
    stage.say("do something that takes long")
    first = await stage.next_message()
    known = stage.state.resumption.seq
    stage.tell("the plug is pulled; the user writes twice while nobody is there")
    stage.cut_off()
    stage.say("are you there?")
    stage.say("hello?")
    since = len(stage.told)
    await stage.restart()
    await stage.until_ready()
    ((_, resume),) = stage.acts(GoOn, since)
    stage.expect(resume.seq == known, f"{known} is the last on disk: {resume.seq}")
    again = await stage.next_message()
    stage.expect(again.id == first.id, "the message is offered again")
    await again.done()
    stage.heard.append(again.text)
    await stage.catch_up()
    stage.tell("offered again, and what was said meanwhile after it, each once")
    await stage.pull_the_plug()
    await stage.until_ready()
    await stage.no_message(stage.policy.connection.ping_ms / 1_000)


async def events_replayed_and_repeated(stage: QqStage) -> None:
    """A Resume replays what the bot has; events come twice, late, under two names."""
    for text in ("one", "two", "three"):
        await stage.hear(text)
    strange = (
        ("replays what we have", Resume(kind="again", by=3)),
        ("replays backwards", Resume(kind="shuffle")),
        ("confirms before the replay", Resume(kind="early")),
        ("answers READY", Resume(kind="ready")),
    )
    for what, fault in strange:
        stage.peer.arm(fault)
        stage.peer.close(4009)
        for number in range(2):
            stage.say(f"{number}, while the Resume {what}")
        await stage.until_lost()
        await stage.until_ready()
        await _take_both(stage)
        stage.peer.heal()
    late_ms = 7 * stage.policy.connection.backoff_ms_max
    stage.tell("each event comes twice, and once more seven minutes later")
    stage.peer.arm(Twist(kind="copy", after_ms=late_ms, count=1))
    await stage.hear("said once")
    stage.peer.arm(Twist(kind="repeat", count=1))
    await stage.hear("said once, too")
    await stage.no_message(2 * late_ms / 1_000)


async def answer_to_a_reply_is_lost(stage: QqStage) -> None:
    """A reply arrives, its answer does not: the next try is refused as a duplicate."""
    message = await stage.hear("what time is it?")
    stage.tell("the answer gets lost after the message was delivered")
    lost = Answer(at="c2c", acted=True, wire="reset_before_headers", count=1)
    stage.peer.arm(lost)
    delivery = await stage.send("noon", reply_to=message.id)
    status = await delivery.settled()
    stage.expect(status and status.state == "accepted", f"it is accepted: {status}")
    first, second = (act.number for _, act in stage.acts(Send))
    stage.expect(first == second > 0, "both tries bear one msg_seq")
    stage.expect(stage.shown() == ["noon"], f"shown once: {stage.shown()}")


async def accepted_and_never_shown(stage: QqStage) -> None:
    """Sends after a lost connection are answered 200, and nobody ever sees them."""
    await stage.hear("hello")
    doubt_ms = stage.policy.gateway.doubt_ms
    stage.peer.arm(Suppress(loss_ms=doubt_ms))
    await stage.lose(4009)
    status = await (await stage.send("who sees this?")).settled()
    doubtful = status and status.state == "unconfirmed"
    stage.expect(doubtful, f"it is not called sent: {status}")
    stage.tell("accepted right after a 4009: the sender is told unconfirmed")
    await trio.sleep(2 * doubt_ms / 1_000)
    status = await (await stage.send("and this?")).settled()
    stage.expect(status and status.state == "accepted", f"later it is: {status}")
    stage.expect(stage.shown() == ["and this?"], f"{stage.shown()}")


async def _take_both(stage: QqStage) -> None:
    """Take two messages that may come in either order."""
    for _ in range(2):
        message = await stage.next_message()
        stage.expect(message.text in stage.said, f"{message.text!r} was said")
        stage.expect(message.text not in stage.heard, f"{message.text!r} is new")
        await message.done()
        stage.heard.append(message.text)
    stage.heard = stage.said[: len(stage.heard)]


PLAYS = (
    killed_before_the_message_was_handled,
    events_replayed_and_repeated,
    answer_to_a_reply_is_lost,
    accepted_and_never_shown,
)
