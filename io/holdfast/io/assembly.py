"""Assembly: how a service is put together, kept running, and taken down."""

import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from functools import partial
from pathlib import Path
from ssl import SSLContext

import trio
from msgspec import Struct

from holdfast.core.account import done_through, first_unsent
from holdfast.io.clock import Clock, SystemClock
from holdfast.io.config import Account, Config, load_config
from holdfast.io.credentials import CredentialSource
from holdfast.io.http import make_tls_context
from holdfast.io.journal import Journal, open_journal
from holdfast.io.login import Login
from holdfast.io.network import Network
from holdfast.io.owner import Owner, StoppedError
from holdfast.io.platforms import PLATFORMS
from holdfast.io.recovery import Recovered, RecoveryError, recover
from holdfast.io.rules import Peer
from holdfast.io.seat import Seat
from holdfast.io.service import Service
from holdfast.io.unwrapping import Unwrapped
from holdfast.io.vault import Vault

log = logging.getLogger("holdfast")

PRUNE_EVERY_S = 3600.0


class Patience(Struct, frozen=True):
    """How long a stop waits: for sends, for a running poll, and in all."""

    sends_s: float = 8.0
    poll_s: float = 1.0
    all_s: float = 20.0


def _random_seed() -> int:
    """Return a seed that JSON readers of any kind hold exactly."""
    return secrets.randbits(53)


OpenJournal = Callable[..., AbstractAsyncContextManager[Journal]]


class Surroundings(Struct, frozen=True):
    """What a service takes from the outside.

    Tests and simulations replace it, nobody else needs to.
    """

    clock: Clock
    threaded: bool = True
    seed: Callable[[], int] = _random_seed
    patience: Patience = Patience()
    # None: the system's own.
    network: Network | None = None
    # Made once for all accounts.
    make_tls: Callable[[], SSLContext] = make_tls_context
    # As `open_journal`, with another disk below; None: that itself.
    open_journal: OpenJournal | None = None


@asynccontextmanager
async def open_service(
    config: Config | Path | str | None = None, surroundings: Surroundings | None = None
) -> AsyncIterator[Service]:
    """Open every configured account and keep it alive while the block runs.

    `config` is a `Config`, the path of a configuration file, or None for the default
    one. Leaving the block, or cancelling it, stops cleanly: what is under way may
    finish for a few seconds, and everything recorded stays. Raises `ConfigError` and
    the errors of `open_journal` before anything runs.

    What is raised in the block comes out as itself. So does what ends an account, an
    `InvariantBrokenError` or a `JournalBrokenError`, and it cancels the block; an
    `ExceptionGroup` comes out only when unrelated things failed at once.
    """
    if not isinstance(config, Config):
        config = load_config(Path(config) if config else None, os.environ)
    around = surroundings or Surroundings(SystemClock())
    async with AsyncExitStack() as stack:
        folder = config.service.data_dir
        opening = around.open_journal or open_journal
        journal = await stack.enter_async_context(
            opening(folder, threaded=around.threaded, on_trouble=_tell_trouble)
        )
        service = Service(journal)
        stack.callback(service.close)
        # Nothing is written before all of it could be read.
        accounts = [(it, _recovered(journal, it)) for it in config.accounts.values()]
        tls = around.make_tls()
        owners = []
        for account, recovered in accounts:
            vault = Vault(journal.key, account.name, journal)
            await journal.assign(account.name, account.platform)
            journal.note(recovered.redo)
            platform = PLATFORMS[account.platform]
            opened = platform.open_peer(account, vault, tls, around.network)
            peer = await stack.enter_async_context(opened)
            owner = Owner(_seat(account, vault, peer, service, around), recovered)
            service.take(owner, vault)
            owners.append(owner)
        async with _running(owners, around.patience, journal):
            yield service


def _recovered(journal: Journal, account: Account) -> Recovered:
    """Recover an account's state; what another platform recorded is not folded."""
    name, found = account.name, journal.platform(account.name)
    if found and found != account.platform:
        raise RecoveryError(
            f"account {name}: found one of {account.platform}, expected one of {found},"
            f" as this name's journal is: name the account otherwise"
        )
    return recover(journal, name, PLATFORMS[account.platform], account.policy)


def _seat(
    account: Account, vault: Vault, peer: Peer, service: Service, around: Surroundings
) -> Seat:
    """Put together what an account's owner sits on; nothing is connected yet."""
    return Seat(
        account=account.name,
        policy=account.policy,
        platform=PLATFORMS[account.platform],
        peer=peer,
        login=Login(CredentialSource(account, os.environ), vault),
        journal=service.journal,
        clock=around.clock,
        host=service,
        seed=around.seed(),
    )


@asynccontextmanager
async def _running(
    owners: list[Owner], patience: Patience, journal: Journal
) -> AsyncIterator[None]:
    """Run the owners; on the way out, however that comes, stop them cleanly."""
    with Unwrapped(StoppedError):
        async with trio.open_nursery() as nursery:
            for owner in owners:
                nursery.start_soon(owner.run)
            nursery.start_soon(_prune_for_ever, journal, owners)
            try:
                yield
            finally:
                with trio.CancelScope(shield=True):
                    await _drain(owners, patience)
                nursery.cancel_scope.cancel()


async def _drain(owners: list[Owner], patience: Patience) -> None:
    """Stop every account, all at once; whoever is not done in time is cut off."""
    with trio.move_on_after(patience.all_s):
        async with trio.open_nursery() as nursery:
            for owner in owners:
                stop = partial(
                    owner.stop, grace_s=patience.sends_s, poll_grace_s=patience.poll_s
                )
                nursery.start_soon(stop, "the service closes")
    for owner in owners:
        owner.cut_off()


async def _prune_for_ever(journal: Journal, owners: list[Owner]) -> None:
    """Let old facts go, by age and by size, once an hour."""
    while True:
        await trio.sleep(PRUNE_EVERY_S)
        for owner in owners:
            await _prune(journal, owner)


async def _prune(journal: Journal, owner: Owner) -> None:
    """Prune one account; what a consumer or a delivery waits for stays."""
    account, kept = owner.seat.account, owner.seat.policy.journal
    unread = journal.messages(account, done_through(owner.state), 1)
    needed = first_unsent(owner.state, owner.seq)
    if unread:
        needed = min(needed, unread[0].seq)
    await journal.prune(
        account,
        before_ms=owner.now_ms - kept.retention_ms,
        bytes_max=kept.retention_bytes,
        keep_after_seq=needed - 1,
        live_handles=owner.seat.platform.live_handles(owner.state),
    )


def _tell_trouble(text: str | None) -> None:
    if text is None:
        log.warning("the journal can be written again; going on")
    else:
        log.error("nothing is done until the journal can be written: %s", text)
