"""Checksum: the sha256 of all lines but the last, computed beside the reading.

Hashing takes a tenth of a replay and needs no interpreter, so it has a thread: it reads
the file a second time while the facts are folded. The blocks are large, because after
each the thread waits its turn for the interpreter, which the folding does not let go.
"""

import zlib
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import Thread

from holdfast.replay.blocks import is_packed, unpacked
from holdfast.replay.lines import RecordingError

BLOCK_BYTES = 1 << 20
# More than any end line takes; a longer last line is refused for what it is.
TAIL_BYTES = 64 << 10


class Checksum:
    """Begins at once; `hexdigest` waits for the result."""

    def __init__(self, name: str, content: bytes | None) -> None:
        self._name = name
        self._content = content
        self._sha = sha256()
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def hexdigest(self) -> str:
        """Return the digest; raise `RecordingError` when the file could not be read."""
        self._thread.join()
        if self._error is not None:
            what = f"cannot be read: {self._error}"
            right = "give a whole, readable file"
            raise RecordingError(self._name, 0, what, right) from self._error
        return self._sha.hexdigest()

    def _run(self) -> None:
        try:
            self._hash()
        except (OSError, EOFError, ValueError, zlib.error) as error:
            self._error = error

    def _hash(self) -> None:
        name, content = self._name, self._content
        if content is not None and not is_packed(content):
            end = content.rfind(b"\n", 0, -1) + 1
            self._sha.update(memoryview(content)[:end])
            return
        held = b""
        with Path(name).open("rb") if content is None else BytesIO(content) as file:
            plain = unpacked(file)
            while block := plain.read(BLOCK_BYTES):
                if len(block) < TAIL_BYTES:
                    held += block
                    continue
                self._sha.update(held)
                self._sha.update(memoryview(block)[:-TAIL_BYTES])
                held = block[-TAIL_BYTES:]
        self._sha.update(held[: held.rfind(b"\n", 0, -1) + 1])
