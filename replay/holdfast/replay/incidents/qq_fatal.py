"""What only a human can mend: bans, intents, secrets, allow lists, and no hammering."""

from msgspec.structs import replace

from holdfast.core.commands import Escalate, FetchGateway, FetchToken, OpenSocket
from holdfast.core.connection import Phase
from holdfast.core.policy import Policy
from holdfast.core.qq_codes import ADVICE
from holdfast.replay.incidents.qq_stage import QqStage
from holdfast.replay.world.qq_faults import Answer, Identify
from holdfast.replay.world.qq_settings import INTENTS_ALL, Refusal

PROBES = 3
GROUP_AND_C2C = 1 << 25


async def bot_delisted_or_banned(stage: QqStage) -> None:
    """The bot is delisted (4914) or banned (4915): other bots identify for ever."""
    await stage.hear("hello")
    for code in (4914, 4915):
        since = len(stage.told)
        stage.peer.arm(Identify(close=code, count=PROBES))
        stage.tell(f"the platform closes with {code}, and closes each new socket so")
        stage.peer.close(code)
        await _fatal(stage, f"close_{code}", ADVICE[code])
        status = await (await stage.send(f"sent while {code} stands")).settled()
        sent = status and status.state in ("accepted", "unconfirmed")
        stage.expect(sent, f"a send asks no socket: {status}")
        await stage.until_ready()
        _expect_slow(stage, since)
        stage.tell("only the slow timer dialled; it leads out once the ban is over")
        await stage.hear(f"after {code}")


async def intents_not_granted(stage: QqStage) -> None:
    """The intents asked for are not granted (4014) or invalid (4013)."""
    await stage.hear("hello")
    asked = stage.policy
    refusals: tuple[tuple[Refusal, int], ...] = (("4014", 4014), ("4013", 4013))
    for refusal, code in refusals:
        granted = INTENTS_ALL & ~(1 << 26)
        stage.set(granted=granted, ungranted=refusal)
        stage.policy = _with_intents(asked, GROUP_AND_C2C | 1 << 26)
        stage.peer.drop_sessions()
        await stage.restart()
        await _fatal(stage, f"close_{code}", ADVICE[code])
        stage.tell(f"{code}: {ADVICE[code]}; then it is configured otherwise")
        stage.policy = asked
        await stage.restart()
        await stage.until_ready()
        await stage.hear(f"after {code}")


async def secret_is_wrong(stage: QqStage) -> None:
    """The app's secret was renewed in the console; the configured one is refused."""
    await stage.hear("hello")
    since = len(stage.told)
    stage.set(secret="ANOTHERSECRETANOTHER")
    stage.peer.drop_tokens()
    stage.tell("the old token dies, and for the old secret there is no new one")
    stage.peer.close(4004)
    await _fatal(stage, "token_100016", ADVICE[100016])
    calls = len(stage.acts(FetchToken, since))
    stage.expect(calls == 1, f"the secret is tried once: {calls}")
    stage.tell("the new secret is written to disk; nothing is restarted")
    stage.write_login(stage.peer.peer.settings.secret)
    await stage.until_ready()
    await stage.hear("with the new secret")


async def address_not_on_the_allow_list(stage: QqStage) -> None:
    """The machine's address is not on the bot's allow list (11298)."""
    await stage.hear("hello")
    since = len(stage.told)
    refused = Answer(
        at="gateway_bot", status=401, code=11298, err_code=40023002, message="denied"
    )
    stage.peer.arm(refused)
    # The address of the gateway is asked for anew after a few dials that failed.
    stage.peer.arm(Answer(at="websocket", status=401))
    stage.peer.close(1006)
    stage.say("said meanwhile")
    await _fatal(stage, "gateway_40023002", ADVICE[11298])
    asked = len(stage.acts(FetchGateway, since))
    stage.expect(asked == 1, f"the platform is asked once: {asked}")
    stage.tell("the address is put on the list, and the host asks to try again")
    stage.peer.heal()
    await stage.service.retry(stage.account)
    await stage.until_ready()
    await stage.catch_up()


async def _fatal(stage: QqStage, code: str, advice: str) -> None:
    """Wait until the account needs a human, who is told what to do."""
    await stage.until(lambda state: state.connection.phase is Phase.FATAL)
    told = stage.told[-1].commands
    said = next((act for act in told if isinstance(act, Escalate)), None)
    stage.expect(said is not None and said.code == code, f"{code} is told: {told}")
    stage.expect(said is not None and advice in said.reason, f"with advice: {said}")
    fatal = stage.service.health(stage.account).fatal
    known = fatal is not None and (fatal.code, fatal.retryable) == (code, True)
    stage.expect(known, f"health shows it: {fatal}")


def _expect_slow(stage: QqStage, since: int) -> None:
    slow_ms = stage.policy.connection.fatal_retry_ms
    dials = [at_ms for at_ms, _ in stage.acts(OpenSocket, since)]
    stage.expect(len(dials) == PROBES + 1, f"it was dialled {len(dials)} times")
    gaps = stage.dial_gaps_ms(since)
    stage.expect(min(gaps) >= slow_ms, f"slowly: {gaps}")


def _with_intents(policy: Policy, intents: int) -> Policy:
    return replace(policy, gateway=replace(policy.gateway, intents=intents))


PLAYS = (
    bot_delisted_or_banned,
    intents_not_granted,
    secret_is_wrong,
    address_not_on_the_allow_list,
)
