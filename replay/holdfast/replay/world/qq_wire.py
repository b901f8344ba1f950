"""What crosses the wire between a client and the simulated QQ platform.

HTTP comes in as a `Request` and is read into a `Call`. What the platform does on its
sockets is a list of `Out`: whoever drives the model carries them out, in order.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal, TypeAlias
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from holdfast.replay.world.qq_settings import Scene
from holdfast.replay.world.wire import Json, Reply, Request, Transport, read_object

Endpoint: TypeAlias = Literal[
    "token",
    "gateway",
    "gateway_bot",
    "me",
    "dms",
    "c2c",
    "group",
    "channel",
    "dm",
    "recall",
    "interaction",
    "websocket",
]

JSON_TYPE = ("Content-Type", "application/json")  # botpy compares it literally.
SEND_SCENES: Mapping[str, Scene] = {
    "c2c": "c2c",
    "group": "group",
    "channel": "channel",
    "dm": "dm",
}

HEARTBEAT, IDENTIFY, RESUME = 1, 2, 6
DISPATCH, RECONNECT, INVALID_SESSION, HELLO, ACK = 0, 7, 9, 10, 11

NO_CODE = 1005  # A close frame without a code.
NO_FRAME = 1006  # The end of the stream without a close frame.

EAST_8 = timezone(timedelta(hours=8))


class Frame(Struct, frozen=True, tag="frame"):
    """Send this text frame; with `byte_ms`, byte by byte with this pause."""

    socket: int
    text: str
    byte_ms: int = 0


class Close(Struct, frozen=True, tag="close"):
    """Send a close frame and end the connection; code 1005 is a frame without code.

    After the client's close frame it is the answer to it.
    """

    socket: int
    code: int
    reason: str = ""


class Cut(Struct, frozen=True, tag="cut"):
    """End the connection without a close frame; `reset`: by RST.

    `torn` is a text of which only the first half of a frame is sent before.
    """

    socket: int
    reset: bool = False
    torn: str = ""


class Pong(Struct, frozen=True, tag="pong"):
    """Answer a WebSocket ping."""

    socket: int
    data: bytes = b""


class Mute(Struct, frozen=True, tag="mute"):
    """Say nothing more and hear nothing more, but keep the connection: half-open."""

    socket: int


Out: TypeAlias = Frame | Close | Cut | Pong | Mute


class Text(Struct, frozen=True, tag="text"):
    """The client sent a text frame."""

    text: str


class Ping(Struct, frozen=True, tag="ping"):
    """The client sent a WebSocket ping."""

    data: bytes = b""


class Left(Struct, frozen=True, tag="left"):
    """The client closed; None: without a close frame."""

    code: int | None = None
    reason: str = ""


Heard: TypeAlias = Text | Ping | Left


class Call(Struct, frozen=True):
    """A request that was understood: its endpoint, whom it is about, its fields.

    `endpoint` is None for a path the platform does not serve, `body` is None for bytes
    that are no JSON object. `target` is the first id in the path, `item` the second.
    """

    number: int
    at_ms: int
    method: str
    path: str
    endpoint: Endpoint | None
    target: str
    item: str
    scene: Scene | None
    headers: dict[str, str]
    body: Json | None

    @property
    def fields(self) -> Json:
        """The body's fields; none when it was no JSON object."""
        return self.body or {}

    @property
    def chat(self) -> str:
        """The key of the chat that the call is about; empty for calls about none."""
        return f"{self.scene}:{self.target}" if self.scene else ""


class Draft(Struct, frozen=True):
    """An answer in the making; `raw`, when set, takes the place of `fields`."""

    fields: Json = {}
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (JSON_TYPE,)
    raw: bytes | None = None
    delay_ms: int = 0
    transport: Transport | None = None

    def reply(self, number: int) -> Reply:
        """Make the bytes, under the trace id of this call."""
        body = msgspec.json.encode(self.fields) if self.raw is None else self.raw
        headers = (*self.headers, ("X-Tps-trace-ID", trace_id(number)))
        return Reply(self.status, headers, body, self.delay_ms, self.transport)


def trace_id(number: int) -> str:
    """Return the trace id of a call."""
    return f"trace-{number}"


def refusal(
    number: int,
    code: int | None,
    *,
    err_code: int | None = None,
    status: int = 400,
    words: str = "refused",
) -> Draft:
    """Return an error body (section 9); without a code there is only a message."""
    fields: Json = {"message": words}
    if code is not None:
        fields |= {"code": code, "err_code": code if err_code is None else err_code}
    return Draft(fields | {"trace_id": trace_id(number)}, status)


def stamp(at_ms: int) -> str:
    """Return a time as the platform writes it into messages."""
    moment = datetime.fromtimestamp(at_ms // 1_000, UTC).astimezone(EAST_8)
    return moment.isoformat()


def read_call(request: Request, *, number: int, at_ms: int) -> Call:
    """Read a request. Never fails: what cannot be read is None in the call."""
    path = request.path.partition("?")[0]
    method = request.method.upper()
    parts = tuple(unquote(part) for part in path.strip("/").split("/"))
    endpoint, scene, target, item = _route(method, parts)
    return Call(
        number=number,
        at_ms=at_ms,
        method=method,
        path=path,
        endpoint=endpoint,
        target=target,
        item=item,
        scene=scene,
        headers={name.lower(): value for name, value in request.headers},
        body=read_object(request.body),
    )


FIXED: Mapping[tuple[str, ...], Endpoint] = {
    ("POST", "app", "getAppAccessToken"): "token",
    ("GET", "gateway"): "gateway",
    ("GET", "gateway", "bot"): "gateway_bot",
    ("GET", "users", "@me"): "me",
    ("POST", "users", "@me", "dms"): "dms",
    ("GET", "websocket"): "websocket",
}


MESSAGES: Mapping[tuple[str, ...], Scene] = {
    ("v2", "users"): "c2c",
    ("v2", "groups"): "group",
    ("channels",): "channel",
    ("dms",): "dm",
}


def _route(
    method: str, parts: tuple[str, ...]
) -> tuple[Endpoint | None, Scene | None, str, str]:
    """Find the endpoint of a path, with the scene and the ids that stand in it."""
    if found := FIXED.get((method, *parts)):
        return found, None, "", ""
    match method, parts:
        case "PUT", ("interactions", item):
            return "interaction", None, "", item
        case "POST", (*place, target, "messages"):
            scene = MESSAGES.get(tuple(place))
            return scene, scene, target, ""
        case "DELETE", (*place, target, "messages", item):
            scene = MESSAGES.get(tuple(place))
            return "recall" if scene else None, scene, target, item
        case _:
            return None, None, "", ""
