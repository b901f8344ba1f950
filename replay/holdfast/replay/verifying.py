"""`holdfast replay`: verify recordings and journals, and say where they differ."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from holdfast.replay.divergence import explain
from holdfast.replay.exits import DIFFERENT, UNREADABLE
from holdfast.replay.player import Result, Verdict, play, play_facts
from holdfast.replay.recording import RecordingError
from holdfast.replay.sources import (
    UnreadableError,
    is_journal,
    journaled_life,
    located,
    open_journal_reader,
)

BROKEN_SHOWN = 5
CODES = {
    Verdict.SAME: 0,
    Verdict.BROKEN: DIFFERENT,
    Verdict.DIFFERENT: DIFFERENT,
    Verdict.DAMAGED: UNREADABLE,
}


def verify_paths(paths: tuple[Path, ...], *, as_json: bool) -> int:
    """Verify each path, print what came of it, and return the worst exit code."""
    worst = 0
    for path in paths:
        for result in _results(path):
            worst = max(worst, _code(result))
            click.echo(_as_json(path, result) if as_json else _as_text(path, result))
    return worst


def _results(path: Path) -> Iterator[Result | Exception]:
    try:
        if is_journal(path):
            yield from _journal(path)
        else:
            yield play(path)
    except (RecordingError, UnreadableError, OSError) as error:
        yield error


def _journal(folder: Path) -> Iterator[Result]:
    with open_journal_reader(folder) as reader:
        for name in reader.accounts():
            life = journaled_life(reader, name)
            result = play_facts(life.lines, life.start, life.platform, life.policy)
            yield msgspec.structs.replace(result, name=name)


def _code(result: Result | Exception) -> int:
    return CODES[result.verdict] if isinstance(result, Result) else UNREADABLE


def _as_text(path: Path, result: Result | Exception) -> str:
    if isinstance(result, Exception):
        return located(path, str(result))
    place = f"{path} ({result.name})" if path.is_dir() else str(path)
    lines = []
    match result.verdict:
        case Verdict.SAME:
            lines.append(
                f"{place}: {result.facts} facts, every command and state equal"
            )
        case Verdict.DAMAGED:
            lines.append(located(path, str(result.damage)))
        case Verdict.BROKEN:
            lines.append(f"{place}: the same, but promises were broken")
        case _:
            lines.append(f"{place}: DIFFERENT after {result.facts} facts")
    if result.divergence is not None:
        lines.append(explain(result.divergence))
    for step in result.broken[:BROKEN_SHOWN]:
        lines += [f"seq {step.seq}: {promise}" for promise in step.promises]
    if result.unknown:
        lines.append(f"  {result.unknown} facts had no commands noted: folded only")
    return "\n".join(lines)


def _as_json(path: Path, result: Result | Exception) -> str:
    if isinstance(result, Exception):
        told: dict[str, object] = {
            "path": str(path),
            "verdict": Verdict.DAMAGED,
            "error": str(result),
        }
    else:
        told = {
            "path": str(path),
            "name": result.name,
            "verdict": result.verdict,
            "facts": result.facts,
            "unknown": result.unknown,
            "divergence": result.divergence,
            "broken": result.broken,
            "error": str(result.damage) if result.damage else None,
        }
    return msgspec.json.encode(told).decode()
