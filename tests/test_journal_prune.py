"""Retention: what goes, and what never goes."""

from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_rig import START_MS, Gate, connecting, fact, facts, shot
from msgspec import Struct

from holdfast.io.journal import Journal, open_journal
from holdfast.io.journal_read import SEQ_MAX
from holdfast.io.journal_rows import Entry, Kept, PartNote
from holdfast.io.journal_schema import FILE_NAME

both_ways = pytest.mark.parametrize("threaded", [True, False])


async def record(journal: Journal, count: int, every: int, **more: str) -> None:
    """Record `count` facts, a snapshot after each `every` of them."""
    for first in range(1, count + 1, every):
        last = min(first + every - 1, count)
        snapshot = shot(last) if last == first + every - 1 else None
        await journal.append(facts(first, last, snapshot=snapshot, **more))


def left(journal: Journal, account: str = "alice") -> range:
    """Return the seqs that are left, which have no gap."""
    seqs = [row.seq for row in journal.facts(account, limit=100_000)]
    assert seqs == [*range(seqs[0], seqs[-1] + 1)]
    return range(seqs[0], seqs[-1] + 1)


def time_of(seq: int) -> int:
    return START_MS + 1000 * seq


@both_ways
async def test_old_facts_go_up_to_a_snapshot(tmp_path: Path, *, threaded: bool) -> None:
    async with open_journal(tmp_path, threaded=threaded) as journal:
        await record(journal, count=2_600, every=100)
        assert await journal.prune("alice", before_ms=time_of(1_750)) == 1_700
        assert left(journal) == range(1_701, 2_601)
        assert journal.snapshot("alice", 1_700) == shot(1_700)
        assert journal.snapshot("alice", 1_699) is None
        assert await journal.prune("alice", before_ms=time_of(1_750)) == 0
        await journal.append(fact(2_601))


async def test_facts_after_the_newest_snapshot_stay(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(facts(1, 50))
        assert await journal.prune("alice", before_ms=time_of(1_000)) == 0
        await journal.append(facts(51, 60, snapshot=shot(55)))
        assert await journal.prune("alice", before_ms=time_of(1_000)) == 55
        assert left(journal) == range(56, 61)


async def test_the_newest_fact_stays_even_with_a_snapshot_of_it(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await record(journal, count=20, every=10)
        assert await journal.prune("alice", before_ms=time_of(1_000)) == 10
        assert left(journal) == range(11, 21)
    async with open_journal(tmp_path) as journal:
        await journal.append(fact(21))
        assert journal.snapshot("alice") == shot(20)


async def test_facts_that_somebody_still_needs_stay(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await record(journal, count=100, every=10)
        removed = await journal.prune("alice", before_ms=time_of(90), keep_after_seq=34)
        assert removed == 30
        assert left(journal) == range(31, 101)


async def test_other_accounts_keep_theirs(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        shared = Kept("shared", "body", b"hello")
        for account in ("alice", "bob"):
            await journal.append(fact(1, account, kept=(shared,), snapshot=shot(1)))
            await journal.append(fact(2, account))
        assert await journal.prune("alice", before_ms=time_of(9)) == 1
        assert left(journal, "bob") == range(1, 3)
        assert journal.value("shared") == b"hello"
        assert await journal.prune("bob", before_ms=time_of(9)) == 1
        assert journal.value("shared") is None
        assert await journal.prune("nobody", before_ms=time_of(9)) == 0


async def test_what_belongs_to_a_fact_goes_with_it(tmp_path: Path) -> None:
    note = PartNote(3, 0, "accepted", 1, "", "")
    async with open_journal(tmp_path) as journal:
        await journal.append(facts(1, 10, offered=(2, 10), snapshot=shot(10)))
        parts = (note, PartNote(11, 0, "sending", 1, "", ""))
        await journal.append(fact(11, offered=(11,), parts=parts))
        await journal.prune("alice", before_ms=time_of(11))
        assert [row.seq for row in journal.messages("alice")] == [11]
        assert journal.parts("alice", 3) == []
        assert journal.parts("alice", 11) == [parts[1]]


async def test_values_go_unless_they_are_live_or_were_kept_again(
    tmp_path: Path,
) -> None:
    kept = tuple(Kept(name, "body", b"v") for name in ("old", "live", "again"))
    async with open_journal(tmp_path) as journal:
        await journal.append(facts(1, 10, kept=kept, snapshot=shot(10)))
        await journal.append(fact(11, kept=kept[2:]))
        await journal.prune("alice", before_ms=time_of(11), live_handles={"live"})
        values = [journal.value(name) for name in ("old", "live", "again")]
        assert values == [None, b"v", b"v"]
        await journal.append(facts(12, 20, snapshot=shot(20)))
        await journal.append(fact(21))
        await journal.prune("alice", before_ms=time_of(21))
        values = [journal.value(name) for name in ("old", "live", "again")]
        assert values == [None, None, None]


async def test_a_forgotten_handle_stays_forgotten_after_its_fact_went(
    tmp_path: Path,
) -> None:
    token = Kept("token", "context", b"secret")
    async with open_journal(tmp_path) as journal:
        await journal.append(facts(1, 10, kept=(token,), snapshot=shot(10)))
        await journal.append(fact(11, forgotten=("token",)))
        await journal.append(fact(12, snapshot=shot(12)))
        await journal.append(fact(13))
        await journal.prune("alice", before_ms=time_of(99))
        await journal.append(fact(14, kept=(token,)))
        assert journal.value("token") is None


async def test_a_size_cuts_where_the_rest_fits(tmp_path: Path) -> None:
    event = b"x" * 1_000
    async with open_journal(tmp_path) as journal:
        for seq in range(1, 101):
            snapshot = shot(seq) if seq % 10 == 0 else None
            row = (seq, time_of(seq), event)
            await journal.append(Entry("alice", facts=(row,), snapshot=snapshot))
        assert await journal.prune("alice", bytes_max=1_000_000) == 0
        assert await journal.prune("alice", bytes_max=45_500) == 60
        body = Kept("body", "body", bytes(15_000))
        await journal.append(fact(101, kept=(body,)))
        assert await journal.prune("alice", bytes_max=45_500) == 10
        assert left(journal) == range(71, 102)
        assert await journal.prune("alice", bytes_max=0) == 30
        assert left(journal) == range(101, 102)


async def test_the_file_gives_its_room_back(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        for first in range(1, 20_001, 1_000):
            last = first + 999
            body = Kept(f"body-{first}", "body", bytes(100_000))
            await journal.append(facts(first, last, kept=(body,), snapshot=shot(last)))
    before = size(tmp_path)
    async with open_journal(tmp_path) as journal:
        await journal.prune("alice", before_ms=time_of(18_000))
    assert size(tmp_path) < before / 5


async def test_others_write_while_facts_go(tmp_path: Path) -> None:
    """Each chunk is a transaction of its own, and appends come between them."""
    gate = Gate()
    async with open_journal(tmp_path, connect=connecting(gate)) as journal:
        await record(journal, count=5_000, every=100)
        gate.commits = 0
        between: list[int] = []

        async def append() -> None:
            for seq in range(1, 9):
                await journal.append(fact(seq, "bob"))
                between.append(gate.commits)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(append)
            await journal.prune("alice", before_ms=time_of(4_950))
        assert gate.commits >= 10
        assert between[0] < 5


class Case(Struct, frozen=True):
    """A journal of `count` facts with these snapshots, and how it is pruned."""

    count: int
    shots: frozenset[int]
    before_seq: int | None
    bytes_max: int | None
    keep_after_seq: int

    async def prune(self, journal: Journal) -> None:
        for seq in range(1, self.count + 1):
            snapshot = shot(seq) if seq in self.shots else None
            await journal.append(fact(seq, snapshot=snapshot))
        await journal.prune(
            "alice",
            before_ms=None if self.before_seq is None else time_of(self.before_seq),
            bytes_max=self.bytes_max,
            keep_after_seq=self.keep_after_seq,
        )


CASES = st.builds(
    Case,
    count=st.integers(1, 60),
    shots=st.frozensets(st.integers(1, 60), max_size=6),
    before_seq=st.none() | st.integers(0, 70),
    bytes_max=st.none() | st.integers(0, 3_000),
    keep_after_seq=st.integers(0, 60) | st.just(SEQ_MAX),
)


@given(case=CASES)
@settings(max_examples=60, deadline=None)
def test_what_is_left_can_always_be_folded(
    tmp_path_factory: pytest.TempPathFactory, case: Case
) -> None:
    async def check() -> None:
        folder = tmp_path_factory.mktemp("prune")
        async with open_journal(folder, threaded=False) as journal:
            await case.prune(journal)
            cut = left(journal).start - 1
            assert left(journal).stop - 1 == case.count
            assert cut == 0 or journal.snapshot("alice", cut) == shot(cut)
            newest = max((seq for seq in case.shots if seq <= case.count), default=0)
            assert cut <= min(newest, case.keep_after_seq)
            assert journal.snapshot("alice") == (shot(newest) if newest else None)
            if case.bytes_max is None:
                assert cut < (case.before_seq or 1)

    trio.run(check)


def size(folder: Path) -> int:
    return (folder / FILE_NAME).stat().st_size
