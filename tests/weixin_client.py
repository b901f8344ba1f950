"""A well-mannered Weixin client without any I/O, and a peer that tests drive by it."""

from typing import Any

import msgspec

from holdfast.replay.world import weixin
from holdfast.replay.world.weixin_faults import AnyFault, Script
from holdfast.replay.world.weixin_inbound import USER, Inbound
from holdfast.replay.world.weixin_settings import Settings
from holdfast.replay.world.weixin_state import Logged
from holdfast.replay.world.weixin_wire import PATHS, Held
from holdfast.replay.world.wire import Reply, Request

HEADERS = {
    "Content-Type": "application/json",
    "AuthorizationType": "ilink_bot_token",
    "X-WECHAT-UIN": "MjcxODI4MTgyOA==",
    "iLink-App-Id": "bot",
    "iLink-App-ClientVersion": "132105",
}
BASE_INFO = {"channel_version": "0.1.0"}
URLS: dict[str, str] = {endpoint: path for path, endpoint in PATHS.items()}


def headers_for(token: str) -> dict[str, str]:
    return HEADERS | {"Authorization": f"Bearer {token}"}


def outbound(text: str, **changes: Any) -> dict[str, Any]:
    """Return the body of a sendmessage; None takes a field of the message away."""
    message = {
        "from_user_id": "",
        "to_user_id": USER,
        "client_id": f"test-{text[:20]}",
        "message_type": 2,
        "message_state": 2,
        "item_list": [{"type": 1, "text_item": {"text": text}}],
    } | changes
    present = {name: value for name, value in message.items() if value is not None}
    return {"msg": present, "base_info": BASE_INFO}


def polling(cursor: str = "") -> dict[str, Any]:
    return {"get_updates_buf": cursor, "base_info": BASE_INFO}


def about(user: str = USER, **fields: Any) -> dict[str, Any]:
    return {"ilink_user_id": user, "base_info": BASE_INFO} | fields


class Model:
    """A peer and a clock that tests move by hand."""

    def __init__(
        self, settings: Settings | None = None, script: Script | None = None
    ) -> None:
        self.at_ms = 0
        self.peer = weixin.new_peer(settings, script=script)

    def say(self, text: str = "hello", **fields: Any) -> None:
        self.peer = weixin.say(self.peer, self.at_ms, Inbound(text=text, **fields))

    def arm(self, fault: AnyFault) -> None:
        self.peer = weixin.arm(self.peer, self.at_ms, fault)

    def ask(
        self, endpoint: str, body: Any, *, token: str | None = None
    ) -> Reply | Held:
        headers = headers_for(self.peer.token if token is None else token)
        return self.request("POST", URLS[endpoint], headers, msgspec.json.encode(body))

    def request(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> Reply | Held:
        request = Request(method, path, tuple(headers.items()), body)
        self.peer, outcome = weixin.answer(self.peer, self.at_ms, request)
        return outcome

    def resume(self, held: Held) -> Reply | Held:
        self.peer, outcome = weixin.resume(self.peer, self.at_ms, held)
        return outcome

    def hold(self, cursor: str = "") -> Held:
        outcome = self.ask("getupdates", polling(cursor))
        assert isinstance(outcome, Held)
        return outcome

    def poll(self, cursor: str = "") -> Reply:
        """Poll and let time pass until the answer is there."""
        outcome = self.ask("getupdates", polling(cursor))
        while isinstance(outcome, Held):
            self.at_ms = outcome.until_ms
            outcome = self.resume(outcome)
        return outcome

    def reply(self, endpoint: str, body: Any) -> Reply:
        outcome = self.ask(endpoint, body)
        assert isinstance(outcome, Reply)
        return outcome

    def send(self, text: str = "hi there", **changes: Any) -> dict[str, Any]:
        return fields(self.reply("sendmessage", outbound(text, **changes)))

    def shown(self, user: str = USER) -> list[str]:
        return [shown.text for shown in self.peer.shown.get(user, ())]

    @property
    def last(self) -> Logged:
        return self.peer.log[-1]


def fields(outcome: Reply | Held) -> dict[str, Any]:
    """Return the JSON object of an answer."""
    assert isinstance(outcome, Reply), outcome
    return msgspec.json.decode(outcome.body, type=dict[str, Any])


def texts(outcome: Reply | Held) -> list[str]:
    """Return the texts of the messages that a poll brought."""
    messages = fields(outcome)["msgs"]
    return [message["item_list"][0]["text_item"]["text"] for message in messages]


def cursor_of(outcome: Reply | Held) -> str:
    return str(fields(outcome)["get_updates_buf"])
