"""What a review of the QQ account found, each lived through before the platform."""

from msgspec.structs import replace
from qq_life import QqLife

from holdfast.core import commands as cmd
from holdfast.core import connection, qq, session
from holdfast.core.policy import Policy
from holdfast.core.qq_events import SocketClosed
from holdfast.replay.world import qq as world
from holdfast.replay.world.qq_faults import (
    Answer,
    Closing,
    Hello,
    Identify,
    Resume,
    Token,
)
from holdfast.replay.world.qq_say import USER
from holdfast.replay.world.qq_settings import Settings

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
ALICE = f"c2c:{USER}"


def well(life: QqLife) -> bool:
    return (
        life.state.session.phase is session.Phase.ACTIVE
        and life.state.connection.phase is connection.Phase.HEARTBEATING
    )


def living(settings: Settings | None = None, for_ms: int = 5_000) -> QqLife:
    life = QqLife(settings=settings)
    life.keeps = True
    life.live(for_ms)
    assert well(life)
    return life


def acts(life: QqLife, kind: type[cmd.Command]) -> list[cmd.Command]:
    return [one for _, told, _ in life.facts for one in told if isinstance(one, kind)]


def test_a_session_that_a_fatal_close_refuses_is_not_resumed_for_ever() -> None:
    life = living()
    life.arm(Resume(close=4010))
    life.arm(Closing(close=1006))
    assert life.live(HOUR_MS, lambda: bool(life.facts) and well(life) and _lost(life))
    assert life.peer.counts.resumes == 1


def _lost(life: QqLife) -> bool:
    return any(
        isinstance(fact.event, SocketClosed) and fact.event.code == 4010
        for fact, *_ in life.facts
    )


def test_a_token_that_is_refused_and_handed_out_again_makes_no_loop() -> None:
    life = living()
    life.arm(Answer(at="send", code=11244, status=401))
    before = len(acts(life, cmd.FetchToken))
    for number in range(100):
        life.send(f"c2c:{number:032X}", "hello")
    life.live(10 * MINUTE_MS)
    # The platform may be wrong for a moment only, so it is asked again, once a minute.
    assert 2 <= len(acts(life, cmd.FetchToken)) - before <= 11
    life.peer = world.heal(life.peer, life.now_ms)
    last = life.send(ALICE, "hello")
    life.live(MINUTE_MS)
    told = [one for one in life.told if isinstance(one, cmd.Report)]
    assert [one.state for one in told if one.delivery == last] == ["accepted"]


def test_a_dead_token_that_is_answered_by_op_9_is_renewed() -> None:
    life = living(Settings(wrong_token="op9"))  # noqa: S106 - how it is answered.
    life.arm(Token(to_ms=1))
    life.arm(Closing(close=4006))
    life.live(MINUTE_MS)
    assert life.live(5 * MINUTE_MS, lambda: well(life))


def test_other_intents_begin_another_session() -> None:
    life = living()
    life.policy = _with_intents(1 << 30)
    life.boot()
    life.live(MINUTE_MS)
    assert well(life)
    asked = [one for one in acts(life, cmd.Identify) if isinstance(one, cmd.Identify)]
    assert [one.intents for one in asked] == [1 << 25, 1 << 30]


def _with_intents(intents: int) -> Policy:
    return replace(qq.POLICY, gateway=replace(qq.POLICY.gateway, intents=intents))


def test_an_address_that_never_greets_is_asked_for_again() -> None:
    life = living()
    life.arm(Hello(kind="silent"))
    life.arm(Closing(close=1006))
    life.live(HOUR_MS)
    assert len(acts(life, cmd.FetchGateway)) > 5


def test_after_op_9_a_late_confirmation_is_nobodys() -> None:
    life = living()
    life.arm(Resume(kind="late", late_ms=500, first="op9_true", count=1))
    life.arm(Closing(close=1006))
    life.live(5 * MINUTE_MS)
    assert well(life)
    life.live(2 * MINUTE_MS)
    assert life.peer.counts.drops == 0


def test_what_is_replayed_after_resumed_is_not_lost_with_the_socket() -> None:
    life = living(Settings(held_max=100, resume_ms=HOUR_MS))
    life.arm(Closing(close=1006))
    life.arm(Resume(kind="early", count=1))
    life.live(100)
    for _ in range(5):
        life.say()
    life.live(2_000)
    life.arm(Closing(close=1006))
    life.live(5 * MINUTE_MS)
    assert [*life.offered.values()] == [1] * 5


def test_a_crash_is_a_lost_connection_too() -> None:
    life = living()
    life.boot()
    life.live(5_000)
    life.send(ALICE, "hello")
    life.live(5_000)
    states = [one.state for one in life.told if isinstance(one, cmd.Report)]
    assert states == ["unconfirmed"]


def test_a_push_waits_for_another_day_and_needs_nobody_to_write() -> None:
    life = living()
    for _ in range(3):
        life.send("dm:99100000000000002", "hello")
    life.live(HOUR_MS)
    states = [one.state for one in life.told if isinstance(one, cmd.Report)]
    assert states == ["accepted", "accepted"]
    life.live(25 * HOUR_MS)
    states = [one.state for one in life.told if isinstance(one, cmd.Report)]
    assert len(states) == 3
    assert "parked" not in states


def test_an_identify_refused_three_times_asks_for_a_human() -> None:
    life = QqLife()
    life.arm(Identify(first="op9_false", close=4903))
    life.live(10 * MINUTE_MS)
    told = [one.code for one in life.told if isinstance(one, cmd.Escalate)]
    assert told[:1] == [session.NEEDS_LOGIN]
    assert life.state.session.needs_login
