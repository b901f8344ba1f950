"""getconfig, sendtyping and the two lifecycle calls."""

import base64

from msgspec.structs import replace

from holdfast.replay.world.weixin_state import Peer, Ticket, chat_of, make_fresh
from holdfast.replay.world.weixin_wire import Call, Draft
from holdfast.replay.world.wire import Json

# Before a user's first message there is no ticket (section 8, OW#244).
NO_TICKET: Json = {"ret": -4, "errmsg": "GetTypingTicket rpc failed"}

# What the real peer says to a bad ticket is not known; this is its word for bad ids.
BAD_TICKET: Json = {"ret": -3, "errmsg": "invalid arguments"}


def get_config(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Draft]:
    """Issue a typing ticket for a user who wrote before."""
    if chat_of(peer, call.user).last_inbound_ms is None:
        return peer, Draft(NO_TICKET)
    peer, fresh = make_fresh(peer, at_ms)
    ticket = base64.b64encode(f"ticket-{fresh.number}".encode()).decode()
    tickets = peer.tickets | {ticket: Ticket(call.user, at_ms)}
    return replace(peer, tickets=tickets), Draft({"ret": 0, "typing_ticket": ticket})


def send_typing(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Draft]:
    """Show or end the typing sign, if the ticket is this user's and still good."""
    ticket = peer.tickets.get(str(call.fields.get("typing_ticket", "")))
    life_ms = peer.settings.ticket_ms
    if ticket is None or ticket.user != call.user:
        return peer, Draft(BAD_TICKET)
    if life_ms is not None and at_ms - ticket.at_ms > life_ms:
        return peer, Draft(BAD_TICKET)
    return peer, Draft({"ret": 0})


def notify(peer: Peer, _at_ms: int, _call: Call) -> tuple[Peer, Draft]:
    """Take note that the client came up or goes down; nothing depends on it (E8)."""
    return peer, Draft({"ret": 0})
