"""What went wrong with reconnects: bots that gave up, and bots that hammered."""

from holdfast.core.commands import OpenSocket, SetTimer
from holdfast.core.connection import RETRY, UNREACHABLE
from holdfast.replay.incidents.qq_stage import QqStage
from holdfast.replay.incidents.stage import BUSY_MS
from holdfast.replay.world.qq_faults import Answer, AnyFault, Closing, Hello, Outage

# The delay of a dial is one thing, the way to READY another.
WAY_MS = 1_000
MINUTES, DIALS = 93, 10


async def network_gone_for_two_hours(stage: QqStage) -> None:
    """The network is gone for two hours: other bots give up and tell nobody."""
    await stage.hear("hello")
    cap_ms = stage.policy.connection.backoff_ms_max
    gone_ms = 120 * cap_ms
    stage.tell("nothing can be reached for two hours")
    since, back_ms = len(stage.told), stage.peer.now_ms() + gone_ms
    stage.peer.arm(Outage(to_ms=gone_ms))
    lost = await stage.until_lost()
    phases = stage.service.health(stage.account).phases
    stage.expect(phases["connection"] == "reconnecting", "health says so at once")
    stage.say("is anybody there?")
    await stage.until_ready()
    took_ms = stage.told[-1].fact.at_ms - back_ms
    stage.expect(took_ms <= cap_ms + WAY_MS, f"one delay is enough: {took_ms} ms")
    stage.tell(f"{took_ms} ms after its return the account is back")
    waits = [
        told.after.connection.due_ms - told.fact.at_ms for told in stage.told[since:]
    ]
    stage.expect(max(waits) <= cap_ms, f"no wait is longer than {cap_ms} ms")
    told = [act.code for act in stage.escalations]
    stage.expect(told == [UNREACHABLE], f"a human is told once: {told}")
    stage.expect(lost.after.connection.phase == "reconnecting", "it goes on trying")
    await stage.catch_up()


async def every_dial_fails_for_93_minutes(stage: QqStage) -> None:
    """Dials fail in every way for 93 minutes, and the bot must not become a zombie."""
    await stage.hear("hello")
    cap_ms, since = stage.policy.connection.backoff_ms_max, len(stage.told)
    troubles: tuple[tuple[str, AnyFault], ...] = (
        ("a captive portal", Answer(at="websocket", status=200, body="<html></html>")),
        ("a black hole", Answer(at="websocket", wire="never_answer")),
        ("resets", Answer(at="websocket", wire="reset_before_headers")),
        ("no Hello", Hello(kind="silent")),
        ("a gateway call answered 500", Answer(at="gateway_bot", status=500)),
        ("HTTP 502", Answer(at="websocket", status=502, body="<html></html>")),
    )
    for number, (what, fault) in enumerate(troubles):
        stage.tell(f"dials meet {what}")
        stage.peer.heal()
        stage.peer.arm(fault)
        if fault == troubles[4][1]:
            stage.peer.arm(Answer(at="websocket", wire="reset_before_headers"))
        if not number:
            await stage.lose(1006)
            stage.say("you do not answer")
        until_ms = stage.peer.now_ms() + MINUTES * cap_ms // len(troubles)
        await _let_pass(stage, until_ms)
    stage.expect(stage.state.connection.phase == "reconnecting", "it never gave up")
    tried = len(
        [told for told in stage.told[since:] if told.after.connection.dialed_ms]
    )
    stage.expect(tried > MINUTES, f"it went on all the time: {tried}")
    back_ms = stage.peer.now_ms()
    stage.peer.heal()
    await stage.until_ready()
    took_ms = stage.told[-1].fact.at_ms - back_ms
    most_ms = cap_ms + stage.policy.gateway.dial_timeout_ms + BUSY_MS
    stage.expect(took_ms <= most_ms, f"it is back soon: {took_ms} ms")
    told = [act.code for act in stage.escalations]
    stage.expect(told == [UNREACHABLE], f"a human is told once: {told}")
    await stage.catch_up()


async def closed_as_soon_as_it_is_up(stage: QqStage) -> None:
    """The platform closes right after READY, then after RESUMED, again and again."""
    await stage.hear("hello")
    for what, code in (("RESUMED", 4009), ("READY", 4900)):
        stage.tell(f"each socket is closed with {code} right after {what}")
        await _closed_again_and_again(stage, code)
        await stage.hear(f"still there after {what}?")
    names = stage.begun()
    stage.expect("identify" in names and "resume" in names, "both were tried")


async def _let_pass(stage: QqStage, until_ms: int) -> None:
    await stage.until(lambda _: stage.peer.now_ms() > until_ms)


async def _closed_again_and_again(stage: QqStage, code: int) -> None:
    since, limits = len(stage.told), stage.policy.connection
    stage.peer.arm(Closing(close=code, count=None))
    await stage.until(lambda _: len(stage.acts(OpenSocket, since)) > DIALS)
    waits = [
        timer.due_ms - at_ms
        for at_ms, timer in stage.acts(SetTimer, since)
        if timer.name == RETRY
    ]
    slow = min(waits[1:]) >= limits.cooldown_ms
    capped = max(waits) <= limits.backoff_ms_max
    stage.expect(slow and capped, f"only the first wait may be short: {waits}")
    attempts = [told.after.connection.attempt for told in stage.told[since:]]
    stage.expect(attempts == sorted(attempts), f"the backoff grows: {attempts}")
    stage.expect(attempts[-1] >= limits.dials_before_escalation, "to its cap")
    stage.peer.heal()
    await stage.until_ready()


PLAYS = (
    network_gone_for_two_hours,
    every_dial_fails_for_93_minutes,
    closed_as_soon_as_it_is_up,
)
