"""Sends: the rules of sections 10, 12 and 13, by the platform's own clock."""

from typing import Any

from msgspec.structs import replace

from holdfast.replay.world.qq_faults import Suppress
from holdfast.replay.world.qq_settings import (
    DAY_MS,
    MINUTE_MS,
    PASSIVE,
    PROACTIVE,
    Passive,
)
from holdfast.replay.world.qq_state import Chat, Mine, Opener, Peer, Shown, make
from holdfast.replay.world.qq_strike import strike_first
from holdfast.replay.world.qq_wire import Call, Draft, refusal, stamp
from holdfast.replay.world.tape import Tape
from holdfast.replay.world.wire import Json

TYPING = 6
MINE_MAX = 100
SECOND_MS = 1_000
NEEDS_SOCKET = 304018
SEEN = 40054005
FOREIGN_EVENT = 40034025
TOO_LONG = 40054007
TOO_LATE = 40064004
SHAPE = 50006
SHAPE_OF_TYPING = 50059


def send(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Draft]:
    """Accept a message and show it, or say what stands against it."""
    counts = replace(peer.counts, sends=peer.counts.sends + 1)
    peer = replace(peer, counts=counts)
    code = _shape(peer, call) or _socket(peer, call)
    if code is None:
        peer, code = _book(peer, at_ms, call)
    if code is not None:
        return peer, refusal(call.number, code)
    peer, made = make(peer)
    message_id = _message_id(call, made)
    peer, hidden = strike_first(
        peer, at_ms, Suppress, lambda fault: _is_lossy(peer, at_ms, fault)
    )
    if call.fields.get("msg_type") != TYPING:
        peer = _note(peer, at_ms, call, message_id)
        if hidden is None:
            peer = _show(peer, at_ms, call, message_id)
    return peer, Draft(_answer(peer, at_ms, call, message_id, made))


def recall(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Draft]:
    """Take back a message of the bot, within two minutes."""
    chat = peer.chats.get(call.chat) or Chat()
    since_ms = at_ms - peer.settings.recall_ms
    known = [one for one in chat.mine if one.message_id == call.item]
    if not known or known[0].at_ms <= since_ms:
        return peer, refusal(call.number, TOO_LATE)
    return replace(peer, recalled=(*peer.recalled, call.item)), Draft()


def answer_interaction(peer: Peer, _at_ms: int, call: Call) -> tuple[Peer, Draft]:
    """Take the answer to an interaction, once per id."""
    if call.item not in peer.interactions or peer.interactions[call.item]:
        return peer, refusal(call.number, None, status=404, words="no interaction")
    answered = peer.interactions | {call.item: True}
    return replace(peer, interactions=answered), Draft(raw=b"")


def _shape(peer: Peer, call: Call) -> int | None:
    """Return the code of a body that is no message; None: it is one."""
    fields = call.fields
    content = fields.get("content", "")
    if call.body is None or not isinstance(content, str):
        return SHAPE
    text_max = peer.settings.text_max
    if text_max is not None and len(content) > text_max:
        return TOO_LONG
    if call.scene in {"c2c", "group"}:
        return _shape_of_private(call)
    return None if content or _other_content(fields) else SHAPE


def _shape_of_private(call: Call) -> int | None:
    fields = call.fields
    content, media = fields.get("content"), fields.get("media")
    code = SHAPE
    match fields.get("msg_type"):
        case 0:
            good = bool(content)
        case 2:
            good = not content and bool(_text_of(fields))
        case 3 | 4:
            good = True
        case 6:
            good, code = _is_typing(call), SHAPE_OF_TYPING
        case 7:
            good = isinstance(media, dict) and bool(media.get("file_info"))
        case _:
            good = False
    return None if good else code


def _socket(peer: Peer, call: Call) -> int | None:
    """Refuse a channel message while no socket is up (section 9)."""
    if call.scene != "channel" or not peer.settings.channel_needs_socket:
        return None
    up = any(socket.ready_ms is not None for socket in peer.sockets.values())
    return None if up else NEEDS_SOCKET


def _book(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, int | None]:
    """Enter the message into the books; return the code when they are full."""
    fields = call.fields
    chat = peer.chats.get(call.chat) or Chat()
    to_event = not fields.get("msg_id") and fields.get("event_id")
    # With a number, a reply to an event seems to count as proactive (section 10).
    named = fields.get("msg_id") or fields.get("event_id")
    if not named or (to_event and "msg_seq" in fields):
        return _book_proactive(peer, at_ms, call, chat)
    for index, opener in enumerate(chat.heard):
        if opener.reply_to == named:
            after, code = _reply(peer, at_ms, call, opener)
            heard = (*chat.heard[:index], after, *chat.heard[index + 1 :])
            chats = peer.chats | {call.chat: replace(chat, heard=heard)}
            return (peer, code) if code else (replace(peer, chats=chats), None)
    return peer, FOREIGN_EVENT if to_event else _rule(peer, call).unknown


def _reply(
    peer: Peer, at_ms: int, call: Call, opener: Opener
) -> tuple[Opener, int | None]:
    """Count a reply to something heard, or return the code of its refusal."""
    rule, fields = _rule(peer, call), call.fields
    private = call.scene in {"c2c", "group"} and bool(fields.get("msg_id"))
    seq = fields.get("msg_seq", 1)
    if private and seq in opener.seqs:
        return opener, SEEN
    if at_ms - opener.at_ms >= rule.window_ms:
        return opener, rule.late
    if rule.replies_max is not None and opener.replies >= rule.replies_max:
        return opener, rule.spent
    free = fields.get("msg_type") == TYPING and not peer.settings.typing_counts
    seqs = (*opener.seqs, seq) if private else opener.seqs
    return replace(opener, replies=opener.replies + (not free), seqs=seqs), None


def _book_proactive(
    peer: Peer, at_ms: int, call: Call, chat: Chat
) -> tuple[Peer, int | None]:
    """Count a message that answers nothing (section 12)."""
    assert call.scene is not None, "only sends come here"
    rule = peer.settings.proactive.get(call.scene) or PROACTIVE[call.scene]
    if not rule.allowed:
        return peer, rule.refused
    ours = tuple(ms for ms in peer.proactive_ms if ms > at_ms - MINUTE_MS)
    theirs = tuple(ms for ms in chat.proactive_ms if ms > at_ms - DAY_MS)
    full = [
        _is_full(ours, at_ms - SECOND_MS, rule.per_second),
        _is_full(ours, at_ms - MINUTE_MS, rule.per_minute),
        _is_full(theirs, at_ms - MINUTE_MS, rule.chat_minute),
        _is_full(theirs, at_ms - DAY_MS, rule.chat_day),
    ]
    if any(full):
        return peer, rule.spent
    chat = replace(chat, proactive_ms=(*theirs, at_ms))
    chats = peer.chats | {call.chat: chat}
    return replace(peer, proactive_ms=(*ours, at_ms), chats=chats), None


def _is_full(sent_ms: tuple[int, ...], since_ms: int, sends_max: int | None) -> bool:
    if sends_max is None:
        return False
    return sum(ms > since_ms for ms in sent_ms) >= sends_max


def _rule(peer: Peer, call: Call) -> Passive:
    assert call.scene is not None, "only sends come here"
    return peer.settings.passive.get(call.scene) or PASSIVE[call.scene]


def _is_lossy(peer: Peer, at_ms: int, fault: Suppress) -> bool:
    """Return whether a send now falls into the window after a lost connection."""
    if fault.loss_ms is None:
        return True
    if peer.lost_ms is None:
        return False
    return fault.from_loss_ms <= at_ms - peer.lost_ms < fault.loss_ms


def _note(peer: Peer, at_ms: int, call: Call, message_id: str) -> Peer:
    """Remember the message as long as it may be recalled."""
    chat = peer.chats.get(call.chat) or Chat()
    since_ms = at_ms - peer.settings.recall_ms
    mine = tuple(one for one in chat.mine if one.at_ms > since_ms)[-MINE_MAX:]
    chat = replace(chat, mine=(*mine, Mine(message_id, at_ms)))
    return replace(peer, chats=peer.chats | {call.chat: chat})


def _show(peer: Peer, at_ms: int, call: Call, message_id: str) -> Peer:
    fields = call.fields
    reply_to = str(fields.get("msg_id") or fields.get("event_id") or "")
    text = fields.get("content") or _text_of(fields)
    shown = Shown(at_ms, message_id, text, fields, reply_to)
    tape = peer.shown.get(call.chat) or Tape()
    return replace(peer, shown=peer.shown | {call.chat: tape.append(shown)})


def _text_of(fields: Json) -> str:
    """Return the text of a markdown message; empty for other kinds."""
    markdown = fields.get("markdown")
    content: Any = markdown.get("content") if isinstance(markdown, dict) else ""
    return content if isinstance(content, str) else ""


def _other_content(fields: Json) -> bool:
    return any(fields.get(name) for name in ("markdown", "ark", "embed", "image"))


def _is_typing(call: Call) -> bool:
    """Return whether this is a typing notice; only private chats have them."""
    match call.fields.get("input_notify"):
        case {"input_type": 1, "input_second": int(seconds)}:
            return call.scene == "c2c" and 1 <= seconds <= 60  # noqa: PLR2004 - section 10
        case _:
            return False


def _message_id(call: Call, made: int) -> str:
    if call.scene in {"c2c", "group"}:
        return f"ROBOT1.0_Ex4mple.OUT-{made:06}_c!"
    return f"0812ff{made:06x}"


def _answer(peer: Peer, at_ms: int, call: Call, message_id: str, made: int) -> Json:
    basics = {"id": message_id, "timestamp": stamp(at_ms)}
    if call.scene in {"c2c", "group"}:
        return basics | {"ext_info": {"ref_idx": f"REFIDX_ex{made:08}=="}}
    author = {"id": peer.settings.bot_id, "username": "demo", "bot": True}
    place = "channel_id" if call.scene == "channel" else "guild_id"
    content = call.fields.get("content", "")
    return basics | {place: call.target, "content": content, "author": author}
