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

SILENT = (
    "point of no return: nothing is under way, no timer is set, and nobody was told"
)
DOOMED = (
    "point of no return: whatever the peer answers after it, the account does not "
    "come back by itself, and nobody was told"
)


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
                _print(path, life, as_json=as_json)
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


def _print(path: Path, life: Life, *, as_json: bool) -> None:
    from holdfast.replay.no_return import Watcher  # noqa: PLC0415 - 30 ms.

    watcher = Watcher(life)
    for line, before, after, commands in steps(life):
        silent = watcher.look(line, after, commands)
        if as_json:
            told = _encode(line, before, after, commands, no_return=silent)
            sys.stdout.buffer.write(told + b"\n")
        else:
            click.echo(describe_line(line, before, after, commands))
            if silent:
                click.echo(f"  ^ {SILENT}")
    if watcher.is_doomed() and not watcher.is_silent():
        _print_doom(path, life.name, as_json=as_json)


def _print_doom(path: Path, name: str, *, as_json: bool) -> None:
    from holdfast.replay.no_return import doomed_since  # noqa: PLC0415 - as above.

    with open_lives(path, name) as lives:
        seq = doomed_since(lives[0])
    if as_json:
        told = {"seq": seq, "no_return": True}
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    else:
        click.echo(f"fact {seq}: {DOOMED}")


def _encode(
    line: FactLine,
    before: State,
    after: State,
    commands: list[Command],
    *,
    no_return: bool,
) -> bytes:
    told: dict[str, object] = {
        "seq": line.seq,
        "at_ms": line.at_ms,
        "event": line.event,
        "phases_before": phases(before),
        "phases": phases(after),
        "commands": commands,
    }
    if no_return:
        told["no_return"] = True
    return msgspec.json.encode(told)
