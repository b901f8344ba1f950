"""sendmessage: which sends the peer accepts, and what the user then sees.

All refusals look alike on the wire, ``-2`` with a text that names no cause (section
12.1); only a malformed user id is told apart.
"""

from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace

from holdfast.replay.world.weixin_faults import Suppress
from holdfast.replay.world.weixin_settings import HOUR_MS
from holdfast.replay.world.weixin_state import (
    Armed,
    Chat,
    Peer,
    Shown,
    chat_of,
    make_fresh,
    with_chat,
)
from holdfast.replay.world.weixin_strike import strike_inside
from holdfast.replay.world.weixin_wire import Call, Draft
from holdfast.replay.world.wire import Json

DAY_MS = 24 * HOUR_MS
VOICE = 3

INVALID: Json = {"ret": -3, "errmsg": "invalid arguments"}

Rule: TypeAlias = Callable[[Peer, int, Call], bool]


def send(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Draft]:
    """Accept a message and show it to the user, or refuse it."""
    if not _is_user_id(peer, call.user):
        return peer, Draft(INVALID)
    refused = any(rule(peer, at_ms, call) for rule in RULES)
    peer, throttled = _throttle(peer, at_ms)
    if refused or throttled:
        return peer, Draft(refusal(peer))
    known = _sent_before(peer, call)
    if known is not None:
        return peer, Draft({"ret": 0, "message_id": known.message_id})
    return _accept(peer, at_ms, call)


def refusal(peer: Peer) -> Json:
    """Return the answer to a send that policy refuses (section 12.1)."""
    text = peer.settings.refusal_text
    return {"ret": -2} if text is None else {"ret": -2, "errmsg": text}


def text_of(item: Json) -> str:
    """Return the text of a text item; empty for other kinds."""
    text_item = item.get("text_item")
    text = text_item.get("text") if isinstance(text_item, dict) else None
    return text if isinstance(text, str) else ""


def _is_user_id(peer: Peer, user: str) -> bool:
    """Ids are case-sensitive and carry no prefix (section 2, OW#243, OW#306)."""
    lowered = {known.lower() for known in peer.chats}
    wrong_case = user not in peer.chats and user.lower() in lowered
    return bool(user) and ":" not in user and not wrong_case


def _item(call: Call) -> Json:
    items = call.message.get("item_list")
    first = items[0] if isinstance(items, list) and items else None
    return first if isinstance(first, dict) else {}


def _lacks_fields(call: Call) -> bool:
    """Return whether fields are missing without which little was shown (section 7)."""
    message = call.message
    named = {"client_id", "from_user_id"} <= set(message)
    return not named or "base_info" not in call.fields


def _too_long(peer: Peer, _at_ms: int, call: Call) -> bool:
    return len(text_of(_item(call))) > peer.settings.text_max  # OW#284.


def _uninvited(peer: Peer, _at_ms: int, call: Call) -> bool:
    never = chat_of(peer, call.user).last_inbound_ms is None
    return peer.settings.needs_inbound and never  # S8.


def _window_closed(peer: Peer, at_ms: int, call: Call) -> bool:
    last_ms, window_ms = (
        chat_of(peer, call.user).last_inbound_ms,
        peer.settings.window_ms,
    )
    if last_ms is None or window_ms is None:
        return False
    return at_ms - last_ms > window_ms  # S10.


def _budget_spent(peer: Peer, at_ms: int, call: Call) -> bool:
    chat, settings = chat_of(peer, call.user), peer.settings
    spent = settings.budget is not None and chat.sent >= settings.budget  # S9.
    today = sum(at_ms - accepted_ms < DAY_MS for accepted_ms in chat.accepted_ms)
    return spent or (settings.day_budget is not None and today >= settings.day_budget)


def _forged_context(peer: Peer, _at_ms: int, call: Call) -> bool:
    issued = chat_of(peer, call.user).issued
    return peer.settings.strict.context_known and call.context_token not in issued


RULES: tuple[Rule, ...] = (
    _too_long,
    _uninvited,
    _window_closed,
    _budget_spent,
    _forged_context,
)


def _throttle(peer: Peer, at_ms: int) -> tuple[Peer, bool]:
    """Count a try against the burst rule; return whether the bot is shut up (S11)."""
    rule = peer.settings.burst
    if rule is None:
        return peer, False
    recent = tuple(
        try_ms for try_ms in peer.send_tries_ms if at_ms - try_ms < rule.within_ms
    )
    punished = at_ms < peer.penalty_until_ms
    too_many = len(recent) >= rule.sends_max
    if too_many or (punished and rule.tries_prolong):
        peer = replace(peer, penalty_until_ms=at_ms + rule.penalty_ms)
    return replace(peer, send_tries_ms=(*recent, at_ms)), punished or too_many


def _sent_before(peer: Peer, call: Call) -> Shown | None:
    if not peer.settings.dedupe_client_id:
        return None
    client_id = call.message.get("client_id")
    known = [
        shown for shown in peer.shown.get(call.user, ()) if shown.client_id == client_id
    ]
    return known[0] if known else None


def _accept(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Draft]:
    peer, fresh = make_fresh(peer, at_ms)
    chosen = call.message.get("message_id")  # Kept when given (section 7, level C).
    message_id = chosen if isinstance(chosen, int) and chosen else fresh.message_id
    peer, suppressed = strike_inside(peer, at_ms, call, "send")
    chat = chat_of(peer, call.user)
    lacking = peer.settings.first_reply_only and _lacks_fields(call)
    shown_ms = None if lacking and chat.short else _shown_ms(at_ms, call, suppressed)
    if shown_ms is not None:
        peer = _show(peer, shown_ms, call, message_id)
    peer = with_chat(peer, call.user, _spend(chat, at_ms, short=lacking))
    if lacking:
        return peer, Draft({})
    bare = any(_hides_id(armed) for armed in suppressed)
    return peer, Draft({"ret": 0} if bare else {"ret": 0, "message_id": message_id})


def _shown_ms(at_ms: int, call: Call, suppressed: tuple[Armed, ...]) -> int | None:
    """Return when the user sees the message; None: never."""
    if _item(call).get("type") == VOICE:
        return None  # Accepted and silently dropped (OW#78).
    for armed in suppressed:
        if isinstance(armed.fault, Suppress):
            until_ms = armed.fault.until_ms
            return None if until_ms is None else armed.armed_ms + until_ms
    return at_ms


def _hides_id(armed: Armed) -> bool:
    return isinstance(armed.fault, Suppress) and not armed.fault.keep_id


def _show(peer: Peer, at_ms: int, call: Call, message_id: int) -> Peer:
    item = _item(call)
    client_id = call.message.get("client_id")
    shown = Shown(at_ms, message_id, str(client_id or ""), text_of(item), item)
    before = peer.shown.get(call.user, ())
    return replace(peer, shown=peer.shown | {call.user: (*before, shown)})


def _spend(chat: Chat, at_ms: int, *, short: bool) -> Chat:
    recent = tuple(ms for ms in chat.accepted_ms if at_ms - ms < DAY_MS)
    return replace(
        chat,
        sent=chat.sent + 1,
        accepted_ms=(*recent, at_ms),
        short=chat.short or short,
    )
