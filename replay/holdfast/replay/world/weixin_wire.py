"""What crosses the wire between a client and the simulated Weixin peer.

A `Request` comes in, is read into a `Call`, and leads to a `Reply` or, for a long poll,
to `Held`. While the peer makes up its mind, the answer is a `Draft`: still a mapping of
fields, so that faults can bend single fields before the bytes are made.

Units: every ``*_ms`` is milliseconds. Nothing here reads a clock.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from holdfast.replay.world.wire import (
    Json,
    Reply,
    Request,
    Transport,
    encode,
    read_object,
)

Endpoint: TypeAlias = Literal[
    "getupdates",
    "sendmessage",
    "getconfig",
    "sendtyping",
    "notifystart",
    "notifystop",
]

# The paths of section 3, calls E3 to E6 and E8.
PATHS: Mapping[str, Endpoint] = {
    "/ilink/bot/getupdates": "getupdates",
    "/ilink/bot/sendmessage": "sendmessage",
    "/ilink/bot/getconfig": "getconfig",
    "/ilink/bot/sendtyping": "sendtyping",
    "/ilink/bot/msg/notifystart": "notifystart",
    "/ilink/bot/msg/notifystop": "notifystop",
}

# The real peer calls its JSON this (section 2); clients must parse it all the same.
CONTENT_TYPE = ("Content-Type", "application/octet-stream")


class Call(Struct, frozen=True):
    """A request that was understood: its number, its endpoint, its fields.

    `endpoint` is None for a path the peer does not serve, `body` is None for bytes that
    are no JSON object. `headers` has lower-case names.
    """

    number: int
    at_ms: int
    method: str
    path: str
    endpoint: Endpoint | None
    headers: dict[str, str]
    body: Json | None

    @property
    def fields(self) -> Json:
        """The body's fields; none when it was no JSON object."""
        return self.body or {}

    @property
    def message(self) -> Json:
        """The `msg` of a sendmessage; empty when there is none."""
        message = self.fields.get("msg")
        return message if isinstance(message, dict) else {}

    @property
    def user(self) -> str:
        """The user this call is about; empty for calls that name none."""
        found = self.message.get("to_user_id") or self.fields.get("ilink_user_id")
        return found if isinstance(found, str) else ""

    @property
    def context_token(self) -> str:
        """The context token that the call carries; empty when it carries none."""
        found = self.message.get("context_token") or self.fields.get("context_token")
        return found if isinstance(found, str) else ""


class Held(Struct, frozen=True):
    """A long poll without an answer yet.

    Call `resume` with it whenever the peer changed, and at `until_ms` at the latest.
    Call `abandon` when the client left, or it goes on to take messages (S12).
    """

    number: int
    until_ms: int


class Draft(Struct, frozen=True):
    """An answer in the making; `raw`, when set, takes the place of `fields`.

    `padding` is added to the body as blanks. `spoilt` says that a fault took the true
    answer's place, so that no other fault works on it.
    """

    fields: Json = {}
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (CONTENT_TYPE,)
    raw: bytes | None = None
    padding: int = 0
    delay_ms: int = 0
    transport: Transport | None = None
    spoilt: bool = False

    def reply(self) -> Reply:
        """Make the bytes. 64-bit ids are written as plain JSON numbers (section 6)."""
        body = encode(self.fields) if self.raw is None else self.raw
        body += b" " * self.padding
        return Reply(self.status, self.headers, body, self.delay_ms, self.transport)


# The answer to a token that is no good here (section 12.1).
STALE: Json = {"errcode": -14, "errmsg": "session timeout"}


def read_call(request: Request, *, number: int, at_ms: int) -> Call:
    """Read a request. Never fails: what cannot be read is None in the call."""
    path = request.path.partition("?")[0]
    return Call(
        number=number,
        at_ms=at_ms,
        method=request.method.upper(),
        path=path,
        endpoint=PATHS.get(path),
        headers={name.lower(): value for name, value in request.headers},
        body=read_object(request.body),
    )
