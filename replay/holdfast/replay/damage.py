"""Damage: where a recording was changed, as far as that can be told.

When only the checksum is wrong, the fold came out the same and no fact says where. But
a recorder writes each line in one form, so the first line in another form was written
by somebody else.
"""

from collections.abc import Iterator

from msgspec import UNSET, DecodeError, Raw
from msgspec.json import Decoder, Encoder, decode
from msgspec.structs import replace

from holdfast.core.commands import Command
from holdfast.replay.blocks import whole_lines
from holdfast.replay.digests import encode_state
from holdfast.replay.lines import (
    NO_STATE,
    ChecksumError,
    FactLine,
    RecordingError,
    WrittenLine,
)
from holdfast.replay.platforms import State
from holdfast.replay.recording import Recording

_encode = Encoder().encode
_fact = Decoder(FactLine)
_commands = Decoder(list[Command] | None)


def placed(recording: Recording, damage: ChecksumError) -> RecordingError:
    """Return the damage of a wrong checksum, with its place where one can be told."""
    odd = next(_odd_lines(recording), 0)
    if odd > 1:
        what = "is not written as a recorder writes it, and the checksum is wrong"
        return RecordingError(recording.name, odd, what, damage.right)
    why = (
        "no line is written as a recorder writes it"
        if odd
        else "every line is well written: a value that leads to nothing else changed"
    )
    return RecordingError(recording.name, damage.line, damage.what, why)


def _odd_lines(recording: Recording) -> Iterator[int]:
    """Yield the numbers of lines that a recorder writes in another form."""
    start = Raw(encode_state(recording.start))
    header = _encode(replace(recording.header, start=start))
    lines = _lines(recording)
    if next(lines) != header:
        yield 1
    for number, line in enumerate(lines, 2):
        if line != _written(line, recording.platform.state):
            yield number


def _lines(recording: Recording) -> Iterator[bytes]:
    for block in whole_lines(recording.name, recording.content):
        yield from block.split(b"\n")[:-1]


def _written(line: bytes, state: type[State]) -> bytes:
    """Return a line as a recorder writes it; what is no fact line stays as it is."""
    try:
        fact = _fact.decode(line)
    except DecodeError:
        return line
    commands = Raw(_encode(_commands.decode(fact.commands)))
    checkpoint = (
        UNSET
        if fact.state is NO_STATE
        else Raw(encode_state(decode(fact.state, type=state)))
    )
    return _encode(WrittenLine(fact.seq, fact.at_ms, fact.event, commands, checkpoint))
