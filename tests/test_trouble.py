"""The service in trouble: full disks, unreadable journals, peers that repeat."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace
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

from holdfast.core import weixin
from holdfast.core.events import MessageReceived
from holdfast.core.policy import JournalPolicy
from holdfast.io import Delivery, open_service
from holdfast.io.journal import open_journal
from holdfast.io.journal_errors import DataFolderInUseError, JournalBrokenError
from holdfast.io.journal_schema import FILE_NAME
from holdfast.io.journal_sums import SUMS, teach
from holdfast.io.recovery import RecoveryError
from holdfast.replay.world.weixin_faults import Cursor, NoHold
from holdfast.replay.world.weixin_inbound import USER, Inbound

FULL, ROOMY = 1, 1_000_000
SHOT_EACH_8 = replace(weixin.POLICY, journal=JournalPolicy(snapshot_facts=8))


class Disk:
    """The disk under the next journal that a service opens; it can be filled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._connection: sqlite3.Connection | None = None
        opening = partial(open_journal, connect=self._connect)
        monkeypatch.setattr("holdfast.io.assembly.open_journal", opening)

    def _connect(self, *values: Any, **more: Any) -> sqlite3.Connection:
        self._connection = sqlite3.connect(*values, **more)
        return self._connection

    def fill(self, pages_max: int = FULL) -> None:
        """Let the file grow no more; SQLite itself says so."""
        assert self._connection is not None
        self._connection.execute(f"PRAGMA max_page_count = {pages_max}").fetchone()

    def make_room(self) -> None:
        self.fill(ROOMY)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let another program hold the lock for writing."""
    connection = sqlite3.connect(folder / "data" / FILE_NAME, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


async def test_while_the_disk_is_full_nothing_is_done_and_then_everything(
    tmp_path: Path,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = Disk(monkeypatch)
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
        trio.open_nursery() as nursery,
    ):
        served.say("hello")
        await shell.until(lambda state: state.cursor and polling(state))
        disk.fill()
        answers: list[Delivery] = []

        async def answer() -> None:
            text = "an answer" * 2_000
            answers.append(await shell.service.send(ALICE, USER, text))

        nursery.start_soon(answer)
        await trio.testing.wait_all_tasks_blocked()
        calls, seq = served.peer.calls, shell.owner.seq
        for number in range(10):
            served.say(f"{number}")
            await trio.sleep(360)
        assert (served.peer.calls, shell.owner.seq) == (calls, seq)
        assert answers == []
        trouble = shell.service.trouble
        assert trouble is not None
        assert "the disk is full" in trouble
        assert caplog.messages == [
            f"nothing is done until the journal can be written: {trouble}"
        ]
        disk.make_room()
        assert await offered(shell) == ["hello", *map(str, range(10))]
        status = await answers[0].settled()
        assert status is not None
        assert status.state == "accepted"
        assert shell.service.trouble is None
        assert caplog.messages[1] == "the journal can be written again; going on"


async def test_while_another_program_holds_the_journal_nothing_is_done(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        await shell.until(polling)
        await served.until(lambda peer: peer.waiting)
        calls = served.peer.calls
        with locked(tmp_path):
            served.say("wait for me")
            await trio.sleep(600)
            assert served.peer.calls == calls
            assert "another program holds the database" in str(shell.service.trouble)
        began_s = autojump_clock.current_time()
        stream = shell.service.messages(BOT)
        assert (await anext(stream)).text == "wait for me"
        assert autojump_clock.current_time() - began_s <= 2


async def test_leaving_in_trouble_says_what_could_not_be_recorded_and_loses_nothing(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path))
        left_s = 0.0

        async def live_until_the_disk_is_full() -> None:
            nonlocal left_s
            async with living(setup) as shell:
                served.say("kept")
                await shell.until(lambda state: state.cursor and polling(state))
                disk.fill()
                left_s = autojump_clock.current_time()
                served.say("x" * 50_000)
                await trio.testing.wait_all_tasks_blocked()

        with pytest.raises(JournalBrokenError, match=r"closed, but .*disk is full"):
            await live_until_the_disk_is_full()
        assert autojump_clock.current_time() - left_s <= 20 + 10
        async with living(setup) as shell:
            assert await offered(shell) == ["kept", "x" * 50_000]


async def test_leaving_while_the_journal_is_stuck_does_not_take_for_ever(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with online(autojump_clock) as served:
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            await shell.until(polling)
            gate.shut()
            served.say("while stuck")
            left_s = autojump_clock.current_time()
        assert autojump_clock.current_time() - left_s == 20
        gate.open()
        async with living(config(tmp_path, account(served, tmp_path))) as shell:
            assert await offered(shell) == ["while stuck"]


async def test_a_data_folder_serves_one_service_at_a_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path))
        async with living(setup) as shell:
            await shell.until(polling)
            calls = served.peer.calls
            with pytest.raises(DataFolderInUseError, match="is in use by process"):
                async with open_service(setup):
                    pass
            assert served.peer.calls == calls
        async with living(setup) as shell:
            await shell.until(polling)


def rewritten(folder: Path, change: str, *values: object) -> int:
    """Change the journal as a newer release would; return how many rows changed."""
    connection = sqlite3.connect(folder / "data" / FILE_NAME)
    teach(connection)
    with connection:
        count = connection.execute(change, values).rowcount
        for table, sums in SUMS.items():
            told = ", ".join(f"{column} = {what}" for column, what in sums.items())
            connection.execute(f"UPDATE {table} SET {told}")  # noqa: S608 - ours.
    connection.close()
    return count


NEWER = b'{"policy":{},"state":{"a_field_of_the_next_release":1}}'


@pytest.mark.parametrize("which", ["= (SELECT max(seq) FROM snapshot)", "> 0"])
async def test_a_snapshot_that_cannot_be_read_costs_time_and_nothing_else(
    tmp_path: Path, autojump_clock: MockClock, which: str
) -> None:
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path, policy=SHOT_EACH_8))
        async with living(setup) as shell:
            for number in range(8):
                served.say(f"{number}")
                message = await anext(stream := shell.service.messages(BOT))
                await message.done()
                stream.close()
            served.say("not done")
            await shell.until(lambda _: len(shell.events(MessageReceived)) == 9)
        before = shell.state
        query = f"UPDATE snapshot SET state = ? WHERE seq {which}"  # noqa: S608 - ours.
        assert rewritten(tmp_path, query, NEWER)
        async with living(setup) as shell:
            assert await offered(shell) == ["not done"]
            assert shell.told[0].before == before


async def test_a_journal_whose_beginning_cannot_be_read_is_refused_with_words(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path, policy=SHOT_EACH_8))
        async with living(setup) as shell:
            await shell.until(lambda _: shell.owner.seq > 20)
            assert await shell.service.journal.prune(ALICE, bytes_max=1)
        first = recorded(tmp_path)[0].seq
        assert first > 1
        assert rewritten(tmp_path, "UPDATE snapshot SET state = ?", NEWER)
        words = f"account alice: the journal begins at fact {first} without a snapshot"
        words += r" before it; the snapshot at \d+ cannot be read: .*unknown field"
        with pytest.raises(RecoveryError, match=words):
            async with living(setup):
                pass


async def test_a_fact_that_cannot_be_read_is_refused_with_its_place(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with online(autojump_clock) as served:
        setup = config(tmp_path, account(served, tmp_path))
        async with living(setup) as shell:
            await shell.until(polling)
        assert rewritten(tmp_path, "DELETE FROM snapshot")
        assert rewritten(
            tmp_path, "UPDATE fact SET event = ? WHERE seq = 3", b'{"type":"newer"}'
        )
        with pytest.raises(RecoveryError, match=r"account alice: fact 3 .*'newer'"):
            async with living(setup):
                pass


@pytest.mark.parametrize("kind", ["unchanged", "nothing"])
async def test_a_peer_that_repeats_itself_is_not_asked_without_pause(
    tmp_path: Path, autojump_clock: MockClock, kind: str
) -> None:
    async with (
        online(autojump_clock) as served,
        living(config(tmp_path, account(served, tmp_path))) as shell,
    ):
        await shell.until(polling)
        served.arm(Cursor(kind="unchanged") if kind == "unchanged" else NoHold())
        before = served.peer.calls
        served.say(Inbound(text="again and again"))
        with trio.move_on_after(60) as scope:
            await served.until(lambda peer: peer.calls - before > 100)
        served.heal()
        assert scope.cancelled_caught
        assert await offered(shell) == ["again and again"]
