"""Durable facts per second: the journal beside a bare loop over the same tables.

Journal: 200 tasks, each of which appends one fact and waits until it is durable, again
and again. Bare: one thread that commits the same rows 200 at a time, with nobody to
wait for it. Both take turns, each time on a fresh file with the same settings, so that
a slow minute of the disk strikes both. The ratio is what the waiting costs.
"""

import argparse
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

import trio

from holdfast.io.journal import LOG_PAGES_MAX, Journal, open_journal
from holdfast.io.journal_rows import Entry
from holdfast.io.journal_schema import FILE_NAME, open_to_write

ACCOUNTS = 200
EVENT = (
    b'{"type":"poll_answered","epoch":12,"status":200,"ret":0,"errcode":0,"errmsg":"",'
    b'"cursor":"cursor-5f0c3a9d11e2","hold_ms":35000,"messages":[{"id":"74190582231",'
    b'"peer":"peer-0c11d2a7","body":"body-9be1f04a","context":"context-77aa01",'
    b'"kind":"text","at_ms":1790000000000}]}'
).ljust(271)
START_MS = 1_790_000_000_000
FSYNCS = 200
TARGET = 0.5


def main() -> int:
    """Print the figures; return 1 when the ratio is below the target."""
    options = _options()
    pairs = []
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        place = Path(folder)
        print(f"{_machine()}; fdatasync p50 {_fsync_ms(place):.3f} ms")
        for number in range(1, options.rounds + 1):
            pairs.append(_round(place / str(number), options.seconds))
            print(_line(f"round {number}", *pairs[-1]), flush=True)
    journals, bares = zip(*pairs, strict=True)
    print(_line("medians", statistics.median(journals), statistics.median(bares)))
    ratio = statistics.median(journal / bare for journal, bare in pairs)
    held = ratio >= TARGET
    print(f"median ratio {ratio:.2f}, target {TARGET}: {'held' if held else 'MISSED'}")
    return 0 if held else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each half")
    parser.add_argument("--dir", help="where the files go; default: the temp folder")
    return parser.parse_args()


def _round(place: Path, seconds: float) -> tuple[float, float]:
    """Run both halves, first the one and then the other by turns."""
    place.mkdir()
    bare_first = int(place.name) % 2 == 0
    bare = _bare(place / "bare", seconds) if bare_first else 0.0
    journal = _through_journal(place / "journal", seconds)
    return journal, bare or _bare(place / "bare", seconds)


def _through_journal(folder: Path, seconds: float) -> float:
    """Return durable facts per second of tasks that wait for each of theirs."""
    counts = [0] * ACCOUNTS

    async def keep_appending(journal: Journal, number: int, end: float) -> None:
        name = f"account-{number:03}"
        seq = 0
        while time.perf_counter() < end:
            seq += 1
            await journal.append(Entry(name, ((seq, START_MS + seq, EVENT),)))
            counts[number] = seq

    async def run() -> float:
        async with open_journal(folder) as journal, trio.open_nursery() as nursery:
            start = time.perf_counter()
            for number in range(ACCOUNTS):
                nursery.start_soon(keep_appending, journal, number, start + seconds)
        return start

    start = trio.run(run)
    return sum(counts) / (time.perf_counter() - start)


def _bare(folder: Path, seconds: float) -> float:
    """Return durable facts per second of one thread with nobody waiting."""
    folder.mkdir()
    connection = open_to_write(folder / FILE_NAME, sqlite3.connect, busy_ms=0)
    # SQLite's own way to empty the log, at the same size as the journal's.
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES_MAX}")
    insert = "INSERT INTO fact (account, seq, at_ms, event) VALUES (?, ?, ?, ?)"
    seq = 0
    start = time.perf_counter()
    while time.perf_counter() < start + seconds:
        seq += 1
        rows = [(number, seq, START_MS + seq, EVENT) for number in range(ACCOUNTS)]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(insert, rows)
        connection.execute("COMMIT")
    connection.close()
    return seq * ACCOUNTS / (time.perf_counter() - start)


def _fsync_ms(folder: Path) -> float:
    """Return the median time to append two pages to a file and make them durable."""
    times_ms = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            file.write(bytes(8192))
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            times_ms.append(1000 * (time.perf_counter() - start))
    return statistics.median(times_ms)


def _machine() -> str:
    return (
        f"{platform.platform()}, {os.cpu_count()} CPUs; Python"
        f" {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def _line(name: str, journal: float, bare: float) -> str:
    return (
        f"{name:8}  journal {journal:9,.0f} facts/s   bare {bare:9,.0f} facts/s"
        f"   ratio {journal / bare:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
