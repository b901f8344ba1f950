"""Seats: what an owner sits on."""

from typing import Protocol

from msgspec import Struct

from holdfast.core.commands import Command
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.io.clock import Clock
from holdfast.io.journal import Journal
from holdfast.io.login import Login
from holdfast.io.platforms import Platform
from holdfast.io.rules import Peer, State


class Host(Protocol):
    """Who is told what the account does."""

    def stepped(
        self,
        account: str,
        fact: Fact,
        before: State,
        after: State,
        acts: list[Command],
    ) -> None:
        """Take note of one fact and what followed; must not block."""
        ...


class Seat(Struct, frozen=True):
    """An account's name, numbers, platform, peer, login and journal."""

    account: str
    policy: Policy
    platform: Platform
    peer: Peer
    login: Login
    journal: Journal
    clock: Clock
    host: Host
    seed: int
