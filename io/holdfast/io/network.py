"""Networks: what connections are opened through when not by the system's own sockets.

The service needs none: without one, its libraries dial as they always do. A simulation
gives one, and has every byte of the real clients in its hands.
"""

from abc import abstractmethod
from typing import Protocol

import trio


class Link(trio.abc.Stream):
    """One open connection, as a client holds it."""

    @abstractmethod
    def is_readable(self) -> bool:
        """Say whether reading would not wait: something came in, or the end did."""


class Network(Protocol):
    """Where links come from."""

    async def connect(self, host: str, port: int) -> Link:
        """Return an open link; OSError says why there is none.

        It waits for as long as it takes: the caller has a deadline of its own.
        """
        ...
