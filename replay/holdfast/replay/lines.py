"""Lines: the JSON forms that a recording is made of, one struct per kind of line.

    {"recording":1,"platform":"weixin","account":…,"seed":…,"policy":{…},
     "core":"<digest>","start":{state},"source":{…}}                     (one line)
    {"seq":1,"at_ms":…,"event":{"type":"poll_answered",…},"commands":[…]}
    {"seq":2,"at_ms":…,"event":{…},"commands":[…],"state":{…}}
    {"end":{"seq":2,"state":"<digest>","sha256":"<of all lines before>"}}

`state` is a checkpoint: the whole state after that fact. Unknown fields are refused
everywhere, never ignored: they may carry what this version would get wrong.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from holdfast.core.commands import Command
from holdfast.core.events import Event, Fact
from holdfast.core.policy import Policy

FORMAT = 1

INT64_MAX = (1 << 63) - 1
Seq = Annotated[int, Meta(ge=1, le=INT64_MAX)]
EpochMillis = Annotated[int, Meta(ge=0, le=INT64_MAX)]

# Nobody recorded what this fact led to: the process died first, or the recording was
# imported from a program that does not say.
UNKNOWN = Raw(b"null")
NO_STATE = Raw()


class RecordingError(Exception):
    """A recording that cannot be used; says where, what, and what would be right.

    `line` counts from 1; 0 stands for the file as a whole.
    """

    def __init__(self, path: str, line: int, what: str, right: str) -> None:
        super().__init__(path, line, what, right)
        self.path, self.line, self.what, self.right = path, line, what, right

    def __str__(self) -> str:
        """Return `path:line: what is wrong; what would be right`."""
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.what}; {self.right}"


class ChecksumError(RecordingError):
    """All lines could be read, but they are not those that were recorded."""


class Version(Struct, frozen=True):
    """The one field of a header that every version of the format has."""

    recording: int


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line. `start` is the state before the first fact.

    `core` is the digest of the reducers' source that recorded; `source` is free: where
    the recording comes from, for people.
    """

    recording: int
    platform: str
    account: str
    seed: int
    policy: Policy
    core: str
    start: Raw
    source: dict[str, Any] = {}


class FactLine(Fact, frozen=True, gc=False, forbid_unknown_fields=True):
    """A fact as a recording tells it; being a `Fact`, it is what a reducer takes.

    `commands` are the recorded ones, still in JSON: `UNKNOWN` when nobody wrote them
    down. `state` is `NO_STATE` unless the line is a checkpoint.
    """

    seq: Seq
    at_ms: EpochMillis
    event: Event
    commands: Raw
    state: Raw = NO_STATE


class WrittenLine(Struct, frozen=True, gc=False):
    """A fact line on its way out."""

    seq: int
    at_ms: int
    event: Event
    commands: list[Command] | Raw
    state: Any | UnsetType = UNSET


class End(Struct, frozen=True, forbid_unknown_fields=True):
    """What the fold must have reached; `sha256` is that of all lines before."""

    seq: int
    state: str
    sha256: str


class EndLine(Struct, frozen=True, forbid_unknown_fields=True):
    """The last line."""

    end: End


def disorder(seq: int, facts: Sequence[Fact]) -> tuple[int, str, str] | None:
    """Find the first fact that does not follow the one before; `seq` precedes them.

    Return its index, what is wrong and what would be right.
    """
    seqs = [fact.seq for fact in facts]
    if seqs == list(range(seq + 1, seq + 1 + len(seqs))):
        return None
    index, (old, new) = next(
        (index, pair)
        for index, pair in enumerate(pairwise([seq, *seqs]))
        if pair[1] != pair[0] + 1
    )
    kind = "missing" if new > old else "out of order" if new < old else "repeated"
    what = f"seq {new} follows seq {old}: facts are {kind}"
    return index, what, f"seq {old + 1} belongs here"
