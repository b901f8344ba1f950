"""`holdfast export`: a window of a journal becomes a recording that may be shared.

The window is written as it was recorded, copied with every id of a person replaced by
a keyed digest, and the copy is folded beside the original: only when both lead to the
same commands does it get its name.
"""

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.replay.exits import UNREADABLE, USAGE
from holdfast.replay.failures import StepError
from holdfast.replay.lines import UNKNOWN, FactLine
from holdfast.replay.pseudonyms import PseudonymError, prove, pseudonymised
from holdfast.replay.recorder import RecordingWriter, new_header
from holdfast.replay.recording import RecordingError, read_recording
from holdfast.replay.sources import (
    Life,
    UnreadableError,
    journaled_life,
    open_journal_reader,
)
from holdfast.replay.stepping import steps

if TYPE_CHECKING:
    from holdfast.io.journal_read import JournalReader

PAGE = 1_000
FOREVER_MS = 1 << 62
DIGITS_MAX = 18


class WindowError(ValueError):
    """The window that was asked for holds nothing, or cannot be understood."""


def export_account(
    config: Path | None,
    account: str,
    since: str | None,
    until: str | None,
    output: Path,
) -> int:
    """Export by the configuration's data folder; return the exit code."""
    from holdfast.io.config import ConfigError, load_config  # noqa: PLC0415 - as needed.

    try:
        folder = load_config(config, os.environ).service.data_dir
        count = export_window(
            folder, account, time_ms(since, 0), time_ms(until, FOREVER_MS), output
        )
    except (ConfigError, WindowError) as error:
        click.echo(str(error), err=True)
        return USAGE
    except (UnreadableError, RecordingError, PseudonymError, StepError) as error:
        click.echo(f"holdfast: {error}", err=True)
        return UNREADABLE
    except OSError as error:
        click.echo(f"{error.filename or output}: {error.strerror}", err=True)
        return USAGE
    click.echo(f"{output}: {count} facts of {account}, ids replaced", err=True)
    return 0


def export_window(
    folder: Path, account: str, from_ms: int, to_ms: int, output: Path
) -> int:
    """Write what an account lived through in a span of time; return how many facts.

    Raises `WindowError` for an account or a span without facts, and what reading a
    journal and writing a file raise.
    """
    with (
        open_journal_reader(folder) as reader,
        tempfile.TemporaryDirectory(prefix="holdfast-") as scratch,
    ):
        after = _seq_before(reader, account, from_ms)
        raw = Path(scratch) / "raw.jsonl"
        count = _write_raw(journaled_life(reader, account, after), to_ms, raw)
        if not count:
            raise WindowError(f"account {account}: no fact in the time asked for")
        original = read_recording(raw)
        copy = b"".join(pseudonymised(original, reader.key))
        prove(original, read_recording(copy))
    _publish(copy, output)
    return count


def _seq_before(reader: "JournalReader", account: str, from_ms: int) -> int | None:
    """Return the seq of the last fact before a time; None when there is none."""
    if account not in reader.accounts():
        known = ", ".join(reader.accounts()) or "none"
        raise WindowError(f"account {account}: not in this journal; found: {known}")
    before = None
    while rows := reader.facts(account, before or 0, PAGE):
        for row in rows:
            if row.at_ms >= from_ms:
                return before
            before = row.seq
    return before


def _write_raw(life: Life, to_ms: int, path: Path) -> int:
    """Write facts up to a time; the last ones may not have their commands noted yet."""
    header = new_header(life.platform.name, life.name, life.start, life.policy)
    count = 0
    with RecordingWriter(path, header) as writer:
        waiting = []
        for line, _, after, _ in steps(_until(life, to_ms)):
            waiting.append((line, after))
            if line.commands != UNKNOWN:
                for held, state in waiting:
                    writer.add(held, held.commands, state)
                count += len(waiting)
                waiting.clear()
    return count


def _until(life: Life, to_ms: int) -> Life:
    def lines() -> Iterator[FactLine]:
        for line in life.lines:
            if line.at_ms > to_ms:
                return
            yield line

    return Life(life.name, life.platform, life.start, life.policy, lines())


def _publish(content: bytes, output: Path) -> None:
    """Write a file that appears whole or not at all, readable by its owner alone."""
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with os.fdopen(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def time_ms(text: str | None, absent_ms: int) -> int:
    """Read a time; without a zone it is UTC, as everything printed is."""
    if text is None:
        return absent_ms
    if text.isdecimal() and len(text) <= DIGITS_MAX:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WindowError(
            f"found {text[:80]!r}, expected a time like 2026-09-01T03:12:04Z or epoch"
            " milliseconds"
        ) from None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1000)
