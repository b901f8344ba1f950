"""Rules: what the shell knows of a platform's reducer, and of the other side.

States differ by platform; the shell looks only at what all accounts have in common.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, runtime_checkable

from holdfast.core.account import Account
from holdfast.core.commands import (
    CloseSocket,
    Command,
    Heartbeat,
    Identify,
    OpenSocket,
    Ping,
    Resume,
)
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.io.draft import Draft

State = Account
# Each takes and gives back its own platform's kind of state.
Step = Callable[[Any, Fact, Policy], tuple[Any, list[Command]]]
Check = Callable[[Any, Fact, Any, list[Command], Policy], list[str]]
Post = Callable[[Draft], Awaitable[None]]
# What is said on an open socket; nothing answers it directly.
Order = Identify | Resume | Heartbeat | Ping | CloseSocket


class Rules(Protocol):
    """What folds an account's facts; `state()` is that of a new account."""

    @property
    def step(self) -> Step:
        """Fold one fact."""
        ...

    @property
    def state(self) -> type[State]:
        """What is remembered of an account."""
        ...


class Peer(Protocol):
    """The other side: carries out what asks it something, and never raises for it."""

    async def perform(self, command: Command) -> Draft:
        """Do it, and return the facts that came of it."""
        ...


@runtime_checkable
class Gateway(Peer, Protocol):
    """A peer that is reached over a socket, too."""

    def converse(self, command: OpenSocket, post: Post) -> Awaitable[None]:
        """Dial and converse until the socket's end; await what this returns.

        Every fact is posted, also one that came as the conversation was cancelled.
        """
        ...

    def tell(self, order: Order) -> None:
        """Say something on the socket, after what was said before; does not wait."""
        ...
