"""The service over time: logins come and go, clocks jump, hosts leave in the middle."""

from pathlib import Path
from typing import Any

import pytest
import trio
from shell_rig import (
    ALICE,
    BOB,
    BOT,
    START_MS,
    Wall,
    account,
    around,
    config,
    living,
    offered,
    online,
    polling,
    recorded,
    write_token,
)
from trio.testing import MockClock

from holdfast.core.commands import Escalate
from holdfast.core.events import CredentialsLoaded, CredentialsMissing, StopRequested
from holdfast.io.health import Fatal, LastError
from holdfast.replay.world.served import Served
from holdfast.replay.world.weixin_faults import Code, HttpStatus, Outage
from holdfast.replay.world.weixin_inbound import USER
from holdfast.replay.world.weixin_settings import BOT_ID
from holdfast.replay.world.weixin_state import Peer

HOUR_MS = 3_600_000
OTHER_TOKEN = "c1d2e3f4a5b6@im.bot:0600ee55ff667788"  # noqa: S105 - invented.


async def test_health_tells_how_an_account_is(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        fresh = shell.service.health(ALICE)
        assert (fresh.name, fresh.platform, fresh.seq) == (ALICE, "weixin", 0)
        await trio.sleep(100)
        health = shell.service.health(ALICE)
        assert health.account_id == BOT_ID
        assert health.phases == {"session": "active", "connection": "heartbeating"}
        assert health.last_alive_ms == START_MS + 70_000
        assert health.since_ms["connection"] == START_MS + 35_000
        assert (health.needs_login, health.fatal, health.last_error) == (
            False,
            None,
            None,
        )
        served.arm(Code(at="sendmessage", ret=-3, errmsg="invalid arguments"))
        await (await shell.service.send(ALICE, USER, "hi")).settled()
        health = shell.service.health(ALICE)
        words = "-3 invalid arguments"
        assert health.last_error == LastError(START_MS + 100_000, "send", "-3", words)
        assert set(health.outbox.values()) == {0}
        assert health.seq == shell.owner.seq


async def test_a_wrong_address_is_fatal_until_it_is_right_or_a_host_insists(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        await shell.until(polling)
        served.arm(HttpStatus(at="getupdates", status=404, cuts_hold=True))
        await shell.until(lambda state: state.connection.phase == "fatal")
        fatal = shell.service.health(ALICE).fatal
        assert fatal == Fatal("http_404", "HTTP 404", retryable=True)
        served.heal()
        began_s = autojump_clock.current_time()
        await shell.service.retry(ALICE)
        await shell.until(lambda state: state.connection.phase == "heartbeating")
        assert autojump_clock.current_time() - began_s <= 35
        assert shell.service.health(ALICE).fatal is None


async def test_a_retry_does_now_what_a_timer_would_do_later(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        served.bind_elsewhere()
        await shell.until(lambda state: state.session.needs_login)
        served.rebind()
        began_s = autojump_clock.current_time()
        await shell.service.retry(ALICE)
        await shell.until(polling)
        assert autojump_clock.current_time() == began_s


async def test_without_a_login_the_service_waits_for_one_and_goes_on_by_itself(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        there = account(served, tmp_path)
        token_file = tmp_path / "alice.token"
        token_file.unlink()
        async with living(config(tmp_path, there)) as shell:
            queued = await shell.service.send(ALICE, USER, "as soon as I can")
            await trio.sleep(1_000)
            assert shell.service.health(ALICE).needs_login
            missing = {event.reason for event in shell.events(CredentialsMissing)}
            assert missing == {"the token file does not exist"}
            escalated = [it for told in shell.told for it in told.commands]
            codes = [it.code for it in escalated if isinstance(it, Escalate)]
            assert codes == ["needs_login"]
            assert served.peer.calls == 0
            served.say()
            write_token(token_file, served.peer.token)
            written_s = autojump_clock.current_time()
            await shell.until(polling)
            assert autojump_clock.current_time() - written_s <= 2
            status = await queued.settled()
            assert status is not None
            assert status.state == "accepted"
            await shell.until(lambda state: not state.session.needs_login)
        assert served.peer.violations == ()


async def test_a_login_replaced_on_disk_is_taken_up_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        served.say("before")
        await shell.until(lambda state: state.cursor and polling(state))
        served.rebind(token=OTHER_TOKEN, bot_id="c1d2e3f4a5b6@im.bot")
        write_token(tmp_path / "alice.token", OTHER_TOKEN)
        began_s = autojump_clock.current_time()
        await served.until(lambda peer: held_for(peer, OTHER_TOKEN))
        assert autojump_clock.current_time() - began_s <= 2
        loaded = shell.events(CredentialsLoaded)[-1]
        assert loaded.account_id == shell.service.health(ALICE).account_id
        # Cursor and context tokens belong to a bot id; a new one starts empty.
        assert served.peer.log[-1].body["get_updates_buf"] == ""
        assert {peer.context for peer in shell.state.outbox.peers.values()} == {""}
        served.say("after")
        assert await offered(shell) == ["before", "after"]


def held_for(peer: Peer, token: str) -> bool:
    """Say whether a poll under this login is the last thing that was asked."""
    call = peer.log[-1]
    bearer = call.headers["authorization"]
    return call.endpoint == "getupdates" and bearer == f"Bearer {token}"


async def test_a_token_file_that_cannot_be_read_changes_nothing_that_works(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        await shell.until(polling)
        (tmp_path / "alice.token").write_text("two\nlines\n")
        await trio.sleep(600)
        assert shell.state.session.phase == "active"
        assert not shell.events(CredentialsMissing)


async def test_two_accounts_live_side_by_side_and_do_not_mix(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as hers, online(autojump_clock) as his:
        his.rebind(token=OTHER_TOKEN)
        setup = config(tmp_path, account(hers, tmp_path), account(his, tmp_path, BOB))
        async with living(setup) as shell:
            service = shell.service
            assert service.accounts == (ALICE, BOB)
            his.arm(Outage(from_ms=1_000, to_ms=600_000))
            hers.say("to alice")
            his.say("to bob")
            stream = service.messages(BOT)
            got = {(it.account, it.text) for it in [await anext(stream) for _ in "ab"]}
            assert got == {(ALICE, "to alice"), (BOB, "to bob")}
            await trio.sleep(100)
            answers = [
                await service.send(name, USER, f"from {name}") for name in (ALICE, BOB)
            ]
            status = await answers[0].settled()
            assert status is not None
            assert status.state == "accepted"
            assert autojump_clock.current_time() < 110
            phases = [
                service.health(name).phases["connection"] for name in (ALICE, BOB)
            ]
            assert phases == ["heartbeating", "reconnecting"]
            await answers[1].settled()
        for served, name in ((hers, ALICE), (his, BOB)):
            assert [shown.text for shown in served.peer.shown[USER]] == [f"from {name}"]
            assert served.peer.violations == ()


async def test_a_token_that_one_account_forgets_is_still_the_others(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as hers, online(autojump_clock) as his:
        his.rebind(token=OTHER_TOKEN)
        setup = config(tmp_path, account(hers, tmp_path), account(his, tmp_path, BOB))
        tokens = {peer.say().wire["context_token"] for peer in (hers, his)}
        assert len(tokens) == 1
        async with living(setup) as shell:
            stream = shell.service.messages(BOT)
            assert {(await anext(stream)).account for _ in "ab"} == {ALICE, BOB}
            stale = Code(at="sendmessage", errcode=-14)
            hers.expire_context(USER, refusal=stale)
            for name in (ALICE, BOB):
                await (await shell.service.send(name, USER, "hi")).settled()
        used = [sent(served)[-1].get("context_token") for served in (hers, his)]
        assert used == [None, *tokens]


def sent(served: Served) -> list[dict[str, Any]]:
    """Return the messages that a peer was asked to show."""
    calls = served.peer.log
    return [call.body["msg"] for call in calls if call.endpoint == "sendmessage"]


async def test_cancelling_the_block_stops_it_in_order(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        served.say("never done")
        with trio.move_on_after(50) as scope:
            async with living(config(tmp_path, account(served, tmp_path))) as shell:
                async for _ in shell.service.messages(BOT):
                    pass
        assert scope.cancelled_caught
        assert autojump_clock.current_time() <= 52
        last = [call.endpoint for call in served.peer.log]
        assert last.count("notifystop") == 1
        facts = recorded(tmp_path)
        assert StopRequested("the service closes") in [fact.event for fact in facts]
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            assert await offered(shell) == ["never done"]


async def test_an_error_in_the_block_stops_it_in_order_too(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def divide(served: Served) -> None:
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            await shell.until(polling)
            raise ZeroDivisionError

    async with online(autojump_clock) as served:
        with pytest.raises(ZeroDivisionError):
            await divide(served)
        assert "notifystop" in [call.endpoint for call in served.peer.log]


async def test_a_wall_set_back_an_hour_stops_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    wall = Wall()
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path)), around(wall)) as shell,
    ):
        served.say()
        await shell.until(lambda state: state.cursor and polling(state))
        await trio.sleep(100)
        wall.moved_ms = -HOUR_MS
        began_s = autojump_clock.current_time()
        # The second part is paced by a timer, the poll by its hold.
        delivery = await shell.service.send(ALICE, USER, "x" * 3_000)
        await delivery.settled()
        assert autojump_clock.current_time() - began_s == pytest.approx(2.6)
        served.say("after the jump")
        assert await offered(shell) == ["hello", "after the jump"]
        times = [fact.at_ms for fact in recorded(tmp_path)]
        assert times == sorted(times)
        wall.moved_ms = HOUR_MS
        await shell.service.retry(ALICE)
        assert recorded(tmp_path)[-1].at_ms == wall.wall_ms()
