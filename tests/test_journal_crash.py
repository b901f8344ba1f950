"""A process is killed while it writes: everything it acknowledged is there."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from journal_rig import fact

from holdfast.io.journal import open_journal
from holdfast.io.journal_errors import DataFolderInUseError
from holdfast.io.journal_read import JournalReader

ACCOUNTS = 5

# Prints `account seq` for each fact whose append returned, until it is killed.
WRITES_FOR_EVER = """
import os, sys, trio
from journal_rig import fact
from holdfast.io.journal import open_journal

async def account(journal, name):
    seq = 0
    while True:
        seq += 1
        await journal.append(fact(seq, name))
        os.write(1, f"{name} {seq}\\n".encode())

async def main():
    async with open_journal(sys.argv[1]) as journal, trio.open_nursery() as nursery:
        for number in range(int(sys.argv[2])):
            nursery.start_soon(account, journal, f"account-{number}")

trio.run(main)
"""


class Child:
    """A process that writes for ever, and what it says was acknowledged to it."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._text = b""

    async def acknowledged(self, lines_min: int) -> dict[str, int]:
        """Read on for so many lines, or to the end; return {account: newest seq}."""
        assert self.process.stdout is not None
        newest: dict[str, int] = {}
        while lines_min > 0:
            more = await self.process.stdout.receive_some()
            if not more:
                break
            *lines, self._text = (self._text + more).split(b"\n")
            lines_min -= len(lines)
            for line in lines:
                account, seq = line.decode().split()
                newest[account] = int(seq)
        return newest


@asynccontextmanager
async def writing(folder: Path) -> AsyncIterator[Child]:
    """Give a process that writes to the folder until it is killed."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-c", WRITES_FOR_EVER, str(folder), str(ACCOUNTS)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield Child(process)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


@pytest.mark.parametrize("lines", [7, 400, 2_500])
async def test_a_killed_process_leaves_everything_it_acknowledged(
    tmp_path: Path, lines: int
) -> None:
    async with writing(tmp_path / "data") as child:
        newest = await child.acknowledged(lines)
        child.process.send_signal(signal.SIGKILL)
        newest |= await child.acknowledged(sys.maxsize)
    with JournalReader(tmp_path / "data") as reader:
        for account, seq in newest.items():
            rows = reader.facts(account, limit=100_000)
            assert [row.seq for row in rows] == [*range(1, len(rows) + 1)]
            assert len(rows) >= seq
            assert rows[seq - 1].event == fact(seq).facts[0][2]


async def test_a_killed_process_is_followed_by_the_next_one(tmp_path: Path) -> None:
    async with writing(tmp_path / "data") as child:
        await child.acknowledged(100)
        with pytest.raises(DataFolderInUseError, match=f"process {child.process.pid}"):
            async with open_journal(tmp_path / "data"):
                pass
    async with open_journal(tmp_path / "data") as journal:
        last = journal.last("account-0")
        assert last is not None
        await journal.append(fact(last.seq + 1, "account-0"))


async def test_a_reader_follows_a_process_that_writes(tmp_path: Path) -> None:
    async with writing(tmp_path / "data") as child:
        await child.acknowledged(10)
        with JournalReader(tmp_path / "data") as reader:
            for _ in range(20):
                for account, seq in (await child.acknowledged(50)).items():
                    last = reader.last(account)
                    assert last is not None
                    assert last.seq >= seq
