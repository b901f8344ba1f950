"""A client of iLink at the served peer, with a vault that is a dictionary."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from shell_rig import account, online
from trio.testing import MockClock

from holdfast.core.commands import Poll, Send
from holdfast.io.credentials import Credentials
from holdfast.io.draft import Draft
from holdfast.io.http import make_tls_context
from holdfast.io.vault import BODY, CONTEXT, CURSOR, Vault
from holdfast.io.weixin.peer import WeixinPeer, open_peer
from holdfast.replay.world.serve import Served
from holdfast.replay.world.weixin_inbound import USER
from holdfast.replay.world.weixin_settings import Settings

POLL_MS = 45_000
SEND_MS = 15_000


class Desk:
    """One client of one peer, and what it would have kept."""

    def __init__(self, served: Served, there: WeixinPeer, vault: Vault) -> None:
        self.served = served
        self.there = there
        self.vault = vault
        self.login = vault.hold_login(login_at(served, there.address.base_url))
        self.kept: dict[str, bytes] = {}

    def value(self, handle: str) -> bytes | None:
        return self.kept.get(handle)

    def keep(self, kind: str, value: str) -> str:
        """Put a value into the vault, as a fact before would have done."""
        kept = self.vault.seal(kind, value)
        self.kept[kept.handle] = kept.value
        return kept.handle

    async def poll(self, cursor: str = "") -> Draft:
        """Poll once, and keep what came of it."""
        command = Poll(3, self.login, cursor, timeout_ms=POLL_MS)
        draft = await self.there.perform(command)
        self.kept |= {one.handle: one.value for one in draft.kept}
        return draft

    async def send(self, text: str = "hi there", context: str = "") -> Draft:
        """Send a text to the user."""
        token = self.keep(CONTEXT, context) if context else ""
        body = self.keep(BODY, text)
        name = f"mybot-{len(self.kept)}"
        command = Send(12, 1, USER, body, name, self.login, token, SEND_MS)
        return await self.there.perform(command)

    def cursor(self, text: str) -> str:
        return self.keep(CURSOR, text)


def login_at(served: Served, base_url: str = "") -> Credentials:
    """Return the login that a served peer honours, to be used there or elsewhere."""
    return Credentials(token=served.peer.token, base_url=base_url or served.url)


class Later:
    """The desk's vault, which the vault must be given before there is a desk."""

    desk: Desk | None = None

    def value(self, handle: str) -> bytes | None:
        return self.desk.value(handle) if self.desk else None


@asynccontextmanager
async def seated(
    clock: MockClock,
    folder: Path,
    settings: Settings | None = None,
    **changes: Any,
) -> AsyncIterator[Desk]:
    """Open a client of a strict peer, which must find nothing to complain about."""
    async with online(clock, settings) as served:
        store = Later()
        vault = Vault(bytes(32), "alice", store)
        opened = open_peer(
            account(served, folder, **changes), vault, make_tls_context()
        )
        async with opened as there:
            store.desk = Desk(served, there, vault)
            yield store.desk
        assert served.peer.violations == ()
