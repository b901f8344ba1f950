"""`holdfast show`: the timeline of a recording or a data folder, line by line."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from holdfast.core.commands import Command
from holdfast.replay.describe import describe_line, phases
from holdfast.replay.exits import DIFFERENT, UNREADABLE, USAGE
from holdfast.replay.failures import StepError
from holdfast.replay.lines import FactLine
from holdfast.replay.platforms import State
from holdfast.replay.recording import RecordingError
from holdfast.replay.sources import Life, UnreadableError, located, open_lives
from holdfast.replay.stepping import steps


def show_path(path: Path, account: str | None, *, as_json: bool) -> int:
    """Print what is at a path; return the exit code."""
    try:
        with open_lives(path, account) as lives:
            if not lives:
                what = f"no account {account!r}" if account else "no account"
                click.echo(f"{path}: {what} in this journal", err=True)
                return USAGE
            for life in lives:
                if len(lives) > 1 and not as_json:
                    click.echo(f"== {life.name}")
                _print(life, as_json=as_json)
    except (RecordingError, UnreadableError, OSError, msgspec.DecodeError) as error:
        click.echo(located(path, str(error)), err=True)
        return UNREADABLE
    except StepError as error:
        click.echo(located(path, str(error)), err=True)
        return DIFFERENT
    return 0


def transcript(life: Life) -> Iterator[str]:
    """Yield the timeline of a life, one line per fact."""
    for line, before, after, commands in steps(life):
        yield describe_line(line, before, after, commands)


def _print(life: Life, *, as_json: bool) -> None:
    for line, before, after, commands in steps(life):
        if as_json:
            sys.stdout.buffer.write(_encode(line, before, after, commands) + b"\n")
        else:
            click.echo(describe_line(line, before, after, commands))


def _encode(
    line: FactLine, before: State, after: State, commands: list[Command]
) -> bytes:
    told = {
        "seq": line.seq,
        "at_ms": line.at_ms,
        "event": line.event,
        "phases_before": phases(before),
        "phases": phases(after),
        "commands": commands,
    }
    return msgspec.json.encode(told)
