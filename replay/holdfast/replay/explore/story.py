"""Story: a path through a scope, for a person to read and for `holdfast replay`."""

from collections.abc import Iterator
from pathlib import Path

from holdfast.core.policy import Policy
from holdfast.replay.describe import describe_command, describe_event
from holdfast.replay.explore.scope import Scope
from holdfast.replay.explore.search import Finding, walk
from holdfast.replay.recorder import RecordingWriter, new_header

ACCOUNT = "explored"


def story(scope: Scope, finding: Finding) -> Iterator[str]:
    """Yield what happened, one move after the other, and what is wrong at the end."""
    yield f"{scope.name}: {finding.what}"
    begin_ms = scope.environment.begin.now_ms
    for number, step in enumerate(walk(scope, finding.moves), 1):
        at = f"{step.world.now_ms - begin_ms:>4} ms"
        yield f"{number:>4} {at}  {step.by}: {step.what}"
        if step.fact is not None:
            yield f"{'':>13}  fact     {describe_event(step.fact.event)}"
        for command in step.commands:
            yield f"{'':>13}  command  {describe_command(command)}"
    yield f"{'':>13}  then: {finding.what}"


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
