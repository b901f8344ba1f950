"""Story: a path through a scope, for a person to read and for `holdfast replay`."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from holdfast.core.policy import Policy
from holdfast.replay.describe import describe_command, describe_event
from holdfast.replay.explore.forever import Round, round_after
from holdfast.replay.explore.scope import Scope
from holdfast.replay.explore.search import DOOMED, Finding, Step, walk
from holdfast.replay.recorder import RecordingWriter, new_header

ACCOUNT = "explored"
MARGIN = " " * 6


def story(scope: Scope, finding: Finding) -> Iterator[str]:
    """Yield what happened, one move after the other, and what is wrong at the end.

    Each move: its number, the time, who did what; below it the facts, further in the
    commands that they led to, behind `=` where its machines stand from then on. A
    doomed account is followed once round.
    """
    count = len(finding.moves)
    yield f"{scope.name}, after {count} moves: {finding.what}"
    on = round_after(scope, finding.moves) if finding.what == DOOMED else Round()
    last = None
    for number, steps in groupby(walk(scope, (*finding.moves, *on.moves)), _number):
        if number == count + 1:
            yield f"{MARGIN}It is doomed. One of the ways to go on, for ever:"
        last = list(steps)
        yield from _told(scope, number, last)
    if on.moves:
        yield f"{MARGIN}Now all is as it was after move {on.back_to}."
    elif last is not None:
        phases = scope.subject.phases(last[-1].after)
        yield f"{MARGIN}The account stands at: {phases}. {finding.what}"


def _number(step: Step) -> int:
    return step.move


def _told(scope: Scope, number: int, steps: list[Step]) -> Iterator[str]:
    first, last = steps[0], steps[-1]
    yield f"{number:>4}  at {first.world.now_ms} ms, {first.by}: {first.what}"
    for step in steps:
        if step.fact is not None:
            yield f"{MARGIN}{describe_event(step.fact.event)}"
        for command in step.commands:
            yield f"{MARGIN}  {describe_command(command)}"
    phases = scope.subject.phases
    before, after = phases(first.before), phases(last.after)
    if before != after:
        yield f"{MARGIN}= {after}"


def write_recording(scope: Scope, finding: Finding, path: Path) -> None:
    """Write the facts of a finding's path as a recording; raises `OSError`."""
    policy: Policy = scope.policy
    source = {"explored": scope.name, "found": finding.what}
    subject = scope.subject
    header = new_header(subject.platform, ACCOUNT, subject.start, policy, source)
    with RecordingWriter(path, header) as writer:
        for step in walk(scope, finding.moves):
            if step.fact is not None:
                writer.add(step.fact, step.commands, step.after)
