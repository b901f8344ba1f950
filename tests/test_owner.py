"""The owner of an account: stamp, record, step, act, and how it stops."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from shell_rig import (
    ALICE,
    NOWHERE,
    START_MS,
    Gate,
    account,
    config,
    living,
    online,
)
from trio.testing import MockClock

from holdfast.core import weixin
from holdfast.core.commands import ClearTimer, Command, Offer, SetTimer
from holdfast.core.events import Fact, MessageDone, TimerFired
from holdfast.core.policy import Policy
from holdfast.core.weixin_account import Weixin
from holdfast.io.clock import TrioClock
from holdfast.io.credentials import CredentialSource
from holdfast.io.draft import Draft
from holdfast.io.journal import Journal, open_journal
from holdfast.io.login import Login
from holdfast.io.owner import Owner, Seat
from holdfast.io.recovery import recover
from holdfast.io.vault import Vault

Script = dict[str, Callable[[Fact], list[Command]]]


class Play:
    """A step that does what a script says, and a host and a peer that take notes."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.log: list[str] = []
        self.fired: list[tuple[int, TimerFired]] = []

    def step(
        self, state: Weixin, fact: Fact, _policy: Policy
    ) -> tuple[Weixin, list[Command]]:
        if isinstance(fact.event, TimerFired):
            self.fired.append((fact.at_ms - START_MS, fact.event))
        name = named(fact)
        self.log.append(f"step {name}")
        commands = self.script.get(name)
        return state, commands(fact) if commands else []

    def stepped(self, _account: str, fact: Fact, *_: Any) -> None:
        self.log.append(f"told {named(fact)}")

    async def perform(self, command: Command) -> Draft:
        self.log.append(f"ask {type(command).__name__}")
        await trio.sleep_forever()
        raise AssertionError("unreachable")


def named(fact: Fact) -> str:
    """Return what a script calls this fact."""
    event = fact.event
    return event.consumer if isinstance(event, MessageDone) else type(event).__name__


def happens(*names: str) -> Draft:
    """Return a draft of facts that mean nothing but what the script says."""
    return Draft(tuple(MessageDone(name, 1, 0) for name in names))


def timer(name: str, after_ms: int) -> Callable[[Fact], list[Command]]:
    return lambda fact: [SetTimer(name, fact.at_ms + after_ms)]


@asynccontextmanager
async def owning(
    folder: Path, script: Script, monkeypatch: pytest.MonkeyPatch | None = None
) -> AsyncIterator[tuple[Owner, Play]]:
    """Run an owner that plays a script, on a real journal, in virtual time."""
    play = Play(script)
    async with open_journal(folder / "data", threaded=False) as journal:
        if monkeypatch:
            take_notes(journal, play, monkeypatch)
        owner = Owner(seat(folder, journal, play), recover(journal, ALICE, POLICY))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(owner.run)
            with trio.fail_after(3_600):
                yield owner, play
            owner.cut_off()


POLICY = weixin.POLICY


def seat(folder: Path, journal: Journal, play: Play) -> Seat:
    source = CredentialSource(account(NOWHERE, folder), {})
    vault = Vault(journal.key, ALICE, journal)
    return Seat(
        account=ALICE,
        policy=POLICY,
        step=play.step,
        check=lambda *_: [],
        peer=play,
        login=Login(source, vault, lambda _: None),
        journal=journal,
        clock=TrioClock(START_MS),
        host=play,
        seed=7,
    )


def take_notes(journal: Journal, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write down when an append begins and ends; it takes a second."""
    append = journal.append

    async def slowly(entry: Any) -> None:
        play.log.append(f"append {len(entry.facts)}")
        await append(entry)
        await trio.sleep(1)
        play.log.append("appended")

    monkeypatch.setattr(journal, "append", slowly)


async def test_recorded_then_stepped_then_told_then_the_next(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with owning(tmp_path, {}, monkeypatch) as (owner, play):
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
