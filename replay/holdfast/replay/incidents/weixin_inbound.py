"""What went wrong with inbound messages: doubles, lost answers, crashes."""

from holdfast.core.commands import SetTimer
from holdfast.core.connection import RETRY
from holdfast.replay.incidents.weixin_stage import WeixinStage
from holdfast.replay.world.weixin_faults import HttpStatus, Late, Wire
from holdfast.replay.world.weixin_inbound import FIRST_ID, Copy, Inbound

QUIET_S = 30.0
HOLD_MS = 35_000


async def same_message_twice(stage: WeixinStage) -> None:
    """The peer hands one message out twice: seconds, minutes and a restart later."""
    await stage.until_polling()
    message = await stage.hear("remind me at noon")
    again = Copy(context="fresh")
    stage.tell("the same message comes again, at once, and 40 minutes later")
    stage.peer.repeat(again)
    await stage.no_message(_span_s(stage, QUIET_S))
    stage.peer.repeat(again)
    await stage.no_message(_span_s(stage, 40 * 60))
    stage.tell("and again after a restart")
    await stage.restart()
    stage.peer.repeat(again)
    await stage.no_message(_span_s(stage, QUIET_S))
    stage.tell("two ids that are one as doubles, and a text said twice, are all new")
    for text, message_id in (("a", FIRST_ID + 400), ("b", FIRST_ID + 401)):
        stage.peer.say(Inbound(text=text, message_id=message_id))
        offered = await stage.next_message()
        stage.expect(offered.id == str(message_id), f"{message_id} is exact")
        await offered.done()
    again_said = await stage.hear("remind me at noon")
    stage.expect(again_said.id != message.id, "a real repeat is not dropped")


async def polls_fail_in_every_way(stage: WeixinStage) -> None:
    """Late answers, 524, resets, silence: the poll goes on, sends never notice."""
    await stage.hear("hello")
    hold_ms = stage.peer.peer.settings.hold_ms
    troubles = (
        ("an answer just after the hold", Late(at="getupdates", delay_ms=5, count=2)),
        (
            "HTTP 524",
            HttpStatus(at="getupdates", status=524, after_ms=hold_ms // 2, count=1),
        ),
        ("a reset", Wire(at="getupdates", how="reset_before_headers", count=1)),
        (
            "a stall after the headers",
            Wire(at="getupdates", how="headers_then_stall", count=1),
        ),
        ("a body cut short", Wire(at="getupdates", how="cut_body", count=1)),
        ("a half-open socket", Wire(at="getupdates", how="never_answer", count=1)),
    )
    for what, fault in troubles:
        await stage.until_polling()
        before = len(stage.peer.peer.log)
        stage.tell(f"the next poll meets {what}")
        stage.peer.arm(fault)
        await stage.until_struck(before)
        status = await (await stage.send(f"during {what}")).settled()
        stage.expect(status and status.state == "accepted", f"a send passes: {what}")
        heard = await stage.hear(f"after {what}")
        stage.expect(heard, "the message arrives")
    delays = [
        command.due_ms - told.fact.at_ms
        for told in stage.told
        for command in told.commands
        if isinstance(command, SetTimer) and command.name == RETRY
    ]
    cap_ms = stage.policy.connection.backoff_ms_max
    stage.expect(max(delays) <= cap_ms, f"no wait is over {cap_ms} ms: {delays}")


async def crash_between_record_and_done(stage: WeixinStage) -> None:
    """The plug is pulled while the bot handles a message and a send is under way."""
    await stage.hear("hello")
    stage.peer.say("do something that takes long")
    first = await stage.next_message()
    stage.peer.arm(Wire(at="sendmessage", how="never_answer", acted=True, count=1))
    await stage.send("working on it")
    await stage.until(lambda state: state.outbox.sending)
    await stage.peer.until(lambda peer: peer.log[-1].endpoint == "sendmessage")
    stage.tell("the plug is pulled: a message is half handled, a send half sent")
    await stage.pull_the_plug()
    second = await stage.next_message()
    stage.expect(second.id == first.id, "the message is offered again")
    await second.done()
    await stage.until(lambda state: not state.outbox.queues)
    before, after = (call.body["msg"]["client_id"] for call in stage.sends)
    stage.expect(before == after, "the send keeps its id")
    await stage.pull_the_plug()
    stage.tell("after done it is never offered again, whatever is pulled")
    await stage.no_message(_span_s(stage, QUIET_S))


def _span_s(stage: WeixinStage, seconds: float) -> float:
    """Wait shorter where the peer's holds are shorter than the real one's."""
    return seconds * (stage.peer.peer.settings.hold_ms / HOLD_MS) ** 2


PLAYS = (same_message_twice, polls_fail_in_every_way, crash_between_record_and_done)
