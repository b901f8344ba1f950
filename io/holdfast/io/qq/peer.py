"""The QQ peer: each call becomes one request, each end of it one draft.

This is the one place where answers and failures of calls become facts; what goes over
the socket is in `conversation`. Nothing is judged here.
"""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from ssl import SSLContext

from msgspec import Struct

from holdfast.core.commands import (
    Command,
    FetchGateway,
    FetchToken,
    OpenSocket,
    Send,
)
from holdfast.core.events import SendAnswered, SendFailed
from holdfast.core.qq_events import (
    GatewayAnswered,
    GatewayFailed,
    TokenAnswered,
    TokenFailed,
)
from holdfast.io.config_accounts import QqAccount
from holdfast.io.draft import Draft
from holdfast.io.http import Channel, Failure, Response
from holdfast.io.network import Network
from holdfast.io.opening import (
    ID_MAX,
    id_of,
    inner_of,
    int_of,
    masked,
    open_answer,
    text_of,
    text_of_any,
)
from holdfast.io.qq import wire
from holdfast.io.qq.conversation import Conversation
from holdfast.io.qq.gateway import Dialling
from holdfast.io.rules import Order, Post
from holdfast.io.vault import Vault

CALLS_MAX = 2
SENDS_MAX = 4
URL_MAX = 2_048


class Place(Struct, frozen=True):
    """Who we are, where to, and how."""

    app_id: str
    api_url: str
    token_url: str
    tls: SSLContext
    proxy: str | None
    network: Network | None = None


@asynccontextmanager
async def open_peer(
    account: QqAccount,
    vault: Vault,
    tls: SSLContext,
    network: Network | None = None,
) -> AsyncIterator["QqPeer"]:
    """Open an account's connections to its peer, and close them in the end."""

    def channel(connections_max: int) -> Channel:
        return Channel(
            tls,
            proxy=account.proxy,
            connections_max=connections_max,
            trace_header=wire.TRACE_HEADER,
            network=network,
        )

    api_url, token_url = account.api_url, account.token_url
    place = Place(account.app_id, api_url, token_url, tls, account.proxy, network)
    calls, sends = channel(CALLS_MAX), channel(SENDS_MAX)
    try:
        yield QqPeer(place, vault, calls, sends)
    finally:
        await calls.aclose()
        await sends.aclose()


class QqPeer:
    """One account's calls and its socket; sends have connections of their own."""

    def __init__(
        self, place: Place, vault: Vault, calls: Channel, sends: Channel
    ) -> None:
        self.place = place
        self._vault = vault
        self._calls = calls
        self._sends = sends
        self._conversation: Conversation | None = None

    async def perform(self, command: Command) -> Draft:
        """Carry out a command that asks the peer; return the fact that answers it."""
        match command:
            case FetchToken():
                return await self._fetch_token(command)
            case FetchGateway():
                return await self._fetch_gateway(command)
            case Send():
                return await self._send(command)
            case _:
                text = f"{type(command).__name__} asks nothing of this peer"
                raise AssertionError(text)

    def converse(self, command: OpenSocket, post: Post) -> Awaitable[None]:
        """Dial and converse until the socket's end; await what this returns.

        Orders for this epoch are heard from now on, also before that is awaited.
        """
        how = Dialling(
            url=command.url,
            tls=self.place.tls,
            proxy=self.place.proxy,
            timeout_ms=command.timeout_ms,
            plain=self.place.api_url.startswith("http:"),
            network=self.place.network,
        )
        self._conversation = Conversation(command.epoch, self._vault, post)
        return self._conversation.run(how)

    def tell(self, order: Order) -> None:
        """Say something on the socket; for another epoch than its own, say nothing."""
        conversation = self._conversation
        if conversation is not None and conversation.epoch == order.epoch:
            conversation.tell(order)

    async def _fetch_token(self, command: FetchToken) -> Draft:
        login = self._vault.login(command.credential)
        secret = login.token if login else ""
        try:
            response = await self._calls.post(
                self.place.token_url,
                {"Content-Type": "application/json", "User-Agent": wire.USER_AGENT},
                wire.token_request(self.place.app_id, secret),
                command.timeout_ms,
            )
        except Failure as failure:
            kind, reason = failure.kind, failure.words((secret,))
            return Draft((TokenFailed(command.credential, kind, reason),))
        opened = open_answer(response.body)
        token = wire.token_of(opened.fields)
        said = wire.said(response, opened, (secret, token))
        handle = self._vault.hold_token(token) if token else ""
        expires_in = text_of_any(opened.fields, "expires_in")
        answered = TokenAnswered(
            credential=command.credential,
            status=response.status,
            code=said.code,
            message=said.message,
            malformed=said.malformed,
            token=handle,
            expires_in=masked(expires_in, (secret, token))[:ID_MAX],
            trace=said.trace,
        )
        return Draft((answered,))

    async def _fetch_gateway(self, command: FetchGateway) -> Draft:
        token = self._vault.token(command.token)
        url = f"{self.place.api_url}/gateway/bot"
        headers = wire.headers(token, self.place.app_id)
        try:
            response = await self._calls.request(
                "GET", url, headers, b"", command.timeout_ms
            )
        except Failure as failure:
            kind, reason = failure.kind, failure.words((token,))
            return Draft((GatewayFailed(command.epoch, kind, reason),))
        return Draft((_gateway_answered(command.epoch, response, token),))

    async def _send(self, command: Send) -> Draft:
        text = self._vault.text(command.body)
        context = self._vault.bytes(command.context)
        token = self._vault.token(command.credential)
        hide = (token, text, *wire.answered(context).values())
        try:
            response = await self._sends.post(
                self.place.api_url + wire.path_of(command.peer),
                wire.headers(token, self.place.app_id),
                wire.text_message(command.peer, text, context, command.number),
                command.timeout_ms,
            )
        except Failure as failure:
            kind, left, reason = failure.kind, failure.left, failure.words(hide)
            failed = SendFailed(command.delivery, command.part, kind, left, reason)
            return Draft((failed,))
        opened = open_answer(response.body)
        said = wire.said(response, opened, hide)
        answered = SendAnswered(
            delivery=command.delivery,
            part=command.part,
            status=response.status,
            errmsg=said.message,
            malformed=said.malformed,
            message_id=id_of(opened.fields, "id"),
            code=said.code,
            err_code=said.err_code,
            trace=said.trace,
        )
        return Draft((answered,))


def _gateway_answered(epoch: int, response: Response, token: str) -> GatewayAnswered:
    opened = open_answer(response.body)
    fields = opened.fields
    said = wire.said(response, opened, (token,))
    url = text_of(fields, "url")
    limit = inner_of(fields, "session_start_limit")
    return GatewayAnswered(
        epoch=epoch,
        status=response.status,
        code=said.code,
        err_code=said.err_code,
        message=said.message,
        malformed=said.malformed,
        url=url if len(url) <= URL_MAX and not (token and token in url) else "",
        shards=int_of(fields, "shards"),
        total=int_of(limit, "total"),
        remaining=int_of(limit, "remaining"),
        reset_after_ms=int_of(limit, "reset_after"),
        max_concurrency=int_of(limit, "max_concurrency"),
        trace=said.trace,
    )
