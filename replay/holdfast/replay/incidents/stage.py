"""The stage: a real service with one account, and a simulated peer it talks to.

A play says what breaks through `peer`, acts as the bot through the methods here, and
expects. An expectation that is not met in time fails the play with its own words. What
is peculiar to a platform is in its own stage.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import trio
from msgspec import Struct

from holdfast.core.account import Account
from holdfast.core.commands import Command, Escalate
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.io import Config, Delivery, Message, Service, Surroundings, open_service
from holdfast.io.config import Account as ConfiguredAccount
from holdfast.io.config import Service as ServiceTable
from holdfast.io.messages import Messages
from holdfast.replay.world.online import Clock, Online

CONSUMER = "bot"


class ExpectationError(AssertionError):
    """Something that must happen did not."""


class Told(Struct, frozen=True):
    """One fact as the service lived it, for plays that look back."""

    fact: Fact
    before: Account
    after: Account
    commands: list[Command]


class Wings(Struct, frozen=True):
    """What a stage stands in: where its data are, how time goes, who is told."""

    folder: Path
    surroundings: Surroundings
    tell: Callable[[str], None] = lambda _: None
    # The peer's clock; None: the time of day.
    now_ms: Clock | None = None
    # The peer's port; 0: any. An address that a peer tells is recorded with its port.
    port: int = 0


class Pace(Struct, frozen=True):
    """How long things take: the service's policy, and the peer's settings."""

    policy: Policy
    settings: Any


# How late a machine may be that does other things too while a demo runs on it.
BUSY_MS = 1_500


class House(Struct, frozen=True):
    """Where the plays of a platform are given, at its real pace and at a short one.

    `open_stage` serves a peer, opens a service on it, and closes both in the end; a
    breach of the protocol that the peer noted is an `ExpectationError` then.
    """

    account: str
    real: Pace
    short: Pace
    open_stage: Callable[[Pace, Wings], AbstractAsyncContextManager[Any]]


class Incident(Struct, frozen=True):
    """One incident: its name is the bug in words, and the name of its fixtures.

    With `shown` the demo lives through it, too.
    """

    name: str
    house: House
    play: Callable[[Any], Awaitable[None]]
    shown: bool = True

    @property
    def story(self) -> str:
        """What broke, in one line."""
        return (self.play.__doc__ or "").strip().splitlines()[0]


S = TypeVar("S", bound=Online[Any])
A = TypeVar("A", bound=Account)


class Stage(ABC, Generic[S, A]):
    """One account on a simulated peer. Use it through a `House`."""

    account: str

    def __init__(self, served: S, policy: Policy, wings: Wings) -> None:
        self.peer = served
        self.policy = policy
        self.tell = wings.tell
        self.login_file = wings.folder / "login"
        self.data_dir = wings.folder / "data"
        self.told: list[Told] = []
        self.changed = trio.Event()
        self._surroundings = wings.surroundings
        self._stack = AsyncExitStack()
        self._service: Service | None = None
        self._messages: Messages | None = None

    @abstractmethod
    def configured(self) -> ConfiguredAccount:
        """Return the account as a configuration would have it."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Let the user write."""

    @property
    @abstractmethod
    def user(self) -> str:
        """The user, as a target of sends."""

    @property
    @abstractmethod
    def secrets(self) -> tuple[str, ...]:
        """What no recording may show: logins, ids of people, what was written."""

    @property
    def service(self) -> Service:
        """The running service."""
        assert self._service is not None, "the service is not open"
        return self._service

    @property
    def state(self) -> A:
        """The account's state now."""
        return cast("A", self.service.owners[self.account].state)

    @property
    def escalations(self) -> list[Escalate]:
        """All that a human was told so far."""
        acts = [act for told in self.told for act in told.commands]
        return [act for act in acts if isinstance(act, Escalate)]

    def write_login(self, secret: str) -> None:
        """Replace the credentials on disk."""
        self.login_file.write_text(secret + "\n")
        self.login_file.chmod(0o600)

    async def open(self) -> None:
        """Start the service."""
        table = ServiceTable(
            data_dir=self.data_dir, api_token_file=self.data_dir / "api_token"
        )
        config = Config(table, {self.account: self.configured()})
        opened = open_service(config, self._surroundings)
        self._service = await self._stack.enter_async_context(opened)
        self._messages = self.service.messages(CONSUMER)
        self.service.watch(self._note)

    async def close(self) -> None:
        """Stop the service as an operator would."""
        await self._stack.aclose()
        self._service = self._messages = None

    async def restart(self) -> None:
        """Stop the service and start it again on the same data."""
        await self.close()
        await self.open()

    def cut_off(self) -> None:
        """End the service in the middle of whatever it does."""
        for owner in self.service.owners.values():
            owner.cut_off()

    async def pull_the_plug(self) -> None:
        """End the service in the middle of whatever it does, and start it again."""
        self.cut_off()
        await self.restart()

    async def next_message(self) -> Message:
        """Return the next message that the bot is offered."""
        assert self._messages is not None, "the service is not open"
        return await self._messages.__anext__()

    async def no_message(self, within_s: float) -> None:
        """Fail when the bot is offered anything for so long."""
        with trio.move_on_after(within_s):
            message = await self.next_message()
            raise ExpectationError(f"{message.text!r} was offered, nothing should be")

    async def hear(self, text: str) -> Message:
        """Let the user write, take the message as the bot, and finish it."""
        self.say(text)
        return await self.take(text)

    async def take(self, text: str) -> Message:
        """Take the next message, which must say this, as the bot, and finish it."""
        message = await self.next_message()
        self.expect(message.text == text, f"{text!r} is offered, not {message.text!r}")
        await message.done()
        return message

    async def send(
        self, text: str, *, to: str = "", key: str = "", reply_to: str = ""
    ) -> Delivery:
        """Let the bot send a text, to the user when nobody else is named."""
        return await self.service.send(
            self.account, to or self.user, text, key=key, reply_to=reply_to
        )

    async def until(self, holds: Callable[[A], object]) -> A:
        """Wait until something holds for the account's state; look after each fact."""
        while True:
            changed = self.changed
            if holds(self.state):
                return self.state
            await changed.wait()

    def expect(self, holds: object, what: str) -> None:
        """Fail the play unless something holds."""
        if not holds:
            raise ExpectationError(f"expected that {what}")

    def _note(
        self,
        _account: str,
        fact: Fact,
        before: Account,
        after: Account,
        commands: list[Command],
    ) -> None:
        self.told.append(Told(fact, before, after, commands))
        changed, self.changed = self.changed, trio.Event()
        changed.set()
