"""Lives: the service on what the one before left, until it stops or is killed."""

import random
from contextlib import suppress
from functools import partial
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Literal, TypeAlias

import trio
from msgspec import Struct

from holdfast.core import connection, session
from holdfast.io import Config, Patience, Service, Surroundings, open_service
from holdfast.io.clock import Clock
from holdfast.io.config import Account
from holdfast.io.config import Service as ServiceTable
from holdfast.io.journal import open_journal
from holdfast.io.journal_errors import JournalBrokenError, JournalError
from holdfast.io.messages import Message
from holdfast.io.owner import StoppedError
from holdfast.io.recovery import RecoveryError
from holdfast.replay.simulate.disk import Disk
from holdfast.replay.simulate.ledger import Ledger
from holdfast.replay.simulate.network import Internet, Machine

CONSUMER = "agent"
REPLY = "re: "
# How long the bot thinks about a message, at most.
THINKING_S = 4.0
# No encryption in here, and an empty context is had for nothing.
TLS = SSLContext(PROTOCOL_TLS_CLIENT)

# What the service must not end with: its own errors, and those of a bug.
FAILURES = (
    JournalError,
    RecoveryError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

# stop: as on SIGTERM. kill: as on SIGKILL. unplug: as when power goes.
End: TypeAlias = Literal["stop", "kill", "unplug"]


class Place(Struct, frozen=True):
    """Where lives are lived: they share the world, the disk and the ledger."""

    account: Account
    internet: Internet
    disk: Disk
    clock: Clock
    ledger: Ledger
    chance: random.Random


class Life:
    """One process of the service with the bot in it. Await `run` once."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.service: Service | None = None
        self.is_over = False
        self._machine = Machine(place.internet)
        self._scope = trio.CancelScope()
        self._folder = place.disk.data_dir
        self._ended = trio.Event()
        self._seen: dict[str, None] = {}

    @property
    def is_well(self) -> bool:
        """Whether the account stands well with its peer, as far as it knows."""
        if self.service is None or self.is_over:
            return False
        state = self.service.owners[self.place.account.name].state
        return (
            state.session.phase is session.Phase.ACTIVE
            and state.connection.phase is connection.Phase.HEARTBEATING
        )

    def end(self, how: End) -> None:
        """End it now, amid whatever it does; what it does after that, nobody sees."""
        if self.is_over:
            return
        if how != "stop":
            self.is_over = True
            self._machine.die(silently=how == "unplug")
            self.place.disk.crash(power=how == "unplug")
        self._ended.set()

    async def run(self) -> None:
        """Live until the end; whatever the service raises before it is a finding."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._bury, nursery.cancel_scope)
            await self._live()
            self.is_over = True
            nursery.cancel_scope.cancel()
        self._machine.die(silently=False)
        self.place.disk.forget(self._folder)

    async def _bury(self, around: trio.CancelScope) -> None:
        await self._ended.wait()
        if self.is_over and self.service is not None:
            for owner in self.service.owners.values():
                owner.cut_off()
        around.cancel()

    async def _live(self) -> None:
        try:
            async with open_service(self._config(), self._surroundings()) as service:
                self.service = service
                await self._serve(service)
        except JournalBrokenError as error:
            if self.place.disk.data_dir == self._folder:
                self._fail(error)
        except FAILURES as error:
            self._fail(error)
        except BaseExceptionGroup as group:
            ours, rest = group.split(Exception)
            if ours is not None:
                self._fail(ours)
            if rest is not None:  # We are cancelled, or somebody wants to leave.
                raise rest from None

    def _fail(self, error: BaseException) -> None:
        if not self.is_over:
            self.place.ledger.find("broken", f"the service ended: {error!r}")

    async def _serve(self, service: Service) -> None:
        """Be the bot: take a message, perhaps answer it, and say done."""
        ledger = self.place.ledger
        with suppress(StoppedError):
            async for message in service.messages(CONSUMER):
                if self.is_over:
                    return
                ledger.offer(message.text, self._seen)
                await trio.sleep(self.place.chance.uniform(0, THINKING_S))
                await self._answer(service, message)
                ledger.finished[message.text] = message.seq
                await message.done()
                if not self.is_over:
                    ledger.done[message.text] = message.seq

    async def _answer(self, service: Service, message: Message) -> None:
        # Which messages are answered must not change when one comes again.
        if int(message.text.rpartition(" ")[2]) % 3 == 0:
            return
        reply = f"{REPLY}{message.text}"
        key = f"{message.id}"
        delivery = await service.send(
            message.account, message.from_, reply, key=key, reply_to=message.id
        )
        if not self.is_over:
            self.place.ledger.promise(reply, delivery.id)

    def _config(self) -> Config:
        account, folder = self.place.account, self._folder
        table = ServiceTable(data_dir=folder, api_token_file=folder / "api_token")
        return Config(table, {account.name: account})

    def _surroundings(self) -> Surroundings:
        chance = self.place.chance
        return Surroundings(
            self.place.clock,
            threaded=False,
            seed=lambda: chance.getrandbits(53),
            patience=Patience(),
            network=self._machine,
            make_tls=lambda: TLS,
            open_journal=partial(open_journal, connect=self.place.disk.connect),
        )
