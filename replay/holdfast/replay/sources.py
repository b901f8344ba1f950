"""Sources: what can be folded, a recording or an account in a data folder's journal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from holdfast.core.policy import Policy
from holdfast.replay.lines import UNKNOWN, FactLine
from holdfast.replay.platforms import PLATFORMS, UNNOTED, Platform, State
from holdfast.replay.recording import read_recording

if TYPE_CHECKING:
    from holdfast.io.journal_read import JournalReader


SQLITE = b"SQLite format 3\0"


class Life(Struct, frozen=True):
    """One account's facts in order, and the state and policy before the first."""

    name: str
    platform: Platform
    start: State
    policy: Policy
    lines: Iterator[FactLine]


class UnreadableError(Exception):
    """A data folder whose journal cannot be read or folded; the text says why."""


@contextmanager
def open_journal_reader(folder: Path) -> Iterator["JournalReader"]:
    """Open a data folder's journal to read, as of one moment.

    Raises `UnreadableError`, also for what turns up while it is read.
    """
    from holdfast.io.journal_errors import JournalError  # noqa: PLC0415 - as needed.
    from holdfast.io.journal_read import JournalReader  # noqa: PLC0415 - as needed.
    from holdfast.io.recovery import RecoveryError  # noqa: PLC0415 - as needed.

    try:
        with JournalReader(folder) as reader, reader.moment():
            yield reader
    except (JournalError, RecoveryError) as error:
        raise UnreadableError(str(error)) from error


def is_journal(path: Path) -> bool:
    """Say whether a path is a data folder, or the database in one."""
    if path.is_dir():
        return True
    with path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def located(path: Path, text: str) -> str:
    """Name the file exactly once."""
    return text if text.startswith(str(path)) else f"{path}: {text}"


@contextmanager
def open_lives(path: Path, account: str | None = None) -> Iterator[list[Life]]:
    """Open what is at a path: one recording, or the accounts of a data folder.

    Raises `RecordingError` and `UnreadableError`.
    """
    if not is_journal(path):
        yield [recorded_life(path)]
        return
    with open_journal_reader(path) as reader:
        names = [name for name in reader.accounts() if account in (None, name)]
        yield [journaled_life(reader, name) for name in names]


def recorded_life(path: Path) -> Life:
    """Read a recording."""
    recording = read_recording(path)
    lines = (line for chunk in recording.read() for line in chunk)
    policy = recording.header.policy
    return Life(path.name, recording.platform, recording.start, policy, lines)


def journaled_life(
    reader: "JournalReader", account: str, after: int | None = None
) -> Life:
    """Read an account's facts after a seq, else all that can be folded.

    They begin where the journal does; when its first facts went by age, with the
    oldest snapshot that is left.
    """
    from holdfast.io import recovery  # noqa: PLC0415 - a recording needs no journal.

    noted = reader.platform(account) or UNNOTED
    if noted not in PLATFORMS:
        known = ", ".join(PLATFORMS)
        what = f"account {account}: platform {noted!r} is unknown; known: {known}"
        raise UnreadableError(what)
    platform = PLATFORMS[noted]
    start = recovery.folded_until(reader, account, after, platform, platform.policy)
    rows = recovery.read_facts(reader, account, start.seq)
    lines = (
        FactLine(
            row.seq,
            row.at_ms,
            recovery.read_fact(reader, account, row).event,
            UNKNOWN if row.commands is None else Raw(row.commands),
        )
        for row in rows
    )
    return Life(account, platform, start.state, start.policy, lines)
