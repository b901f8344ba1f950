"""Player: fold a recording again, and compare every command and state.

`play` takes a recording, `play_facts` the facts of a journal. Both return a `Result`;
its `verdict` says in one word what came of it, and the first difference is in
`divergence`, explained. What a file holds never makes them raise, but for a header
that cannot be read.
"""

import os
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import islice

from msgspec import DecodeError, Struct

from holdfast.core.policy import Policy
from holdfast.replay.damage import placed
from holdfast.replay.divergence import Divergence
from holdfast.replay.fold import Broken, Fold, Rules
from holdfast.replay.lines import FactLine, disorder
from holdfast.replay.platforms import Platform, State
from holdfast.replay.recording import (
    ChecksumError,
    Reader,
    Recording,
    RecordingError,
    read_recording,
)

CHUNK_FACTS = 512
JOURNAL = "journal"
HEADER_LINES = 1


class Verdict(StrEnum):
    """What came of a replay, the worst first."""

    DAMAGED = "damaged"  # The input is not what was recorded, or cannot be read.
    DIFFERENT = "different"  # Commands or state differ, or the reducer failed.
    BROKEN = "broken"  # All is the same, but a promise was broken.
    SAME = "same"


class Result(Struct, frozen=True):
    """What a replay found; `state` is the one after the last fact folded.

    `unknown` counts facts whose commands nobody recorded: those were folded only.
    """

    name: str
    facts: int
    unknown: int
    state: State
    divergence: Divergence | None
    broken: tuple[Broken, ...]
    damage: RecordingError | None

    @property
    def verdict(self) -> Verdict:
        """Say in one word what came of it."""
        if self.damage is not None:
            return Verdict.DAMAGED
        if self.divergence is not None:
            return Verdict.DIFFERENT
        return Verdict.BROKEN if self.broken else Verdict.SAME


def play(
    source: Recording | str | os.PathLike[str] | bytes,
    policy: Policy | None = None,
    *,
    invariants: bool = True,
) -> Result:
    """Verify a recording, under its own policies or under another for all of it.

    Raise `RecordingError` when not even the header can be read. Without `invariants`
    only commands and states are compared.
    """
    recording = source if isinstance(source, Recording) else read_recording(source)
    rules = Rules(
        recording.platform,
        policy or recording.header.policy,
        fixed=policy is not None,
        invariants=invariants,
    )
    fold = Fold(rules, recording.start)
    damage: RecordingError | None = None
    try:
        _fold_all(fold, recording.read())
    except ChecksumError as error:
        damage = error if fold.divergence else placed(recording, error)
    except RecordingError as error:
        damage = error
    except DecodeError as error:
        line = HEADER_LINES + fold.facts + 1
        damage = _unreadable(recording.name, line, error)
    return _result(recording.name, fold, damage)


def _fold_all(fold: Fold, reader: Reader) -> None:
    """Read on behind a difference: whether the file is sound decides what it means."""
    last = None
    try:
        for lines in reader:
            if fold.divergence is None:
                fold.take(lines)
            last = lines[-1]
    finally:
        if reader.end is not None and fold.divergence is None:
            fold.finish(reader.end, last)


def play_facts(
    facts: Iterable[FactLine],
    start: State,
    platform: Platform,
    policy: Policy,
    *,
    invariants: bool = True,
) -> Result:
    """Verify the facts of a journal, folded from the state `start`.

    `policy` holds until a `Started` brings another. A fact whose `commands` are
    `UNKNOWN` was cut off by a crash: it is folded, and nothing is compared. Errors of
    the iterable itself pass through.
    """
    fold = Fold(Rules(platform, policy, invariants=invariants), start)
    damage = None
    rest = iter(facts)
    try:
        while fold.divergence is None and (lines := list(islice(rest, CHUNK_FACTS))):
            _check_order(fold.seq, lines)
            fold.take(lines)
    except RecordingError as error:
        damage = error
    except DecodeError as error:
        damage = _unreadable(f"{JOURNAL}, seq {fold.seq + 1}", 0, error)
    return _result(JOURNAL, fold, damage)


def _check_order(seq: int, lines: Sequence[FactLine]) -> None:
    if found := disorder(seq or lines[0].seq - 1, lines):
        _, *why = found
        raise RecordingError(JOURNAL, 0, *why)


def _unreadable(name: str, line: int, error: DecodeError) -> RecordingError:
    what = f"recorded commands or state cannot be read: {error}"
    right = "a newer holdfast may have written them"
    return RecordingError(name, line, what, right)


def _result(name: str, fold: Fold, damage: RecordingError | None) -> Result:
    return Result(
        name=name,
        facts=fold.facts,
        unknown=fold.unknown,
        state=fold.state,
        divergence=fold.divergence,
        broken=tuple(fold.broken),
        damage=damage,
    )
