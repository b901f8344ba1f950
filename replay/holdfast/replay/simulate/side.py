"""The other side: a simulated peer, the users behind it, and what can go wrong there.

What differs by platform is in `weixin_side` and `qq_side`.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from msgspec import Struct

from holdfast.core.policy import Policy
from holdfast.io.config import Account
from holdfast.replay.simulate.network import Host
from holdfast.replay.world.online import Clock

USERS = 3


class Side(ABC):
    """A peer that is online, as the simulation sees it."""

    account: str
    # Whether the peer tells nobody later what is said while no session is known.
    forgets: bool

    @abstractmethod
    def configured(self, policy: Policy) -> Account:
        """Return the account as a configuration would have it."""

    @abstractmethod
    def say(self, user: int, text: str) -> None:
        """Let a user write."""

    @abstractmethod
    def go_wrong(self, chance: random.Random) -> str:
        """Let something go wrong that costs no message; return what it is."""

    @abstractmethod
    def end_session(self, chance: random.Random) -> str:
        """Let the standing with the peer end; what is under way may be lost with it."""

    @abstractmethod
    def heal(self) -> None:
        """Let nothing go wrong any more."""

    @abstractmethod
    def shown(self) -> Mapping[str, tuple[str, ...]]:
        """Return {text: under which ids users saw it}, oldest first."""

    @property
    @abstractmethod
    def violations(self) -> tuple[str, ...]:
        """What the peer has against the client, in words."""


class Kind(Struct, frozen=True):
    """A platform as it is simulated: its policy, and how its peer comes online."""

    policy: Callable[[random.Random], Policy]
    online: Callable[[Host, Clock], AbstractAsyncContextManager[Any]]
