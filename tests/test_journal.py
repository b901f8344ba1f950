"""The journal as an owner uses it: append, note, read."""

from pathlib import Path

import pytest
import trio
from journal_rig import EAGER, START_MS, Gate, connecting, fact, facts, shot
from trio.testing import MockClock, wait_all_tasks_blocked

from holdfast.io.journal import Journal, open_journal
from holdfast.io.journal_read import JournalReader
from holdfast.io.journal_rows import Entry, Fact, Kept, PartNote

both_ways = pytest.mark.parametrize("threaded", [True, False])


def seqs(rows: list[Fact]) -> list[int]:
    return [row.seq for row in rows]


def every_byte(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def token(handle: str, value: bytes = b"secret") -> Kept:
    return Kept(handle, "context", value)


@both_ways
async def test_all_of_an_entry_is_read_back(tmp_path: Path, *, threaded: bool) -> None:
    part = PartNote(1, 0, "accepted", 2, "peer-7", "")
    entry = fact(
        1,
        kept=(token("h1", b"\x00\xff"),),
        offered=(1,),
        commands=((1, b'[{"type":"poll"}]'),),
        parts=(part,),
        snapshot=shot(1),
    )
    async with open_journal(tmp_path, threaded=threaded) as journal:
        await journal.append(entry)
        (event,) = (event for _, _, event in entry.facts)
        row = Fact(1, START_MS + 1000, event, b'[{"type":"poll"}]')
        assert journal.facts("alice") == journal.messages("alice") == [row]
        assert journal.last("alice") == row
        assert journal.first_seq("alice") == 1
        assert journal.value("h1") == b"\x00\xff"
        assert journal.parts("alice", 1) == [part]
        assert journal.snapshot("alice") == shot(1)
        assert journal.accounts() == ["alice"]


async def test_an_unknown_account_has_nothing(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        assert journal.accounts() == []
        assert journal.facts("nobody") == journal.messages("nobody") == []
        assert journal.parts("nobody", 1) == []
        assert journal.first_seq("nobody") is None
        assert journal.last("nobody") is None
        assert journal.snapshot("nobody") is None
        assert journal.value("never kept") is None


async def test_pages_of_facts_follow_each_other(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(facts(1, 700))
        assert seqs(journal.facts("alice", after=0, limit=300)) == [*range(1, 301)]
        assert seqs(journal.facts("alice", after=600, limit=300)) == [*range(601, 701)]


async def test_messages_are_the_offered_facts_alone(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(facts(1, 9, offered=(2, 5, 9)))
        await journal.append(Entry("alice", offered=(5,)))
        assert seqs(journal.messages("alice", limit=2)) == [2, 5]
        assert seqs(journal.messages("alice", after_seq=5)) == [9]


async def test_the_snapshot_before_a_fact_is_found(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        for first in (1, 11, 21):
            last = first + 9
            await journal.append(facts(first, last, snapshot=shot(last)))
        assert journal.snapshot("alice") == shot(30)
        assert journal.snapshot("alice", at_most_seq=29) == shot(20)
        assert journal.snapshot("alice", at_most_seq=9) is None


async def test_commands_are_noted_after_their_fact(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(facts(1, 3))
        await journal.append(fact(4, commands=((1, b"[1]"), (3, b"[3]"))))
        noted = [row.commands for row in journal.facts("alice")]
        assert noted == [b"[1]", None, b"[3]", None]


async def test_the_latest_note_about_a_part_stays(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(fact(1))
        for state, attempts in (("queued", 0), ("sending", 1), ("waiting", 1)):
            note = PartNote(1, 0, state, attempts, "", "")
            journal.note(Entry("alice", parts=(note,)))
        await journal.flush()
        assert journal.parts("alice", 1) == [note]


@both_ways
@pytest.mark.parametrize("together", [True, False])
async def test_a_forgotten_handle_stays_forgotten(
    tmp_path: Path, *, threaded: bool, together: bool
) -> None:
    async with open_journal(tmp_path, threaded=threaded) as journal:
        journal.note(fact(1, kept=(token("h1"), token("h2"))))
        if not together:
            await journal.flush()
        journal.note(fact(2, forgotten=("h1", "never seen")))
        if not together:
            await journal.flush()
        again = (token("h1"), token("never seen"), token("h2"))
        journal.note(fact(3, kept=again))
        journal.note(fact(1, "bob", kept=again))
        await journal.flush()
        assert journal.value("h1") is None
        assert journal.value("never seen") is None
        assert journal.value("h2") == b"secret"
    async with open_journal(tmp_path) as journal:
        await journal.append(fact(4, kept=again))
        assert journal.value("h1") is None


async def test_a_forgotten_value_leaves_no_bytes_in_the_files(tmp_path: Path) -> None:
    secret = b"a-token-that-must-not-be-found-again"
    async with open_journal(tmp_path) as journal:
        await journal.append(fact(1, kept=(token("h1", secret),)))
        await journal.append(fact(2, forgotten=("h1",)))
    assert secret not in every_byte(tmp_path)


async def test_append_returns_only_after_the_commit(tmp_path: Path) -> None:
    gate = Gate()
    returned = False

    async def append(journal: Journal) -> None:
        nonlocal returned
        await journal.append(fact(1))
        returned = True

    async with (
        open_journal(tmp_path, connect=connecting(gate)) as journal,
        trio.open_nursery() as nursery,
    ):
        gate.shut()
        nursery.start_soon(append, journal)
        await gate.reached()
        await wait_all_tasks_blocked()
        with JournalReader(tmp_path) as reader:
            assert not returned
            assert reader.facts("alice") == []
        gate.open()


async def test_what_comes_during_a_commit_shares_the_next_one(tmp_path: Path) -> None:
    gate = Gate()
    async with open_journal(tmp_path, connect=connecting(gate)) as journal:
        gate.shut()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.append, fact(1))
            await gate.reached()
            for number in range(300):
                nursery.start_soon(journal.append, fact(1, f"account-{number}"))
            await wait_all_tasks_blocked()
            gate.open()
        assert gate.commits == 2
        assert len(journal.accounts()) == 301


@both_ways
async def test_entries_of_an_account_keep_their_order(
    tmp_path: Path, *, threaded: bool
) -> None:
    async with open_journal(tmp_path, threaded=threaded) as journal:
        for seq in range(1, 100):
            journal.note(fact(seq))
        await journal.append(fact(100))
        assert seqs(journal.facts("alice")) == [*range(1, 101)]


async def test_notes_are_durable_before_a_later_append_returns(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(fact(1))
        journal.note(Entry("alice", commands=((1, b"[]"),)))
        await journal.append(fact(1, "bob"))
        with JournalReader(tmp_path) as reader:
            assert reader.facts("alice")[0].commands == b"[]"


@both_ways
async def test_closing_writes_what_was_noted(tmp_path: Path, *, threaded: bool) -> None:
    with trio.CancelScope() as scope:
        async with open_journal(tmp_path, threaded=threaded) as journal:
            for seq in range(1, 51):
                journal.note(fact(seq))
            scope.cancel()
    with JournalReader(tmp_path) as reader:
        assert seqs(reader.facts("alice")) == [*range(1, 51)]


@both_ways
async def test_a_closed_journal_says_so(tmp_path: Path, *, threaded: bool) -> None:
    async with open_journal(tmp_path, threaded=threaded) as journal:
        pass
    with pytest.raises(trio.ClosedResourceError):
        await journal.append(fact(1))
    with pytest.raises(trio.ClosedResourceError):
        journal.note(fact(1))
    await journal.aclose()


async def test_a_cancelled_waiter_does_not_undo_its_entry(tmp_path: Path) -> None:
    gate = Gate()
    async with open_journal(tmp_path, connect=connecting(gate)) as journal:
        gate.shut()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.append, fact(1))
            await gate.reached()
            nursery.start_soon(journal.append, fact(2))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        gate.open()
        await journal.append(fact(3))
        assert seqs(journal.facts("alice")) == [1, 2, 3]


async def test_many_accounts_write_at_once_and_lose_nothing(tmp_path: Path) -> None:
    async def keep_appending(journal: Journal, account: str) -> None:
        for seq in range(1, 41):
            await journal.append(fact(seq, account, kept=(token(f"{account}-{seq}"),)))
            journal.note(Entry(account, commands=((seq, b"[]"),)))

    async with open_journal(tmp_path) as journal:
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(keep_appending, journal, f"account-{number}")
        await journal.flush()
        assert len(journal.accounts()) == 50
        for account in journal.accounts():
            rows = journal.facts(account)
            assert seqs(rows) == [*range(1, 41)]
            assert {row.commands for row in rows} == {b"[]"}
            assert journal.value(f"{account}-40") == b"secret"


async def test_inline_commits_do_not_let_virtual_time_slip(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    gate = Gate()
    async with open_journal(
        tmp_path, threaded=False, patience=EAGER, connect=connecting(gate)
    ) as journal:
        gate.commits = 0
        with trio.fail_after(1):
            for seq in range(1, 101):
                await journal.append(fact(seq))
                assert journal.last("alice") is not None
        assert gate.commits == 100
        assert autojump_clock.current_time() == pytest.approx(trio.current_time())
        assert trio.current_time() < 1e-6


async def test_the_key_of_a_journal_stays_and_differs_from_others(
    tmp_path: Path,
) -> None:
    keys = []
    for folder in ("one", "one", "two"):
        async with open_journal(tmp_path / folder) as journal:
            keys.append(journal.key)
    assert keys[0] == keys[1] != keys[2]
    assert [len(key) for key in keys] == [32, 32, 32]
