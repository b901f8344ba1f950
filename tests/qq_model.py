"""The pure QQ platform with a clock of its own, and a client that has manners."""

import json
from typing import Any, get_args

import msgspec

from holdfast.replay.world import qq
from holdfast.replay.world.qq_faults import AnyFault, Noise, Twist
from holdfast.replay.world.qq_say import USER, Event, Say
from holdfast.replay.world.qq_settings import INTENTS_ALL, Settings
from holdfast.replay.world.qq_state import Logged, Peer
from holdfast.replay.world.qq_wire import Close, Cut, Frame, Out, Pong
from holdfast.replay.world.wire import Reply, Request

LOGIN_PATH = "/app/getAppAccessToken"
C2C_PATH = f"/v2/users/{USER}/messages"


class Model:
    """Drives the model; `outs` is all that the platform did on its sockets."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.peer: Peer = qq.new_qq(settings)
        self.at_ms = 0
        self.outs: list[Out] = []
        self.token = ""
        self.session_id = ""

    def wait(self, ms: int) -> None:
        """Let time pass, waking the platform only when it asks for it."""
        until_ms = self.at_ms + ms
        while (wake := qq.wake_ms(self.peer, self.at_ms)) is not None:
            if wake > until_ms:
                break
            self.at_ms = max(wake, self.at_ms)
            self.become(qq.tick(self.peer, self.at_ms))
        self.at_ms = until_ms

    def become(self, peer: Peer) -> None:
        self.peer, outs = qq.collect(peer)
        self.outs += outs

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        reply = self.raw(method, path, body)
        found: dict[str, Any] = json.loads(reply.body)
        return found

    def raw(self, method: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        headers = (("Authorization", f"QQBot {self.token}"),)
        content = msgspec.json.encode(body) if body is not None else b""
        request = Request(method, path, headers, content)
        peer, reply = qq.answer(self.peer, self.at_ms, request)
        self.become(peer)
        return reply

    def log_in(self) -> dict[str, Any]:
        settings = self.peer.settings
        secret = {"appId": settings.app_id, "clientSecret": settings.secret}
        answer = self.ask("POST", LOGIN_PATH, secret)
        self.token = answer.get("access_token", self.token)
        return answer

    def send(self, text: str = "hi", **fields: Any) -> dict[str, Any]:
        body = {"msg_type": 0, "content": text} | fields
        return self.ask("POST", C2C_PATH, body)

    def dial(self) -> int:
        peer, number = qq.connect(self.peer, self.at_ms)
        assert isinstance(number, int)
        self.become(peer)
        return number

    def tell(self, number: int, op: int, d: Any = None) -> None:
        text = json.dumps({"op": op, "d": d})
        self.become(qq.hear(self.peer, self.at_ms, number, text))

    def identify(self, number: int, **fields: Any) -> None:
        asked = {"intents": INTENTS_ALL, "shard": [0, 1], "properties": {}} | fields
        self.tell(number, 2, {"token": f"QQBot {self.token}"} | asked)
        for told in self.frames(number):
            if told.get("t") == "READY":
                self.session_id = told["d"]["session_id"]

    def resume(self, number: int, seq: int) -> None:
        token = f"QQBot {self.token}"
        asked = {"token": token, "session_id": self.session_id, "seq": seq}
        self.tell(number, 6, asked)

    def ready(self) -> int:
        """Log in, dial and identify; return the socket."""
        self.log_in()
        number = self.dial()
        self.identify(number)
        return number

    def ready_peer(self) -> Peer:
        """Do the same and return the platform."""
        self.ready()
        return self.peer

    def beat(self, number: int, seq: int | None = None) -> None:
        self.tell(number, 1, seq)

    def beat_for(self, number: int, ms: int, every_ms: int = 41_250) -> None:
        """Send heartbeats for a while, as a client that lives."""
        until_ms = self.at_ms + ms
        while self.at_ms + every_ms <= until_ms:
            self.wait(every_ms)
            self.beat(number)
        self.wait(until_ms - self.at_ms)

    def say(self, text: str = "hello", **fields: Any) -> str:
        """Let a user write; return the id under which to reply."""
        self.become(qq.say(self.peer, self.at_ms, Say(text=text, **fields)))
        return self.peer.reply_to

    def happen(self, name: str, **data: Any) -> None:
        given = Event(name=name, data=data)
        self.become(qq.event(self.peer, self.at_ms, given))

    def arm(self, fault: AnyFault) -> None:
        self.become(qq.arm(self.peer, self.at_ms, fault))

    def arm_all(self) -> None:
        """Arm a fault of every type, far in the future."""
        for kind in get_args(AnyFault):
            needed = {"kind": "repeat"} if kind is Twist else {"kind": "heartbeat"}
            extra = needed if kind in {Twist, Noise} else {}
            self.arm(kind(from_ms=10**9, to_ms=2 * 10**9, **extra))

    def texts(self, number: int) -> list[str]:
        return [
            out.text
            for out in self.outs
            if isinstance(out, Frame) and out.socket == number
        ]

    def frames(self, number: int) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts(number)]

    def ops(self, number: int) -> list[Any]:
        """Return the frames in short: the names of dispatches, the ops of others."""
        return [fields.get("t") or fields["op"] for fields in self.frames(number)]

    def ends(self, number: int) -> list[Any]:
        """Return how the connection ended: a close code, `cut` or `reset`."""
        found: list[Any] = []
        for out in self.outs:
            if isinstance(out, Close) and out.socket == number:
                found.append(out.code)
            elif isinstance(out, Cut) and out.socket == number:
                found.append("reset" if out.reset else "cut")
        return found

    def pongs(self) -> list[bytes]:
        return [out.data for out in self.outs if isinstance(out, Pong)]

    @property
    def last(self) -> Logged:
        return self.peer.log[-1]
