"""What went wrong when a bot sent: dead tokens, throttles, bursts, lost answers."""

from itertools import pairwise

from holdfast.core.commands import Report, Send
from holdfast.core.outbox import Phase
from holdfast.replay.incidents.weixin_stage import WeixinStage
from holdfast.replay.world.weixin_faults import Code, Fields, Wire
from holdfast.replay.world.weixin_inbound import USER, Inbound

# What the real peer was seen to say with -2; None is no text at all.
WORDS = ("rate limited", "unknown error", "prepare failed", "")


async def night_push_answered_minus_14(stage: WeixinStage) -> None:
    """A push after a quiet night: the context token is dead, the peer answers -14."""
    await stage.hear("good night")
    stage.tell("overnight the context token dies; the peer will answer -14")
    stage.peer.expire_context(
        USER, refusal=Code(at="sendmessage", errcode=-14, errmsg="session timeout")
    )
    await _delivered_on_second_try(stage, "good morning")
    stage.expect(stage.state.session.phase == "active", "the login is not doubted")

    stage.tell("a restart must not bring the dead token back")
    await stage.restart()
    await stage.until_polling()
    tried = len(stage.sends)
    await _delivered(stage, "anything new?")
    stage.expect(len(stage.sends) == tried + 1, "it went out in one try")
    stage.expect("context_token" not in _last(stage), "no token was used")

    stage.tell("the user writes; the new token is used again")
    await stage.hear("hello again")
    await _delivered(stage, "welcome back")
    stage.expect(_last(stage).get("context_token"), "the new token was used")


async def night_push_answered_minus_2(stage: WeixinStage) -> None:
    """The same night, but the peer says -2, each time with another text."""
    for words in WORDS:
        await stage.hear("good night")
        stage.tell(
            f"the token dies; the peer will answer -2 with {words or 'no text'!r}"
        )
        refusal = Code(at="sendmessage", ret=-2, errmsg=words)
        stage.peer.expire_context(USER, refusal=refusal)
        await _delivered_on_second_try(stage, f"good morning ({words})")


async def throttled_until_the_peer_writes(stage: WeixinStage) -> None:
    """The peer answers -2 to a send without any token: only then it is a throttle."""
    throttle = Code(at="sendmessage", ret=-2, errmsg="rate limited")
    stage.peer.arm(throttle)
    stage.tell("every send is refused with -2; nothing carries a token")
    delivery = await stage.send("are you there?")
    status = await delivery.settled()
    stage.expect(status and status.state == Phase.PARKED, "the part is parked")
    told = status.parts[0].error if status else ""
    stage.expect(told == "-2 rate limited", "the sender is told the peer's words")
    tries = stage.policy.delivery.throttles_max + 1
    stage.expect(len(stage.sends) == tries, f"it was tried {tries} times, no more")
    gaps = _gaps_ms(stage)
    stage.expect(gaps == sorted(gaps), f"each wait is longer than the last: {gaps}")

    stage.tell("the peer recovers, and the user writes: now it goes out")
    stage.peer.heal()
    await stage.hear("here I am")
    status = await delivery.settled()
    stage.expect(status and status.state == Phase.ACCEPTED, "it is delivered")


async def burst_is_paced(stage: WeixinStage) -> None:
    """A bot sends eight parts while a schedule sends too: bursts are punished."""
    await stage.hear("tell me everything")
    friends = [f"{n}-{USER}" for n in range(2)]
    for friend in friends:
        stage.peer.say(Inbound(text="me too", from_user=friend))
        await (await stage.next_message()).done()
    parts = 8
    text = "\n\n".join(
        f"chapter {n}: " + "x" * (stage.policy.delivery.text_points_max - 100)
        for n in range(parts)
    )
    stage.tell(f"{parts} parts for one user, and four pushes to two others")
    long = await stage.send(text)
    others = [await stage.send(f"push {n}", to=friends[n % 2]) for n in range(4)]
    for delivery in (long, *others):
        await delivery.settled()
    shown = [part.text for part in stage.shown()]
    stage.expect("".join(shown) == text, "the parts arrive whole and in order")
    pace = stage.policy.delivery
    least_ms = max(pace.gap_ms_min, pace.gap_ms_base + pace.gap_ms_per_part)
    gaps = _gaps_ms(stage)
    stage.expect(min(gaps) >= least_ms, f"sends are {least_ms} ms apart: {gaps}")
    long_ms = max(pace.gap_ms_min, pace.gap_ms_base + pace.gap_ms_per_part * parts)
    paced = sum(gap >= long_ms for gap in gaps)
    stage.expect(paced >= parts - 1, f"long deliveries go slower: {gaps}")


async def accepted_but_never_shown(stage: WeixinStage) -> None:
    """The peer answers ret 0 without a message id: accepted, perhaps never shown."""
    await stage.hear("hello?")
    stage.peer.arm(Fields(at="sendmessage", drop=("message_id",), count=1))
    delivery = await stage.send("this may never be seen")
    status = await delivery.settled()
    stage.expect(status and status.state == Phase.UNCONFIRMED, "it is not called sent")
    stage.tell("the sender is told: unconfirmed")


async def answer_to_a_send_is_lost(stage: WeixinStage) -> None:
    """A send arrives, its answer does not: it is repeated under the same client id."""
    await stage.hear("what time is it?")
    stage.tell("the next answer gets lost after the message was delivered")
    stage.peer.arm(
        Wire(at="sendmessage", how="reset_before_headers", acted=True, count=1)
    )
    delivery = await stage.send("noon")
    status = await delivery.settled()
    stage.expect(
        status and status.state == Phase.ACCEPTED, "the second try is accepted"
    )
    first, second = (call.body["msg"]["client_id"] for call in stage.sends)
    stage.expect(first == second, "both tries bear one id")
    reports = [c for told in stage.told for c in told.commands if isinstance(c, Report)]
    stage.expect(reports[0].state == Phase.UNKNOWN, "the sender is told meanwhile")


async def _delivered(stage: WeixinStage, text: str) -> None:
    status = await (await stage.send(text)).settled()
    stage.expect(status and status.state == Phase.ACCEPTED, f"{text!r} is accepted")
    stage.expect(stage.shown()[-1].text == text, f"the user sees {text!r}")


async def _delivered_on_second_try(stage: WeixinStage, text: str) -> None:
    """Expect a try with the token and, at once, one without; nobody notices."""
    tried = len(stage.sends)
    await _delivered(stage, text)
    first, second = (call.body["msg"] for call in stage.sends[tried:])
    stage.expect(first.get("context_token"), "the first try carried the token")
    stage.expect("context_token" not in second, "the second try did not")
    stage.expect(first["client_id"] == second["client_id"], "both bear one id")
    with_token = [
        command
        for told in stage.told
        for command in told.commands
        if isinstance(command, Send) and command.context
    ]
    tokens = [command.context for command in with_token]
    stage.expect(len(set(tokens)) == len(tokens), "a dead token is never used twice")


def _last(stage: WeixinStage) -> dict[str, object]:
    message: dict[str, object] = stage.sends[-1].body["msg"]
    return message


def _gaps_ms(stage: WeixinStage) -> list[int]:
    """Return the time between one send's end and the next one's arrival."""
    calls = stage.sends
    return [
        later.at_ms - (sooner.answered_ms or sooner.at_ms)
        for sooner, later in pairwise(calls)
    ]


PLAYS = (
    night_push_answered_minus_14,
    night_push_answered_minus_2,
    throttled_until_the_peer_writes,
    burst_is_paced,
    accepted_but_never_shown,
    answer_to_a_send_is_lost,
)
