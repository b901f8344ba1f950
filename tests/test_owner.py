"""The owner of an account: stamp, record, step, act, one fact after the other."""

from pathlib import Path
from typing import Any

import pytest
import trio
from owner_rig import Script, check_with, happens, owning, timer
from shell_rig import (
    ALICE,
    START_MS,
    Gate,
    account,
    config,
    living,
    online,
    polling,
    recorded,
)
from trio.testing import MockClock

from holdfast.core.commands import ClearTimer, Offer, SetTimer
from holdfast.core.events import Fact, PollAnswered, Started
from holdfast.core.weixin_account import Weixin
from holdfast.io.owner import InvariantBrokenError, StoppedError
from holdfast.replay.world.weixin_inbound import USER


async def test_recorded_then_stepped_then_told_then_the_next(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with owning(tmp_path, {}, monkeypatch) as (owner, play):
        await trio.testing.wait_all_tasks_blocked()
        assert list(await owner.ask(happens("a", "b"))) == [2, 3]
        assert autojump_clock.current_time() == 2
    assert play.log == [
        *("append 1", "appended", "step Started", "told Started"),
        *("append 2", "appended", "step a", "told a", "step b", "told b"),
    ]


async def test_no_timer_runs_before_its_reason_is_recorded(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = {"a": timer("t", 400), "b": timer("t", 10_000)}
    async with owning(tmp_path, script, monkeypatch) as (owner, play):
        await trio.sleep(3)
        await owner.ask(happens("a"))
        asked_ms = round(autojump_clock.current_time() * 1000)
        # The append of the fact takes a second: its timer is overdue when it is set.
        assert play.fired == []
        await trio.sleep(5)
        ((at_ms, fired),) = play.fired
        assert fired.due_ms == START_MS + asked_ms - 1_000 + 400
        assert at_ms == asked_ms


async def test_a_timer_of_the_same_name_takes_the_place_of_the_old_one(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script = {
        "first": timer("t", 10_000),
        "second": timer("t", 20_000),
        "other": timer("u", 12_000),
    }
    async with owning(tmp_path, script) as (owner, play):
        await owner.ask(happens("first", "other"))
        await trio.sleep(5)
        await owner.ask(happens("second"))
        await trio.sleep(60)
    assert [(at_ms, it.name) for at_ms, it in play.fired] == [
        (12_000, "u"),
        (25_000, "t"),
    ]
    assert autojump_clock.current_time() == 65


async def test_timers_replaced_in_one_breath_fire_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    script: Script = {
        "again": timer("t", 0),
        "clear": lambda _: [ClearTimer("t")],
        "both": lambda fact: [ClearTimer("t"), SetTimer("t", fact.at_ms + 7)],
        "none": lambda fact: [SetTimer("t", fact.at_ms + 7), ClearTimer("t")],
    }
    async with owning(tmp_path, script) as (owner, play):
        await owner.ask(happens("again", "clear", "again", "none"))
        await trio.sleep(1)
        assert play.fired == []
        await owner.ask(happens("again", "again", "none", "both"))
        await trio.sleep(1)
        assert [at_ms for at_ms, _ in play.fired] == [1_007]
    assert autojump_clock.current_time() == 2


async def test_a_timer_that_is_long_due_fires_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with owning(tmp_path, {"late": timer("t", -5_000)}) as (owner, play):
        await owner.ask(happens("late"))
        await trio.testing.wait_all_tasks_blocked()
        assert [at_ms for at_ms, _ in play.fired] == [0]
    assert autojump_clock.current_time() == 0


async def test_what_is_written_beside_facts_keeps_the_order_of_the_commands(
    tmp_path: Path,
) -> None:
    script: Script = {"a": lambda fact: [Offer(fact.seq)], "b": lambda _: [Offer(1)]}
    async with owning(tmp_path, script) as (owner, _):
        await owner.ask(happens("a", "b"))
        journal = owner.seat.journal
        assert [row.seq for row in journal.messages(ALICE)] == [1, 2]
        commands = [row.commands for row in journal.facts(ALICE)]
        assert commands == [
            b"[]",
            b'[{"type":"offer","message":2}]',
            b'[{"type":"offer","message":1}]',
        ]


async def test_facts_of_one_draft_are_recorded_together_with_their_values(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with online(autojump_clock) as served:
        for text in ("one", "two", "three"):
            served.say(text)
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            await shell.until(lambda state: state.cursor)
    (entry,) = [entry for entry in gate.entries if len(entry.facts) > 2]
    kinds = [row[2].split(b'"')[3] for row in entry.facts]
    assert kinds == [b"message_received"] * 3 + [b"poll_answered"]
    assert len(entry.kept) == 3 * 2 + 1


async def test_drafts_that_wait_together_are_recorded_in_one_entry_in_their_order(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with owning(tmp_path, {}, monkeypatch) as (owner, play):
        await trio.testing.wait_all_tasks_blocked()
        for name in ("a", "b", "c"):
            await owner.post(happens(name))
        await owner.ask(happens("d", "e"))
        steps = [line for line in play.log if line.startswith(("append ", "step"))]
    assert steps[:2] == ["append 1", "step Started"]
    assert steps[2:] == ["append 5", *(f"step {name}" for name in "abcde")]
    assert autojump_clock.current_time() == 2


async def test_whoever_stops_waiting_for_a_fact_does_not_stop_the_fact(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with owning(tmp_path, {}, monkeypatch) as (owner, _):
        with trio.move_on_after(0.5) as scope:
            await owner.ask(happens("a"))
        assert scope.cancelled_caught
        assert list(await owner.ask(happens("b"))) == [3]
        rows = owner.seat.journal.facts(ALICE)
        assert [row.seq for row in rows] == [1, 2, 3]
    assert autojump_clock.current_time() == 2


async def test_whoever_waits_for_an_owner_that_ends_is_told_so(tmp_path: Path) -> None:
    async with owning(tmp_path, {}) as (owner, _):
        await owner.ask(happens("a"))
        owner.cut_off()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(StoppedError, match="alice is stopped"):
            await owner.ask(happens("b"))
        assert len(owner.seat.journal.facts(ALICE)) == 2


async def test_the_first_fact_of_every_process_is_that_it_started(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path))
        ends = []
        for _ in range(3):
            async with living(setup) as shell:
                # The very first thing a host does, before any loop has run.
                await shell.service.send(ALICE, USER, "here I am")
                await shell.until(polling)
            ends.append(len(recorded(tmp_path)))
    facts = recorded(tmp_path)
    assert [fact.seq for fact in facts] == list(range(1, len(facts) + 1))
    begins = [fact.seq for fact in facts if isinstance(fact.event, Started)]
    assert begins == [1, ends[0] + 1, ends[1] + 1]


async def test_a_broken_promise_stops_the_account_loudly_and_is_on_record(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(_before: Weixin, fact: Fact, *_: Any) -> list[str]:
        broken = isinstance(fact.event, PollAnswered)
        return ["[4] a promise", "[9] another"] if broken else []

    check_with(monkeypatch, check)
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path))
        words = r"alice fact \d+: \[4\] a promise; \[9\] another"
        with pytest.raises(InvariantBrokenError, match=words):
            async with living(setup):
                await trio.sleep(3_600)
        assert autojump_clock.current_time() == 35
    assert isinstance(recorded(tmp_path)[-1].event, PollAnswered)
