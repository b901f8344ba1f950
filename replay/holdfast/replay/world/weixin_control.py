"""What a test or a script does to the peer behind the client's back.

Every function takes a peer and the time and returns the peer afterwards. Held polls are
not answered here: `resume` them after each call.
"""

from msgspec.structs import replace

from holdfast.replay.world.weixin_faults import AnyFault, Code, Outage, Script
from holdfast.replay.world.weixin_inbound import (
    Copy,
    Inbound,
    Message,
    Say,
    compose,
    copy_of,
)
from holdfast.replay.world.weixin_settings import Settings
from holdfast.replay.world.weixin_state import (
    Armed,
    Issue,
    Later,
    Peer,
    chat_of,
    make_fresh,
    note,
    with_chat,
)
from holdfast.replay.world.weixin_strike import edges_ms

USER_MESSAGE = 1


def new_peer(
    settings: Settings | None = None, *, at_ms: int = 0, script: Script | None = None
) -> Peer:
    """Return a healthy peer that starts now, with the script armed.

    Without `settings`, the script's are taken, or the defaults.
    """
    script = script or Script()
    chosen = settings or script.settings or Settings()
    peer = Peer(chosen, at_ms, chosen.token, chosen.bot_id)
    return load(peer, at_ms, script)


def load(peer: Peer, at_ms: int, script: Script) -> Peer:
    """Arm a script's faults and plan its messages, all counted from now."""
    for fault in script.faults:
        peer = arm(peer, at_ms, fault)
    planned = tuple(Later(at_ms + said.after_ms, say=said) for said in script.says)
    return tick(replace(peer, later=peer.later + planned), at_ms)


def say(peer: Peer, at_ms: int, inbound: Inbound) -> Peer:
    """Let a user write to the bot; the last of `peer.inbound` is the message."""
    for nth in range(inbound.times):
        peer, fresh = make_fresh(peer, at_ms)
        message = compose(inbound, fresh, bot_id=peer.bot_id, nth=nth)
        peer = _queue(peer, message)
        if inbound.message_type == USER_MESSAGE:
            chat = chat_of(peer, inbound.from_user)
            chat = replace(chat, last_inbound_ms=at_ms, sent=0, short=False)
            peer = with_chat(peer, inbound.from_user, chat)
    return peer


def repeat(peer: Peer, at_ms: int, copy: Copy, *, of: int = -1) -> Peer:
    """Let the message at position `of` come once more (S3); the ledger stands still."""
    peer, fresh = make_fresh(peer, at_ms)
    return _queue(peer, copy_of(peer.inbound[of], copy, fresh))


def bind_elsewhere(peer: Peer, at_ms: int, *, after_ms: int = 0) -> Peer:
    """Let the user bind another client: the token is dead, held polls end (S13).

    `rebind` is the way back. In the field the old token died 29 s later (OW#69).
    """
    stale = Code(
        errcode=-14,
        errmsg="session timeout",
        from_ms=after_ms,
        until_token=True,
        cuts_hold=True,
    )
    return arm(peer, at_ms, stale)


def rebind(
    peer: Peer, at_ms: int, *, token: str | None = None, bot_id: str | None = None
) -> Peer:
    """Let the user log in again: `token` is valid from now, an older one is not.

    No token: the old one is honoured again. A new `bot_id` starts with an empty queue
    and no context tokens, as these belong to one bot id (S7).
    """
    armed = tuple(armed for armed in peer.armed if not armed.fault.until_token)
    peer = replace(tick(peer, at_ms), armed=armed, token=token or peer.token)
    if bot_id is None or bot_id == peer.bot_id:
        return peer
    return replace(
        peer,
        bot_id=bot_id,
        generation=peer.generation + 1,
        gone=len(peer.inbound),
        chats={},
        tickets={},
    )


def expire_context(
    peer: Peer, at_ms: int, user: str, *, refusal: Code | None = None
) -> Peer:
    """Let the context tokens issued to a user so far go bad; newer ones are good.

    Sends that carry an old one get `refusal`, by default -14 in `errcode` only
    (HA#9928); of it, only where it strikes is replaced. Sends without a token pass.
    """
    code = refusal or Code(errcode=-14, errmsg="session timeout")
    return arm(peer, at_ms, replace(code, at="sendmessage", user=user, context="old"))


def arm(peer: Peer, at_ms: int, fault: AnyFault) -> Peer:
    """Put a fault on the clock; its `from_ms` and `to_ms` count from now."""
    armed = Armed(fault, at_ms, made=peer.made, calls=peer.calls)
    return tick(replace(peer, armed=(*peer.armed, armed)), at_ms)


def heal(peer: Peer, kind: type[AnyFault] | None = None) -> Peer:
    """Take the faults of one type off the clock; None: all of them."""
    if kind is None:
        return replace(peer, armed=())
    left = tuple(armed for armed in peer.armed if not isinstance(armed.fault, kind))
    return replace(peer, armed=left)


def wake_ms(peer: Peer, at_ms: int) -> int | None:
    """Return when to call `tick` next; None: nothing is planned."""
    planned = [later.due_ms for later in peer.later]
    outages = (armed for armed in peer.armed if isinstance(armed.fault, Outage))
    ahead = (due_ms for due_ms in planned + edges_ms(outages) if due_ms > at_ms)
    return min(ahead, default=None)


def tick(peer: Peer, at_ms: int) -> Peer:
    """Let everything happen that is due by now."""
    peer = _begin_outages(peer, at_ms)
    while due := [later for later in peer.later if later.due_ms <= at_ms]:
        first = min(due, key=lambda later: later.due_ms)
        left = list(peer.later)
        left.remove(first)
        peer = _happen(replace(peer, later=tuple(left)), first)
    return peer


def _happen(peer: Peer, later: Later) -> Peer:
    """Let a planned message come at its own time, and plan its copies."""
    if later.say is not None:
        said: Say = later.say
        peer = say(peer, later.due_ms, said)
        of = len(peer.inbound) - 1
        copies = tuple(
            Later(later.due_ms + copy.after_ms, copy=copy, of=of)
            for copy in said.copies
        )
        peer = replace(peer, later=peer.later + copies)
    if later.copy is not None and 0 <= later.of < len(peer.inbound):
        peer = repeat(peer, later.due_ms, later.copy, of=later.of)
    return peer


def _begin_outages(peer: Peer, at_ms: int) -> Peer:
    """Cut what is open when an outage begins; forget if that is its way (F28)."""
    begun = [
        armed
        for armed in peer.armed
        if isinstance(armed.fault, Outage)
        and not armed.struck
        and armed.from_ms <= at_ms
    ]
    if not begun:
        return peer
    lost = any(isinstance(one.fault, Outage) and one.fault.lose_state for one in begun)
    counted = tuple(
        replace(armed, struck=1) if armed in begun else armed for armed in peer.armed
    )
    for poll in peer.waiting:
        peer = note(peer, poll.call.number, outcome="cut", answered_ms=at_ms)
    peer = replace(peer, armed=counted, waiting=())
    return _forget(peer) if lost else peer


def _forget(peer: Peer) -> Peer:
    return replace(
        peer,
        generation=peer.generation + 1,
        gone=len(peer.inbound),
        chats={},
        tickets={},
        send_tries_ms=(),
        penalty_until_ms=0,
    )


def _queue(peer: Peer, message: Message) -> Peer:
    """Put a message at the end of the queue and remember its context token."""
    peer = replace(peer, inbound=(*peer.inbound, message))
    token = message.wire.get("context_token")
    if not isinstance(token, str) or not token:
        return peer
    chat = chat_of(peer, message.user)
    # A token that comes again is no newer than it was.
    issued = {token: Issue(message.at_ms, peer.made)} | chat.issued
    return with_chat(peer, message.user, replace(chat, issued=issued))
