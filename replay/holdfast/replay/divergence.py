"""Divergence: the first place where a replay differs from its recording, explained.

A `Divergence` is data: `msgspec.json.encode` gives its JSON form, `explain` its text.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from holdfast.core.commands import Command
from holdfast.core.events import Fact, StopRequested
from holdfast.replay.describe import (
    describe_command,
    describe_event,
    describe_time,
    phases,
)
from holdfast.replay.differences import (
    Change,
    command_differences,
    differences,
    shared,
)

CHANGES_MAX = 50
# Stands for the last fact of a recording that has none.
NO_FACT = Fact(0, 0, StopRequested())

Kind = Literal["commands", "state", "end", "fault"]

TITLES: dict[Kind, str] = {
    "commands": "the commands differ",
    "state": "the state differs from the recorded checkpoint",
    "end": "the final state differs from the recorded digest",
    "fault": "the reducer failed",
}


class Moment(NamedTuple):
    """One step of a fold: `after` and `commands` are what was produced now."""

    fact: Fact
    before: Any
    after: Any
    commands: Sequence[Command]


class Divergence(Struct, frozen=True):
    """Where, at which fact, and what differs.

    `kind` is what was compared: the commands of a fact, the state of a checkpoint, the
    digest in the end line; or "fault", when the reducer raised `fault`. `changes` go
    from recorded to produced; `more` counts those not listed.
    """

    kind: Kind
    seq: int
    at_ms: int
    fact: str
    recorded: tuple[str, ...]
    produced: tuple[str, ...]
    changes: tuple[Change, ...]
    more: int
    phases_before: dict[str, str]
    phases_after: dict[str, str]
    fault: str = ""


def commands_differ(moment: Moment, recorded: Sequence[Command]) -> Divergence:
    """Explain commands that differ."""
    changes = command_differences(recorded, moment.commands)
    return _explained("commands", moment, changes, recorded)


def state_differs(moment: Moment, recorded: Any) -> Divergence | None:
    """Explain a checkpoint that differs; `None` when only its form does."""
    found = [*differences("", recorded, moment.after)]
    return _explained("state", moment, found) if found else None


def end_differs(
    last: Fact | None, state: Any, recorded: str, produced: str
) -> Divergence:
    """Explain a final state whose digest differs, without a checkpoint to compare."""
    moment = Moment(last or NO_FACT, state, state, ())
    return _explained("end", moment, [Change("digest", recorded, produced)])


def reducer_failed(fact: Fact, before: Any, error: Exception) -> Divergence:
    """Explain a reducer that raised; that is a bug, whatever the fact says."""
    fault = f"{type(error).__name__}: {error}".rstrip(": ")
    return _explained("fault", Moment(fact, before, before, ()), [], fault=fault)


def _explained(
    kind: Kind,
    moment: Moment,
    changes: Iterable[Change],
    recorded: Sequence[Command] | None = None,
    *,
    fault: str = "",
) -> Divergence:
    found = iter(changes)
    produced = tuple(map(describe_command, moment.commands))
    return Divergence(
        kind=kind,
        seq=moment.fact.seq,
        at_ms=moment.fact.at_ms,
        fact=describe_event(moment.fact.event),
        recorded=produced
        if recorded is None
        else tuple(map(describe_command, recorded)),
        produced=produced,
        changes=tuple(islice(found, CHANGES_MAX)),
        more=sum(1 for _ in found),
        phases_before=phases(moment.before),
        phases_after=phases(moment.after),
        fault=fault,
    )


def explain(divergence: Divergence) -> str:
    """Return the divergence in plain words, several lines."""
    return "\n".join(_lines(divergence))


def _lines(found: Divergence) -> Iterator[str]:
    when = describe_time(found.at_ms)
    yield f"seq {found.seq} at {when} UTC: {TITLES[found.kind]}"
    yield f"  {'fact':<10} {found.fact}"
    if found.fault:
        yield f"  {'raised':<10} {found.fault}"
    for name, before in found.phases_before.items():
        after = found.phases_after[name]
        yield f"  {name:<10} {before}" + (f" -> {after}" if after != before else "")
    if found.kind == "commands":
        yield "  commands (- recorded, + produced, = both)"
    yield from (f"    {mark} {command}" for mark, command in _side_by_side(found))
    for change in found.changes:
        yield f"  {change.path}: {change.recorded} -> {change.produced}"
    if found.more:
        yield f"  … and {found.more} more"


def _side_by_side(found: Divergence) -> Iterator[tuple[str, str]]:
    """Mark each command by the side that has it."""
    begin, end = shared(found.recorded, found.produced)
    yield from (("=", command) for command in found.produced[:begin])
    recorded = found.recorded[begin : len(found.recorded) - end]
    produced = found.produced[begin : len(found.produced) - end]
    yield from (("-", command) for command in recorded)
    yield from (("+", command) for command in produced)
    rest = found.produced[len(found.produced) - end :]
    yield from (("=", command) for command in rest)
