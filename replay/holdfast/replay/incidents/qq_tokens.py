"""What went wrong with access tokens: hot loops, errors with HTTP 200, dead tokens."""

from itertools import pairwise

import trio

from holdfast.core.commands import FetchToken, Send
from holdfast.replay.incidents.qq_stage import QqStage
from holdfast.replay.world.qq_faults import Answer

# What the token call was seen to say of a token's life, and what it never should.
LIVES = ("60", "0", "soon", None)
CALLS_MAX, TRIES = 60, 2


async def token_expires_in_sixty_seconds(stage: QqStage) -> None:
    """The token call answers expires_in "60": 60 - 60 = 0, and others loop on it."""
    await stage.hear("hello")
    for life in LIVES:
        stage.peer.heal()
        changed = {"set": {"expires_in": life}} if life else {"drop": ("expires_in",)}
        stage.peer.arm(Answer(at="token", acted=True, **changed))
        # A send that is refused asks for a token at once.
        stage.peer.drop_tokens()
        since = len(stage.told)
        await _accepted(stage, f"sent under {life}")
        await trio.sleep(10 * stage.policy.token.renew_ms_max / 1_000)
        calls = [at_ms for at_ms, _ in stage.acts(FetchToken, since)]
        gaps = [later - sooner for sooner, later in pairwise(calls)]
        stage.tell(f"expires_in {life!r}: {len(calls)} calls in ten minutes")
        least_ms = stage.policy.token.renew_ms_min
        stage.expect(not gaps or min(gaps) >= least_ms, f"never a hot loop: {gaps}")
        stage.expect(
            len(calls) < CALLS_MAX, f"the same token is asked for slowly: {gaps}"
        )
    stage.expect(stage.begun() == ["identify"], "the socket never noticed")


async def token_call_fails_with_status_200(stage: QqStage) -> None:
    """The token call fails with HTTP 200, a code or HTML in its body, for minutes."""
    await stage.hear("hello")
    failures = (
        ("code 100001", Answer(at="token", code=100001, message="too many requests")),
        ("HTML", Answer(at="token", status=200, body="<html>busy</html>")),
        ("HTTP 502", Answer(at="token", status=502, body="<html></html>")),
    )
    for what, fault in failures:
        since = len(stage.told)
        stage.peer.arm(fault)
        stage.peer.drop_tokens()
        delivery = await stage.send(f"sent during {what}")
        await trio.sleep(5 * stage.policy.token.renew_ms_max / 1_000)
        stage.expect(not stage.state.token.handle, "there is no token")
        stage.peer.heal()
        status = await delivery.settled()
        stage.expect(status and status.state == "accepted", f"it goes out: {status}")
        calls = [at_ms for at_ms, _ in stage.acts(FetchToken, since)]
        gaps = [later - sooner for sooner, later in pairwise(calls)]
        least_ms = stage.policy.token.renew_ms_min
        stage.expect(min(gaps) >= least_ms, f"never a hot loop: {gaps}")
        stage.tell(f"{what}: asked again after {gaps} ms; then the send goes out")
    sent = [text for text in stage.shown() if text.startswith("sent during")]
    stage.expect(len(sent) == len(failures), f"each once: {sent}")
    stage.expect(stage.begun() == ["identify"], "the socket never noticed")


async def token_dies_while_the_socket_lives(stage: QqStage) -> None:
    """A send is answered 11244, token dead: one refresh, one resend, no loop."""
    await stage.hear("hello")
    stage.peer.drop_tokens()
    since = len(stage.told)
    await _accepted(stage, "sent with a dead token")
    tries = [act for _, act in stage.acts(Send, since)]
    fetched = len(stage.acts(FetchToken, since))
    stage.expect((len(tries), fetched) == (TRIES, 1), "one more of each")
    stage.expect(tries[0].number == tries[1].number, "both bear one msg_seq")
    stage.expect(tries[0].credential != tries[1].credential, "the token is another")
    stage.tell("11244: one new token, one more try, delivered")

    stage.peer.arm(Answer(at="c2c", status=401, code=11244, message="token expired"))
    since = len(stage.told)
    delivery = await stage.send("sent, and refused whatever token it bears")
    status = await delivery.settled()
    sent = [at_ms for at_ms, _ in stage.acts(Send, since)]
    gaps = [later - sooner for sooner, later in pairwise(sent)]
    most = TRIES + stage.policy.delivery.throttles_max
    stage.expect(len(sent) <= most, f"no loop: {len(sent)} tries")
    least_ms = stage.policy.delivery.throttle_ms_first
    stage.expect(min(gaps[1:]) >= least_ms, f"one resend at once, no more: {gaps}")
    error = status.parts[0].error if status else ""
    stage.expect("11244" in (error or ""), f"the sender is told: {status}")
    stage.tell(f"refused whatever it bears: parked after {len(sent)} tries, and told")
    stage.peer.heal()
    await stage.hear("and you?")
    await _accepted(stage, "fine")
    stage.expect(stage.begun() == ["identify"], "the socket never noticed")


async def _accepted(stage: QqStage, text: str) -> None:
    status = await (await stage.send(text)).settled()
    stage.expect(status and status.state == "accepted", f"{text!r} goes out: {status}")


PLAYS = (
    token_expires_in_sixty_seconds,
    token_call_fails_with_status_200,
    token_dies_while_the_socket_lives,
)
