"""What crosses the wire between a client and any simulated peer: HTTP, whole.

A `Request` comes in and leads to a `Reply`; its `Transport` says how the bytes of the
reply go wrong on their way. Nothing here knows a platform.

Units: every ``*_ms`` is milliseconds. Nothing here reads a clock.
"""

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

Json: TypeAlias = dict[str, Any]

How: TypeAlias = Literal[
    "refuse",  # Reset, and from then on nothing listens.
    "accept_and_close",  # An ordinary end of the connection in place of an answer.
    "reset_before_headers",
    "reset_in_body",  # After half of it.
    "reset_after_body",  # The answer is whole, the connection is not kept.
    "headers_then_stall",
    "trickle",  # The body byte by byte.
    "cut_body",  # Half of it, then an ordinary end.
    "wrong_length",  # Content-Length names half of the body.
    "never_answer",  # The request is read, and that is all: half-open.
]


class Request(Struct, frozen=True):
    """One HTTP request, whole. Header names may be in any case."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Transport(Struct, frozen=True):
    """How the bytes of a reply go wrong on their way; the server carries it out.

    `for_ms` ends a stall, after which the rest is sent; None stalls until the client
    leaves. `interval_ms` is the pause between the single bytes of a trickle.
    """

    how: How
    for_ms: int | None = None
    interval_ms: int = 1_000


class Reply(Struct, frozen=True):
    """The peer's answer: send it `delay_ms` from now, in the way `transport` says.

    With `transport` None the answer is written whole and the connection kept.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay_ms: int = 0
    transport: Transport | None = None


def encode(fields: Json) -> bytes:
    """Return the JSON of a reply."""
    return msgspec.json.encode(fields)


def read_object(body: bytes | str) -> Json | None:
    """Return the fields of a JSON object; None for anything else."""
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None
