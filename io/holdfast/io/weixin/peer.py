"""The iLink peer: each command becomes one request, each end of it one draft.

This is the one place where answers and failures become facts; nothing is judged here.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Any

from msgspec import Struct

from holdfast.core.commands import Command, NotifyStart, NotifyStop, Poll, Send
from holdfast.core.events import (
    NotifyAnswered,
    NotifyFailed,
    PollAnswered,
    PollFailed,
    SendAnswered,
    SendFailed,
)
from holdfast.io.config_accounts import BASE_URL, WeixinAccount
from holdfast.io.draft import Draft
from holdfast.io.http import Channel, Failure, Response
from holdfast.io.journal_rows import Kept
from holdfast.io.network import Network
from holdfast.io.vault import BODY, CURSOR, Vault
from holdfast.io.weixin import inbound, wire

OK = 200
POLLS_MAX = 2
SENDS_MAX = 4
SMALL_CALL_MS = 10_000
TYPING, TYPING_ENDED = 1, 2


class Address(Struct, frozen=True):
    """How we present ourselves, and where to when the login does not say."""

    base_url: str
    bot_agent: str
    route_tag: str


class Typing(Struct, frozen=True):
    """What came of a typing call: the peer's code and words, and the ticket if any."""

    status: int
    code: int
    errmsg: str = ""
    ticket: str = ""


@asynccontextmanager
async def open_peer(
    account: WeixinAccount,
    vault: Vault,
    tls: SSLContext,
    network: Network | None = None,
) -> AsyncIterator["WeixinPeer"]:
    """Open an account's connections to its peer, and close them in the end."""
    base_url = account.base_url or BASE_URL
    address = Address(base_url, account.bot_agent, account.route_tag)

    def channel(connections_max: int) -> Channel:
        return Channel(
            tls, proxy=account.proxy, connections_max=connections_max, network=network
        )

    polls, sends = channel(POLLS_MAX), channel(SENDS_MAX)
    try:
        yield WeixinPeer(address, vault, polls, sends)
    finally:
        await polls.aclose()
        await sends.aclose()


class WeixinPeer:
    """One account's conversations with iLink; polls have sockets of their own."""

    def __init__(
        self, address: Address, vault: Vault, polls: Channel, sends: Channel
    ) -> None:
        self.address = address
        self._vault = vault
        self._polls = polls
        self._sends = sends

    async def perform(self, command: Command) -> Draft:
        """Carry out a command that asks the peer; return the facts that answer it."""
        match command:
            case Poll():
                return await self._poll(command)
            case Send():
                return await self._send(command)
            case NotifyStart():
                return await self._notify("start", command)
            case NotifyStop():
                return await self._notify("stop", command)
            case _:
                text = f"{type(command).__name__} asks nothing of this peer"
                raise AssertionError(text)

    async def get_typing_ticket(self, login: str, peer: str, context: str) -> Typing:
        """Ask for the ticket that `send_typing` needs; raise `Failure` without answer.

        Before the peer's first message the answer is -4 (8).
        """
        fields = {"ilink_user_id": peer}
        if context:
            fields["context_token"] = context
        return await self._small_call("getconfig", login, fields)

    async def send_typing(
        self, login: str, peer: str, ticket: str, *, ended: bool = False
    ) -> Typing:
        """Show or end the typing sign; repeat it every 5 s to keep it up (8)."""
        fields = {
            "ilink_user_id": peer,
            "typing_ticket": ticket,
            "status": TYPING_ENDED if ended else TYPING,
        }
        return await self._small_call("sendtyping", login, fields)

    async def _poll(self, command: Poll) -> Draft:
        fields = {"get_updates_buf": self._vault.text(command.cursor)}
        try:
            response = await self._post(
                self._polls,
                "getupdates",
                command.credential,
                fields,
                command.timeout_ms,
            )
        except Failure as failure:
            reason = failure.words(self._secrets(command.credential, *fields.values()))
            event = PollFailed(command.epoch, failure.kind, reason)
            return Draft((event,))
        return self._poll_answered(command, response)

    def _poll_answered(self, command: Poll, response: Response) -> Draft:
        """Record the messages first and the answer after them, in one entry."""
        opened = wire.open_answer(response.body)
        found = wire.messages_of(opened.fields)
        if found is None:
            opened = wire.Opened({}, "msgs is no list")
        if response.status != OK or opened.malformed or found is None:
            return self._unreadable(command, response, opened)
        cursor = wire.text_of(opened.fields, "get_updates_buf")
        messages, kept = [], []
        for raw in found:
            message, values = inbound.receive(raw, self._vault)
            messages.append(message)
            kept += values
        if cursor:
            kept.append(self._vault.seal(CURSOR, cursor))
        said = wire.said(opened, self._secrets(command.credential, cursor))
        answered = PollAnswered(
            epoch=command.epoch,
            status=response.status,
            ret=said.ret,
            errcode=said.errcode,
            errmsg=said.errmsg,
            malformed=said.malformed,
            cursor=self._vault.handle(CURSOR, cursor),
            hint_ms=_hint_ms(opened.fields),
            messages=len(messages),
        )
        return Draft((*messages, answered), tuple(kept))

    def _unreadable(
        self, command: Poll, response: Response, opened: wire.Opened
    ) -> Draft:
        """Keep a body that was not read, whatever it is: it may hold messages (S2)."""
        kept: tuple[Kept, ...] = ()
        if response.body:
            kept = (self._vault.seal(BODY, response.body),)
        answered = PollAnswered(
            epoch=command.epoch,
            status=response.status,
            malformed=opened.malformed,
            body=kept[0].handle if kept else "",
        )
        return Draft((answered,), kept)

    async def _send(self, command: Send) -> Draft:
        text = self._vault.text(command.body)
        context = self._vault.text(command.context)
        fields = {
            "msg": wire.text_message(command.peer, text, command.client_id, context)
        }
        place = (command.delivery, command.part)
        try:
            response = await self._post(
                self._sends,
                "sendmessage",
                command.credential,
                fields,
                command.timeout_ms,
            )
        except Failure as failure:
            hide = self._secrets(command.credential, text, context)
            left, reason = failure.left, failure.words(hide)
            return Draft((SendFailed(*place, failure.kind, left, reason),))
        opened = wire.open_answer(response.body)
        said = wire.said(opened, self._secrets(command.credential, text, context))
        answered = SendAnswered(
            *place,
            status=response.status,
            ret=said.ret,
            errcode=said.errcode,
            errmsg=said.errmsg,
            malformed=said.malformed,
            message_id=wire.id_of(opened.fields, "message_id"),
        )
        return Draft((answered,))

    async def _notify(self, call: str, command: NotifyStart | NotifyStop) -> Draft:
        try:
            response = await self._post(
                self._sends,
                f"msg/notify{call}",
                command.credential,
                {},
                command.timeout_ms,
            )
        except Failure as failure:
            reason = failure.words(self._secrets(command.credential))
            return Draft(
                (NotifyFailed(call, failure.kind, reason, command.credential),)
            )
        said = wire.said(
            wire.open_answer(response.body), self._secrets(command.credential)
        )
        answered = NotifyAnswered(
            call=call,
            status=response.status,
            ret=said.ret,
            errcode=said.errcode,
            errmsg=said.errmsg,
            malformed=said.malformed,
            credential=command.credential,
        )
        return Draft((answered,))

    async def _small_call(
        self, path: str, login: str, fields: Mapping[str, Any]
    ) -> Typing:
        response = await self._post(self._sends, path, login, fields, SMALL_CALL_MS)
        opened = wire.open_answer(response.body)
        said = wire.said(opened)
        return Typing(
            status=response.status,
            code=said.ret or said.errcode or 0,
            errmsg=said.errmsg or said.malformed,
            ticket=wire.text_of(opened.fields, "typing_ticket"),
        )

    def _secrets(self, credential: str, *values: str) -> tuple[str, ...]:
        """Return what the peer knows of this call and no fact may repeat."""
        login = self._vault.login(credential)
        return (login.token if login else "", *values)

    async def _post(
        self,
        channel: Channel,
        path: str,
        login: str,
        fields: Mapping[str, Any],
        timeout_ms: int,
    ) -> Response:
        """Go where this login belongs (4): no other host may see its token."""
        held = self._vault.login(login)
        base_url = held.base_url if held else self.address.base_url
        url = f"{base_url.rstrip('/')}/ilink/bot/{path}"
        sent = wire.headers(held.token if held else "", self.address.route_tag)
        body = wire.encode(fields, self.address.bot_agent)
        return await channel.post(url, sent, body, timeout_ms)


def _hint_ms(fields: wire.Fields) -> int | None:
    """Return the peer's wish for the next hold; nonsense is no wish (W7)."""
    hint_ms = wire.int_of(fields, "longpolling_timeout_ms")
    return hint_ms if hint_ms is not None and hint_ms > 0 else None
