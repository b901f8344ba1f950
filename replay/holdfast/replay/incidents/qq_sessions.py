"""What went wrong with sessions: resumes refused for ever, identifies in a loop."""

from holdfast.core.commands import Identify as Begin
from holdfast.core.session import NEEDS_LOGIN
from holdfast.replay.incidents.qq_stage import QqStage
from holdfast.replay.incidents.stage import BUSY_MS
from holdfast.replay.world.qq_faults import Closing, Identify, Resume

REFUSALS = (
    ("op 9", Resume(first="op9_false")),
    ("op 9 and a close", Resume(first="op9_false", close=4903)),
    ("op 9 that says resumable", Resume(first="op9_true")),
    ("close 4006", Resume(close=4006)),
    ("close 4007", Resume(close=4007)),
    ("close 4902", Resume(close=4902)),
    ("a bare end", Resume(close=1006)),
    ("silence", Resume()),
)


async def resume_refused_again_and_again(stage: QqStage) -> None:
    """Every Resume is refused; other bots resume for ever and never come back."""
    await stage.hear("hello")
    most = stage.policy.gateway.resumes_max
    for what, fault in REFUSALS:
        since = len(stage.told)
        stage.peer.arm(fault)
        await stage.lose(4009)
        await stage.until_ready()
        begun = stage.begun(since)
        stage.tell(f"{what} to each Resume: {', '.join(begun)}")
        stage.expect(begun[-1] == "identify", f"a new session is begun: {begun}")
        stage.expect(begun.count("identify") == 1, "and only one")
        stage.expect(begun.count("resume") <= most, f"after {most} resumes at most")
        stage.peer.heal()
        await stage.hear(f"back after {what}")


async def identify_refused_for_hours(stage: QqStage) -> None:
    """Every Identify is refused for two hours: a loop would spend the day's quota."""
    await stage.hear("hello")
    slow_ms, since = stage.policy.session.slow_probe_ms, len(stage.told)
    stage.peer.arm(Identify(first="op9_false", close=4903))
    stage.peer.drop_sessions()
    stage.tell("the session is gone, and each Identify meets op 9 and close 4903")
    await stage.lose(4006)
    until_ms = stage.peer.now_ms() + 24 * slow_ms
    await stage.until(lambda state: state.session.needs_login)
    codes = [act.code for act in stage.escalations]
    stage.expect(codes.count(NEEDS_LOGIN) == 1, f"a human is asked once: {codes}")
    await stage.until(lambda _: stage.peer.now_ms() > until_ms)
    tried = stage.begun(since).count("identify")
    probes = stage.policy.session.probes_before_login
    stage.expect(tried <= 24 + probes + 1, f"slow probes go on, no more: {tried}")
    stage.expect(tried > probes, "and they do go on")
    stage.tell(f"{tried} identifies in all that time; a human was asked once")
    stage.peer.heal()
    await stage.until_ready()
    took_ms = stage.told[-1].fact.at_ms - until_ms
    stage.expect(
        took_ms <= 2 * slow_ms + BUSY_MS, f"it comes back by itself: {took_ms} ms"
    )
    await stage.hear("back again")


async def sessions_die_as_they_begin(stage: QqStage) -> None:
    """Each new session is closed with 4900 at once, for an hour: identifies are few."""
    await stage.hear("hello")
    limits, since = stage.policy.gateway, len(stage.told)
    minute_ms = stage.policy.connection.backoff_ms_max
    began_ms = stage.peer.now_ms()
    stage.peer.arm(Closing(close=4900, count=None))
    await stage.until(lambda _: stage.peer.now_ms() > began_ms + 60 * minute_ms)
    tried = len(stage.acts(Begin, since))
    took_ms = stage.peer.now_ms() - began_ms
    most = limits.identify_burst + took_ms // limits.identify_gap_ms + 1
    stage.expect(tried <= most, f"{tried} identifies in an hour, at most {most}")
    left = stage.peer.peer.quota_left
    day = 24 * tried
    stage.tell(f"{tried} identifies in an hour; {left} of the day's quota are left")
    stage.expect(left > 0, f"the quota lasts: {day} a day")
    stage.peer.heal()
    await stage.until_ready()
    await stage.hear("this one lives")


PLAYS = (
    resume_refused_again_and_again,
    identify_refused_for_hours,
    sessions_die_as_they_begin,
)
