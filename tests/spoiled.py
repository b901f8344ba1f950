"""Spoiled: recordings changed on purpose, and what a replay then says."""

from hashlib import sha256

import msgspec

from holdfast.replay.divergence import Divergence
from holdfast.replay.lines import FactLine
from holdfast.replay.player import Result
from holdfast.replay.recording import read_recording


def facts_of(content: bytes) -> list[FactLine]:
    return [line for chunk in read_recording(content).read() for line in chunk]


def changed(content: bytes, place: int) -> bytes:
    """Flip one bit."""
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def sealed(lines: list[bytes], **end: object) -> bytes:
    """Return lines, the last being an end line, with the checksum that fits them."""
    *before, last = lines
    whole = b"".join(before)
    checksum = sha256(whole).hexdigest()
    told = {**msgspec.json.decode(last)["end"], "sha256": checksum, **end}
    return whole + msgspec.json.encode({"end": told}) + b"\n"


def diverged(result: Result) -> Divergence:
    assert result.divergence is not None
    return result.divergence
