"""Recorder: writes recordings, whole or not at all."""

import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec import Raw
from msgspec.json import Encoder
from msgspec.structs import replace

from holdfast.core.commands import Command
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.replay.digests import core_digest, digest, encode_state
from holdfast.replay.lines import FORMAT, UNKNOWN, End, EndLine, Header, WrittenLine

CHECKPOINT_FACTS = 1_000
# A checkpoint waits until the facts since the last one are so many times its size: the
# state of a busy account is large, and a recording should not be made of it.
CHECKPOINT_SHARE = 4

_encode = Encoder().encode


def new_header(
    platform: str,
    account: str,
    start: Any,
    policy: Policy,
    source: Mapping[str, Any] | None = None,
) -> Header:
    """Return the header of a recording made by this very core."""
    return Header(
        recording=FORMAT,
        platform=platform,
        account=account,
        seed=start.seed,
        policy=policy,
        core=core_digest(),
        start=Raw(encode_state(start)),
        source=dict(source or {}),
    )


class LineEncoder:
    """Turns facts into the lines of a recording; does no I/O.

    Call `begin` once, `add` per fact in order of `seq`, `finish` once; write what each
    returns. One line is held back, because the last one carries a checkpoint.
    """

    def __init__(self, header: Header) -> None:
        self._header = header
        self._sha = sha256()
        self._held: WrittenLine | None = None
        self._after: Any = None
        self._state = bytes(header.start)  # The newest that was encoded.
        self._facts = 0  # Since the last checkpoint.
        self._bytes = 0

    def begin(self) -> bytes:
        """Return the header line."""
        return self._line(self._header)

    def add(
        self, fact: Fact, commands: Sequence[Command] | Raw | None, after: Any
    ) -> bytes:
        """Take a fact, what it led to (None: unknown) and the state after it.

        Return the line of the fact before.
        """
        ready = self._release(last=False)
        told = UNKNOWN if commands is None else commands
        listed = told if isinstance(told, Raw) else list(told)
        self._held = WrittenLine(fact.seq, fact.at_ms, fact.event, listed)
        self._after = after
        return ready

    def finish(self) -> bytes:
        """Return the last fact line and the end line."""
        seq = self._held.seq if self._held else 0
        ready = self._release(last=True)
        end = End(seq, digest(self._state), self._sha.hexdigest())
        return ready + self._line(EndLine(end))

    def _release(self, *, last: bool) -> bytes:
        line = self._held
        if line is None:
            return b""
        self._facts += 1
        if last or self._facts >= CHECKPOINT_FACTS:
            line = self._with_checkpoint(line, last=last)
        return self._line(line)

    def _with_checkpoint(self, line: WrittenLine, *, last: bool) -> WrittenLine:
        self._state = encode_state(self._after)
        self._facts = 0
        if not last and self._bytes < CHECKPOINT_SHARE * len(self._state):
            return line
        self._bytes = 0
        return replace(line, state=Raw(self._state))

    def _line(self, struct: Any) -> bytes:
        line = _encode(struct) + b"\n"
        self._sha.update(line)
        self._bytes += len(line)
        return line


class RecordingWriter:
    """Writes a recording to a file that appears only when it is complete.

    Use it as a context manager and call `add` per fact, in order of `seq`. Leaving the
    block without an error ends the recording, makes it durable and puts it in place of
    `path`; leaving it with one removes what was written. Raises `OSError`.
    """

    def __init__(self, path: str | os.PathLike[str], header: Header) -> None:
        self._path = Path(path)
        self._part = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        self._lines = LineEncoder(header)

    def __enter__(self) -> Self:
        """Begin a file beside the target."""
        self._file = self._part.open("xb")
        self._file.write(self._lines.begin())
        return self

    def add(
        self, fact: Fact, commands: Sequence[Command] | Raw | None, after: Any
    ) -> None:
        """Write a fact, what it led to (None: unknown) and the state after it."""
        self._file.write(self._lines.add(fact, commands, after))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Publish the recording, or remove it after an error."""
        try:
            if kind is None:
                self._publish()
        finally:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def _publish(self) -> None:
        """Make the bytes durable first, then the name."""
        self._file.write(self._lines.finish())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._path)
        _sync_folder(self._path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows cannot open a folder, and keeps names durable by itself.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
