"""The owner at a real peer: nothing unrecorded is asked, and stopping loses nothing."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
import trio
from shell_rig import (
    ALICE,
    BOT,
    Gate,
    account,
    config,
    living,
    offered,
    online,
    polling,
    recorded,
)
from trio.testing import MockClock

from holdfast.core.events import (
    MessageReceived,
    NotifyAnswered,
    PollAnswered,
    SendAnswered,
    Started,
    StopRequested,
)
from holdfast.core.weixin_account import Weixin
from holdfast.io import StoppedError
from holdfast.io.journal_read import JournalReader
from holdfast.io.recovery import Checkpoint
from holdfast.replay.world.served import Served
from holdfast.replay.world.weixin_faults import Late, Wire
from holdfast.replay.world.weixin_inbound import USER


def asked(served: Served) -> list[str]:
    return [call.endpoint for call in served.peer.log]


async def test_no_request_reaches_the_peer_before_its_reason_is_recorded(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    gate.shut()
    seen = []
    async with online(autojump_clock) as served:
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            for _ in range(5):
                await gate.reached()
                await trio.sleep(600)
                seen.append(tuple(asked(served)))
                gate.let_through()
            gate.open()
            await shell.until(polling)
        assert served.peer.violations == ()
    assert seen == [
        (),  # Started; it asks for the login, which costs no request.
        (),  # CredentialsLoaded
        ("notifystart",),
        ("notifystart", "getupdates"),
        ("notifystart", "getupdates", "getupdates"),
    ]


async def test_no_send_leaves_before_it_is_recorded(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
        trio.open_nursery() as nursery,
    ):
        served.say()
        await shell.until(lambda state: state.cursor and polling(state))
        gate.shut()
        nursery.start_soon(shell.service.send, ALICE, USER, "wait for the disk")
        await gate.reached()
        await trio.sleep(20)
        assert "sendmessage" not in asked(served)
        assert not shell.state.outbox.queues
        gate.open()
        await served.until(lambda peer: peer.shown.get(USER))


async def test_stopping_waits_for_a_send_and_says_goodbye_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            served.say()
            await shell.until(lambda state: state.cursor and polling(state))
            served.arm(Late(at="sendmessage", delay_ms=5_000))
            await shell.service.send(ALICE, USER, "slow")
            await served.until(lambda peer: peer.shown.get(USER))
            left_s = autojump_clock.current_time()
        assert autojump_clock.current_time() - left_s == 6
        assert asked(served).count("notifystop") == 1
        assert served.peer.waiting == ()
    after = [fact.event for fact in recorded(tmp_path)]
    after = after[after.index(StopRequested("the service closes")) :]
    kinds = {type(event) for event in after}
    assert kinds == {StopRequested, NotifyAnswered, SendAnswered}
    assert len(after) == 3


async def test_stopping_cuts_a_send_that_hangs(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            await shell.until(polling)
            served.arm(Wire(at="sendmessage", how="never_answer"))
            await shell.service.send(ALICE, USER, "hangs")
            await served.until(lambda _: "sendmessage" in asked(served))
            left_s = autojump_clock.current_time()
        assert autojump_clock.current_time() - left_s == 8 + 1
        await served.until(lambda peer: peer.log[-2].outcome != "held")


async def test_nothing_new_is_begun_while_stopping(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            served.say()
            await shell.until(lambda state: state.cursor and polling(state))
            served.arm(Late(at="sendmessage", delay_ms=4_000))
            await shell.service.send(ALICE, USER, "first")
            await shell.service.send(ALICE, USER, "second")
            await served.until(lambda _: "sendmessage" in asked(served))
        shown = served.peer.shown[USER]
        assert [message.text for message in shown] == ["first"]
        async with living(config(tmp_path, account(served, tmp_path))):
            peer = await served.until(lambda peer: len(peer.shown[USER]) == 2)
        assert [message.text for message in peer.shown[USER]] == ["first", "second"]


async def test_an_answer_in_the_last_moment_is_recorded_and_offered_later(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served, trio.open_nursery() as nursery:
        setup = config(tmp_path, account(served, tmp_path))
        async with living(setup) as shell:
            await shell.until(polling)
            nursery.start_soon(say_later, served, 0.5)
        kinds = [type(fact.event) for fact in recorded(tmp_path)]
        assert kinds[-2:] == [MessageReceived, PollAnswered]
        async with living(setup) as shell:
            assert await offered(shell) == ["in the last moment"]


async def say_later(served: Served, seconds: float, gate: Gate | None = None) -> None:
    await trio.sleep(seconds)
    if gate:
        gate.shut()
    served.say("in the last moment")


async def test_a_fact_that_is_being_recorded_when_time_is_up_is_not_lost(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with online(autojump_clock) as served, trio.open_nursery() as nursery:
        setup = config(tmp_path, account(served, tmp_path))
        async with living(setup) as shell:
            await shell.until(polling)
            nursery.start_soon(say_later, served, 0.5, gate)
            left_s = autojump_clock.current_time()
        assert autojump_clock.current_time() - left_s == 20
        last = recorded(tmp_path)[-1]
        assert isinstance(last.event, PollAnswered)
        gate.open()
        async with living(setup) as shell:
            assert await offered(shell) == ["in the last moment"]
        facts = recorded(tmp_path)
        assert isinstance(facts[last.seq].event, Started)


async def test_the_last_thing_is_a_snapshot_of_everything(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        served.say()
        await shell.until(lambda state: state.cursor and polling(state))
    with JournalReader(tmp_path / "data") as journal:
        last, snapshot = journal.last(ALICE), journal.snapshot(ALICE)
    assert last is not None
    assert snapshot is not None
    assert snapshot.seq == last.seq
    checkpoint = msgspec.json.decode(snapshot.state, type=Checkpoint)
    state = msgspec.json.decode(checkpoint.state, type=Weixin)
    assert state == shell.state
    assert state.stopping


async def test_cutting_off_ends_at_once_and_leaves_what_was_recorded(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            await shell.until(polling)
            await served.until(lambda peer: peer.waiting)
            cut_s = autojump_clock.current_time()
            shell.owner.cut_off()
            await served.until(lambda peer: not peer.waiting)
        assert autojump_clock.current_time() == cut_s
        assert "notifystop" not in asked(served)
    events = [fact.event for fact in recorded(tmp_path)]
    assert events == [it.fact.event for it in shell.told]
    assert not any(isinstance(event, StopRequested) for event in events)


async def test_after_the_end_whoever_asks_is_told_so(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            served.say()
            message = await anext(shell.service.messages(BOT))
            delivery = await shell.service.send(ALICE, message.from_, "in time")
            await delivery.settled()
        service, closed = shell.service, "the service is closed: open it again"
        asks: dict[Callable[[], object], str] = {
            message.done: "account alice is stopped: open the service again",
            lambda: service.send(ALICE, USER, "late"): f"{closed} and send it then",
            lambda: service.retry(ALICE): closed,
            lambda: service.health(ALICE): closed,
            lambda: service.messages("another"): closed,
            lambda: service.delivery(delivery.id): closed,
            delivery.status: f"{closed} and ask for it with service.delivery('alice:",
            delivery.settled: f"{closed} and ask for it with service.delivery('alice:",
        }
        for ask, words in asks.items():
            with pytest.raises(StoppedError, match=re.escape(words)):
                await answered(ask())
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            status = shell.service.delivery(delivery.id)
            assert status is not None
            assert status.state == "accepted"


async def answered(asked_for: object) -> None:
    if isinstance(asked_for, Awaitable):
        await asked_for


async def test_at_the_end_whoever_still_waits_is_told_so(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    told: list[str] = []

    async def wait(waiting: Awaitable[object]) -> None:
        with pytest.raises(StoppedError, match="the service is closed"):
            await waiting
        told.append("told")

    async with online(autojump_clock) as served, trio.open_nursery() as nursery:
        served.say("hello")
        served.arm(Wire(at="sendmessage", how="refuse"))
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            stream = shell.service.messages(BOT)
            await anext(stream)
            delivery = await shell.service.send(ALICE, USER, "hi")
            for waiting in (anext(stream), delivery.settled()):
                nursery.start_soon(wait, waiting)
            await trio.sleep(100)
            assert told == []
    assert told == ["told", "told"]
