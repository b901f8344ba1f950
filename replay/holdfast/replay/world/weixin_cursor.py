"""The cursor that the simulated peer hands out as `get_updates_buf`.

To the client it is an opaque string (section 2). Inside is the generation of the queue,
so that a cursor from before a loss of state is known to be foreign, and the position of
the first message not yet handed out.
"""

import base64
import binascii

HEAD = "cursor"


def encode_cursor(generation: int, position: int, extra: str = "") -> str:
    """Return a cursor; `extra` makes equal positions look different, or long."""
    plain = f"{HEAD}:{generation}:{position}:{extra}"
    return base64.b64encode(plain.encode()).decode()


def decode_cursor(cursor: str) -> tuple[int, int] | None:
    """Return generation and position; None for a string that no peer handed out."""
    try:
        plain = base64.b64decode(cursor, validate=True).decode()
        head, generation, position, _ = plain.split(":", 3)
        found = int(generation), int(position)
    except (binascii.Error, ValueError):
        return None
    return found if head == HEAD else None


def with_extra(cursor: str, extra: str) -> str:
    """Return the same place under another spelling."""
    found = decode_cursor(cursor)
    return cursor if found is None else encode_cursor(*found, extra)
