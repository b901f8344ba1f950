"""The stage: a real service with one account, and a simulated peer it talks to.

A play says what breaks through `peer`, acts as the bot through the methods here, and
expects. An expectation that is not met in time fails the play with its own words.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio
from msgspec import Struct

from holdfast.core.account import Account
from holdfast.core.commands import Command
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.io import Config, Delivery, Message, Service, Surroundings, open_service
from holdfast.io.config import Service as ServiceTable
from holdfast.io.config import WeixinAccount
from holdfast.io.messages import Messages
from holdfast.replay.world.serve import Served
from holdfast.replay.world.weixin_inbound import USER
from holdfast.replay.world.weixin_state import Logged, Shown

ACCOUNT = "alice"
CONSUMER = "bot"


class ExpectationError(AssertionError):
    """Something that must happen did not."""


class Told(Struct, frozen=True):
    """One fact as the service lived it, for plays that look back."""

    fact: Fact
    before: Account
    after: Account
    commands: list[Command]


class Stage:
    """One account on a simulated peer. Use it through `set_stage`."""

    def __init__(
        self,
        served: Served,
        folder: Path,
        policy: Policy,
        surroundings: Surroundings,
        tell: Callable[[str], None],
    ) -> None:
        self.peer = served
        self.policy = policy
        self.tell = tell
        self.token_file = folder / "token"
        self.data_dir = folder / "data"
        self.told: list[Told] = []
        self.changed = trio.Event()
        self._surroundings = surroundings
        self._stack = AsyncExitStack()
        self._service: Service | None = None
        self._messages: Messages | None = None

    @property
    def service(self) -> Service:
        """The running service."""
        assert self._service is not None, "the service is not open"
        return self._service

    @property
    def state(self) -> Account:
        """The account's state now."""
        return self.service.owners[ACCOUNT].state

    @property
    def sends(self) -> list[Logged]:
        """Every send that reached the peer."""
        return [call for call in self.peer.peer.log if call.endpoint == "sendmessage"]

    def shown(self, user: str = USER) -> tuple[Shown, ...]:
        """Return what the user sees from the bot."""
        return self.peer.peer.shown.get(user, ())

    def write_token(self, token: str) -> None:
        """Replace the credentials on disk."""
        self.token_file.write_text(token + "\n")
        self.token_file.chmod(0o600)

    async def open(self) -> None:
        """Start the service and wait until it polls."""
        account = WeixinAccount(
            name=ACCOUNT,
            platform="weixin",
            base_url=self.peer.url,
            token_file=self.token_file,
            policy=self.policy,
        )
        table = ServiceTable(
            data_dir=self.data_dir, api_token_file=self.data_dir / "api_token"
        )
        config = Config(table, {ACCOUNT: account})
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

    async def pull_the_plug(self) -> None:
        """End the service in the middle of whatever it does, and start it again."""
        for owner in self.service.owners.values():
            owner.cut_off()
        await self.restart()

    async def until_polling(self) -> None:
        """Wait until the peer holds a poll of ours."""
        await self.peer.until(lambda peer: peer.waiting)

    async def until_struck(self, number: int) -> None:
        """Wait until a fault strikes one of the calls after the first `number`."""
        await self.peer.until(
            lambda peer: any(call.faults for call in peer.log[number:])
        )

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
        self.peer.say(text)
        message = await self.next_message()
        self.expect(message.text == text, f"{text!r} is offered, not {message.text!r}")
        await message.done()
        return message

    async def send(self, text: str, *, to: str = USER, key: str = "") -> Delivery:
        """Let the bot send a text."""
        return await self.service.send(ACCOUNT, to, text, key=key)

    async def until(self, holds: Callable[[Account], object]) -> Account:
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


@asynccontextmanager
async def set_stage(
    served: Served,
    folder: Path,
    policy: Policy,
    surroundings: Surroundings,
    tell: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Stage]:
    """Open a service on a peer, with its data in `folder`, and close it in the end."""
    stage = Stage(served, folder, policy, surroundings, tell)
    stage.write_token(served.peer.token)
    await stage.open()
    try:
        yield stage
    finally:
        await stage.close()
