"""What went wrong with logins: -14 on the poll, and what bots made of it."""

import trio

from holdfast.core.commands import Escalate
from holdfast.core.session import NEEDS_LOGIN
from holdfast.replay.incidents.weixin_stage import WeixinStage
from holdfast.replay.world.weixin_faults import Code
from holdfast.replay.world.weixin_inbound import USER

WITHIN_MS = 5_000


async def poll_answered_minus_14(stage: WeixinStage) -> None:
    """The poll answers -14 though the login is good: other bots pause for an hour."""
    for turn in ("once", "and a second time, later"):
        await stage.until_polling()
        stage.tell(f"the peer answers -14 to the poll, {turn}")
        before = len(stage.peer.peer.log)
        stage.peer.arm(_minus_14(count=1))
        await stage.until(lambda state: state.session.phase != "active")
        lost_ms = stage.told[-1].fact.at_ms
        await stage.until_polling()
        took_ms = stage.told[-1].fact.at_ms - lost_ms
        stage.expect(took_ms <= WITHIN_MS, f"it polls again at once: {took_ms} ms")
        stage.tell(
            f"credentials reloaded, notifystart, polling again after {took_ms} ms"
        )
        calls = [call.endpoint for call in stage.peer.peer.log[before:]]
        stage.expect("notifystart" in calls, "notifystart was called")
        await stage.hear("still there?")
        await stage.until(lambda state: state.session.refusals == 0)


async def login_refused_until_a_human_acts(stage: WeixinStage) -> None:
    """Another client was bound: the token stays dead until somebody logs in again."""
    await stage.until_polling()
    stage.tell("the user binds another client; our token is dead for good")
    stage.peer.bind_elsewhere()
    state = await stage.until(lambda state: state.session.needs_login)
    escalated = [
        command
        for told in stage.told
        for command in told.commands
        if isinstance(command, Escalate) and command.code == NEEDS_LOGIN
    ]
    stage.expect(len(escalated) == 1, "a human is asked exactly once")
    stage.tell("three probes refused: needs_login is escalated, slow probes go on")
    due_ms = state.session.due_ms
    await stage.until(lambda state: state.session.due_ms > due_ms)
    stage.expect(stage.state.session.needs_login, "probing goes on meanwhile")

    stage.tell(
        "the human logs in: new credentials appear on disk, nothing is restarted"
    )
    stage.peer.rebind(token="b1c2d3e4f5a6@im.bot:0600ee55ff667788")
    stage.write_login(stage.peer.peer.token)
    await stage.until_polling()
    await stage.hear("are you back?")
    await stage.until(lambda state: state.session.refusals == 0)
    stage.expect(not stage.state.session.needs_login, "nobody is asked any more")


async def sends_go_out_while_the_login_is_doubted(stage: WeixinStage) -> None:
    """The poll says -14 for minutes; what the bot sends has nothing to do with it."""
    await stage.hear("keep me posted")
    stage.tell("the poll and notifystart answer -14; sends would be accepted")
    stage.peer.arm(_minus_14())
    stage.peer.arm(Code(at="notifystart", errcode=-14, errmsg="session timeout"))
    await stage.until(lambda state: state.session.phase != "active")
    texts = [f"progress {number}" for number in range(3)]
    for text in texts:
        status = await (await stage.send(text)).settled()
        stage.expect(status and status.state == "accepted", f"{text!r} goes out")
        stage.expect(stage.state.session.phase != "active", "and changes no phase")
    seen = [shown.text for shown in stage.shown()]
    stage.expect(seen == texts, "the user sees all three")
    stage.peer.heal()
    await stage.until_polling()
    stage.tell("three sends went out during the recovery; now the poll is back")


async def restart_while_expired(stage: WeixinStage) -> None:
    """The service is restarted while its login is refused, and goes on where it was."""
    await stage.hear("hello")
    stage.peer.bind_elsewhere()
    await stage.until(lambda state: state.session.phase == "backoff")
    await stage.restart()
    stage.peer.rebind()
    with trio.fail_after(600):
        await stage.until_polling()
    await stage.hear("that was quick")
    stage.expect(stage.state.outbox.peers[USER].context, "tokens survived")


def _minus_14(count: int | None = None) -> Code:
    return Code(
        at="getupdates",
        errcode=-14,
        errmsg="session timeout",
        count=count,
        cuts_hold=True,
    )


PLAYS = (
    poll_answered_minus_14,
    login_refused_until_a_human_acts,
    sends_go_out_while_the_login_is_doubted,
    restart_while_expired,
)
