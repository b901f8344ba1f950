"""What is wrong with a request: who it comes from, and the protocol's small print.

Every breach is written down in words, whether or not the call goes on to be answered.
"""

import base64
import binascii
from collections.abc import Iterator

from holdfast.replay.world.weixin_cursor import decode_cursor
from holdfast.replay.world.weixin_settings import Strict
from holdfast.replay.world.weixin_state import Peer
from holdfast.replay.world.weixin_wire import STALE, Call, Draft

UINT24_MAX = (1 << 24) - 1
UINT32_MAX = (1 << 32) - 1
BOT_AGENT_BYTES_MAX = 256
BOT = 2


def breaches(peer: Peer, call: Call) -> tuple[str, ...]:
    """Return in words all that this request does against the protocol."""
    if call.endpoint is None:
        return (f"{call.method} {call.path} is no endpoint of this peer",)
    found = [*_basics(call), *_headers(call, peer.settings.strict)]
    if call.body is not None:
        found += _bodies(call, peer.settings.strict)
    return tuple(f"{call.endpoint}: {words}" for words in found)


def turn_away(peer: Peer, call: Call, found: tuple[str, ...]) -> Draft | None:
    """Return the answer to a caller without standing or manners; None: let it in."""
    if call.endpoint is None:
        return _error(404, found)
    if call.headers.get("authorization") != f"Bearer {peer.token}":
        return Draft(STALE)
    if any("iLink-App-" in words for words in found):
        return Draft(STALE)  # Section 2.1, qwen-code#2908.
    return _error(400, found) if found else None


def _error(status: int, found: tuple[str, ...]) -> Draft:
    return Draft({"error": "; ".join(found)}, status=status)


def _basics(call: Call) -> Iterator[str]:
    if call.method != "POST":
        yield f"the method is {call.method}, not POST"
    if call.body is None:
        yield "the body is no JSON object"


def _headers(call: Call, strict: Strict) -> Iterator[str]:
    """Check the headers of section 2.1."""
    given = call.headers.get
    if strict.app_headers and given("ilink-app-id") != "bot":
        yield "iLink-App-Id is not bot"
    version = given("ilink-app-clientversion", "")
    if strict.app_headers and not _is_number(version, UINT24_MAX):
        yield "iLink-App-ClientVersion is not major<<16 | minor<<8 | patch"
    if strict.authorization_type and given("authorizationtype") != "ilink_bot_token":
        yield "AuthorizationType is not ilink_bot_token"
    json = given("content-type", "").partition(";")[0].strip() == "application/json"
    if strict.content_type and not json:
        yield "Content-Type is not application/json"
    if strict.wechat_uin and not _is_uin(given("x-wechat-uin", "")):
        yield "X-WECHAT-UIN is not the base64 of a decimal uint32"


def _bodies(call: Call, strict: Strict) -> Iterator[str]:
    if strict.base_info:
        yield from _base_info(call)
    match call.endpoint:
        case "getupdates":
            yield from _cursor(call)
        case "sendmessage":
            yield from _message(call, strict)
        case "getconfig" | "sendtyping":
            if not call.user:
                yield "ilink_user_id is missing"
        case _:
            pass


def _cursor(call: Call) -> Iterator[str]:
    cursor = call.fields.get("get_updates_buf")
    if not isinstance(cursor, str):
        yield "get_updates_buf is not a string"
    elif cursor and decode_cursor(cursor) is None:
        yield "get_updates_buf is no cursor of this peer"


def _base_info(call: Call) -> Iterator[str]:
    """Check section 2.2."""
    info = call.fields.get("base_info")
    if not isinstance(info, dict):
        yield "base_info is missing"
        return
    version, agent = info.get("channel_version"), info.get("bot_agent", "")
    if not isinstance(version, str) or not version:
        yield "base_info.channel_version is missing"
    if not isinstance(agent, str) or len(agent.encode()) > BOT_AGENT_BYTES_MAX:
        yield "base_info.bot_agent is no string of at most 256 bytes"


def _message(call: Call, strict: Strict) -> Iterator[str]:
    """Check an outbound message (sections 6 and 7)."""
    message = call.message
    client_id, items = message.get("client_id"), message.get("item_list")
    if strict.client_id and not (isinstance(client_id, str) and client_id):
        yield "msg.client_id is missing"
    if strict.from_user_id and message.get("from_user_id") != "":
        yield "msg.from_user_id is not the empty string"
    if message.get("message_type") != BOT:
        yield "msg.message_type is not 2"
    if not isinstance(items, list) or not items:
        yield "msg.item_list is empty"
    elif strict.one_item and len(items) > 1:
        yield "msg.item_list has more than one item"


def _is_number(text: str, number_max: int) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= number_max


def _is_uin(text: str) -> bool:
    try:
        plain = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return False
    return _is_number(plain, UINT32_MAX)
