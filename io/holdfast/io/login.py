"""Logins: read on command, and again whenever their source changes.

A human may log in again at any time, and nobody should have to restart anything for
it: the source is looked at every few seconds, which costs one `stat`.
"""

import logging
from collections.abc import Awaitable, Callable

import trio

from holdfast.core.events import CredentialsLoaded, CredentialsMissing
from holdfast.io.credentials import Credentials, CredentialSource
from holdfast.io.draft import Draft
from holdfast.io.vault import Vault

WATCH_S = 2.0

log = logging.getLogger("holdfast")


class Login:
    """One account's login: where it comes from, and what was read last."""

    def __init__(self, source: CredentialSource, vault: Vault) -> None:
        self._source = source
        self._vault = vault
        self._seen = source.fingerprint()

    def read(self) -> Draft:
        """Read the login now; the draft says what was found.

        Nothing goes out under it before that fact was recorded and acted upon.
        """
        self._seen = self._source.fingerprint()
        found = self._source.load()
        if not isinstance(found, Credentials):
            log.warning("no login for %s: %s", self._source.source, found.reason)
            return Draft((CredentialsMissing(found.reason),))
        for warning in found.warnings:
            log.warning("%s: %s", self._source.source, warning)
        handle = self._vault.hold_login(found)
        return Draft((CredentialsLoaded(handle, found.account_id),))

    async def watch(self, post: Callable[[Draft], Awaitable[None]]) -> None:
        """Post the login again whenever its source changed and can be read."""
        while self._source.can_change:
            await trio.sleep(WATCH_S)
            if self._source.fingerprint() == self._seen:
                continue
            draft = self.read()
            if isinstance(draft.events[0], CredentialsLoaded):
                await post(draft)
