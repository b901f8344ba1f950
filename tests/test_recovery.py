"""Recovery: a process may end after any commit, and the next one goes on from there."""

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from msgspec import Struct
from msgspec.structs import replace
from shell_rig import (
    ALICE,
    BOT,
    NOWHERE,
    account,
    config,
    living,
    offered,
    online,
    polling,
    write_token,
)
from trio.testing import MockClock

from holdfast.core import weixin
from holdfast.core.commands import Command, Forget, Offer, Report
from holdfast.core.events import Fact
from holdfast.core.inbox import Consumer, is_done
from holdfast.core.policy import Policy
from holdfast.core.weixin_account import Weixin
from holdfast.io import Config
from holdfast.io.journal import Journal, open_journal
from holdfast.io.journal_rows import PartNote
from holdfast.io.platforms import WEIXIN
from holdfast.io.recovery import decode_event, policy_from, read_facts, recover
from holdfast.replay.world.served import Served
from holdfast.replay.world.weixin_faults import Code
from holdfast.replay.world.weixin_inbound import USER, Copy, Inbound

DATA, FILE = "data", "journal.sqlite3"


def policy(snapshot_facts: int = 7, **delivery: Any) -> Policy:
    whole = weixin.POLICY
    return replace(
        whole,
        delivery=replace(whole.delivery, **delivery),
        journal=replace(whole.journal, snapshot_facts=snapshot_facts),
    )


FIRST = policy()
SECOND = policy(budget=1, refusal_blames_context=False, throttles_max=1)


class Cuts:
    """A copy of the journal after every commit of the services that are opened."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folders: list[Path] = []
        self._folder = folder
        cuts = self

        class Copied(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                done = super().execute(sql, *values)
                if sql == "COMMIT":
                    cuts.copy(self)
                return done

        connect = partial(sqlite3.connect, factory=Copied)
        opening = partial(open_journal, connect=connect)
        monkeypatch.setattr("holdfast.io.assembly.open_journal", opening)

    def copy(self, connection: sqlite3.Connection) -> None:
        folder = self._folder / f"cut-{len(self.folders):03}"
        folder.mkdir()
        copy = sqlite3.connect(folder / FILE)
        copy.execute("PRAGMA synchronous = OFF")
        connection.backup(copy)
        copy.close()
        self.folders.append(folder)


class Folded(Struct):
    """What a journal's facts come to, folded one by one from the very first."""

    state: Weixin = Weixin()
    policy: Policy = SECOND
    facts: list[Fact] = []
    commands: list[list[Command]] = []

    def all(self, kind: type[Command]) -> list[Any]:
        return [it for turn in self.commands for it in turn if isinstance(it, kind)]


def folded(journal: Journal, fixed: Policy | None = None) -> Folded:
    whole = Folded()
    for row in read_facts(journal, ALICE, 0):
        fact = Fact(row.seq, row.at_ms, decode_event(row.event))
        whole.policy = fixed or policy_from(fact, whole.policy)
        whole.state, commands = weixin.step(whole.state, fact, whole.policy)
        whole.facts.append(fact)
        whole.commands.append(commands)
    return whole


async def two_lives(served: Served, folder: Path) -> Config:
    """Live through a bit of everything, twice, under two policies."""
    await first_life(served, config(folder, account(served, folder, policy=FIRST)))
    setup = config(folder, account(served, folder, policy=SECOND))
    await second_life(served, setup)
    return setup


async def first_life(served: Served, setup: Config) -> None:
    async with living(setup) as shell:
        served.say(Inbound(text="{n}", times=4))
        stream = shell.service.messages(BOT)
        messages = [await anext(stream) for _ in range(4)]
        for number in (2, 0):
            await messages[number].done()
        long = await shell.service.send(ALICE, USER, "x" * 3_000, key="long")
        await long.settled()
        stale = Code(at="sendmessage", errcode=-14, errmsg="session timeout")
        served.expire_context(USER, refusal=stale)
        await (await shell.service.send(ALICE, USER, "without a token")).settled()
        served.repeat(Copy(context="fresh"))
        served.arm(Code(at="sendmessage", ret=-3, errmsg="no", count=1))
        await (await shell.service.send(ALICE, USER, "refused")).settled()
        served.arm(Code(at="getupdates", errcode=-14, cuts_hold=True, count=1))
        await trio.sleep(60)


async def second_life(served: Served, setup: Config) -> None:
    async with living(setup) as shell:
        served.say("hello again")
        await shell.until(polling)
        stream = shell.service.messages("another")
        await (await anext(stream)).done()
        again = await shell.service.send(ALICE, USER, "x", key="long")
        await again.settled()
        for text in ("one", "over the budget"):
            await (await shell.service.send(ALICE, USER, text)).settled()
        served.say("go on")
        served.arm(Code(at="sendmessage", ret=-2, errmsg="rate limited"))
        await trio.sleep(100)
        shell.owner.cut_off()


async def test_after_a_cut_at_any_commit_the_state_is_that_of_the_facts(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = Cuts(tmp_path, monkeypatch)
    async with online(autojump_clock) as served:
        await two_lives(served, tmp_path)
    halves = 0
    for folder in cuts.folders:
        async with open_journal(folder, threaded=False) as journal:
            halves += check(journal)
    # Between a fact and what followed from it, and between two facts.
    assert 25 < halves < len(cuts.folders) - 25


def check(journal: Journal) -> bool:
    """Recover twice, as after two crashes; say whether anything was done again."""
    whole = folded(journal)
    first = recover(journal, ALICE, WEIXIN, SECOND)
    for recovered in (first, recover(journal, ALICE, WEIXIN, SECOND)):
        assert recovered.state == whole.state
        assert recovered.policy == whole.policy
        assert recovered.seq == len(whole.facts)
        assert recovered.at_ms == max((it.at_ms for it in whole.facts), default=0)
        journal.note(recovered.redo)
        check_beside(journal, whole)
    return bool(first.redo.commands)


def check_beside(journal: Journal, whole: Folded) -> None:
    """Check what stands beside the facts: everything, and once."""
    rows = read_facts(journal, ALICE, 0)
    noted = [row.commands for row in rows]
    assert noted == [msgspec.json.encode(commands) for commands in whole.commands]
    offers = [row.seq for row in journal.messages(ALICE, 0, 1_000)]
    assert offers == [offer.message for offer in whole.all(Offer)]
    for forget in whole.all(Forget):
        assert journal.value(forget.handle) is None
    last = {(report.delivery, report.part): report for report in whole.all(Report)}
    for (delivery, part), report in last.items():
        (note,) = (it for it in journal.parts(ALICE, delivery) if it.part == part)
        assert note == PartNote(
            delivery,
            part,
            report.state,
            report.attempts,
            report.peer_id,
            report.error,
        )


async def test_a_life_holds_what_the_cuts_are_made_for(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        await two_lives(served, tmp_path)
    async with open_journal(tmp_path / DATA, threaded=False) as journal:
        whole = folded(journal)
        states = {report.state for report in whole.all(Report)}
        assert states == {"accepted", "rejected", "waiting", "parked", "queued"}
        assert len(whole.all(Offer)) == 6
        assert whole.all(Forget)
        shots = {journal.snapshot(ALICE, seq) for seq in range(len(whole.facts))}
        assert len(shots) > 4


async def test_the_fold_goes_by_the_policy_that_was_in_force(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        await two_lives(served, tmp_path)
    async with open_journal(tmp_path / DATA, threaded=False) as journal:
        recovered = recover(journal, ALICE, WEIXIN, FIRST)
        assert recovered.policy == SECOND
        assert recovered.state == folded(journal).state
        for wrong in (FIRST, SECOND):
            assert folded(journal, wrong).state != recovered.state


async def test_what_was_not_done_before_a_cut_is_offered_after_it_and_nothing_else(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = Cuts(tmp_path, monkeypatch)
    async with online(autojump_clock) as served:
        await two_lives(served, tmp_path)
    monkeypatch.undo()
    for folder in cuts.folders[::4]:
        async with open_journal(folder, threaded=False) as journal:
            whole = folded(journal)
        home = tmp_path / f"home-of-{folder.name}"
        home.mkdir()
        folder.rename(home / DATA)
        write_token(home / "alice.token", "token")
        async with living(config(home, account(NOWHERE, home))) as shell:
            texts = await offered(shell, within_s=1)
            assert len(texts) == len(undone(whole))
            assert await offered(shell, within_s=1) == []


def undone(whole: Folded) -> list[int]:
    """Return which messages the first consumer was offered and did not finish."""
    reached = whole.state.inbox.consumers.get(BOT, Consumer())
    offers = [offer.message for offer in whole.all(Offer)]
    return [seq for seq in offers if not is_done(reached, seq)]


async def test_lives_that_are_all_cut_short_still_leave_snapshots(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path, policy=policy(20)))
        for _ in range(12):
            async with living(setup) as shell:
                await shell.until(polling)
                shell.owner.cut_off()
    async with open_journal(tmp_path / DATA, threaded=False) as journal:
        recovered = recover(journal, ALICE, WEIXIN, FIRST)
        assert recovered.seq >= 36
        assert recovered.seq - recovered.snapshot_seq < 20
        assert recovered.state == folded(journal).state
