"""The ledger: what users said, what the consumer was told, and what it was promised.

It outlives every life of the service, as a user's memory does.
"""

from msgspec import Struct


class Finding(Struct, frozen=True):
    """A promise that was not kept: what kind, and which one in words."""

    kind: str  # lost, repeated, broken, unhealed, different
    what: str


class Ledger:
    """Call it as things happen; `findings` are what must not have happened."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        # {text: None}, each written once.
        self.said: dict[str, None] = {}
        # {text: in how many lives it was offered}
        self.offers: dict[str, int] = {}
        # {text: its seq}, where the consumer said done, and where that came back.
        self.finished: dict[str, int] = {}
        self.done: dict[str, int] = {}
        # {text of a reply: the delivery that was promised}
        self.promised: dict[str, str] = {}

    def find(self, kind: str, what: str) -> None:
        """Note what must not happen."""
        self.findings.append(Finding(kind, what))

    def is_quiet(self) -> bool:
        """Say whether the consumer has seen all that was said."""
        return len(self.finished) == len(self.said)

    def offer(self, text: str, seen: dict[str, None]) -> None:
        """Note what the consumer is offered; `seen` is what it saw in this life."""
        if text not in self.said:
            self.find("broken", f"{text!r} was offered, and nobody said it")
        if text in self.done:
            self.find("repeated", f"{text!r} was offered again after it was done")
        elif text in seen:
            self.find("repeated", f"{text!r} was offered twice to one process")
        seen[text] = None
        self.offers[text] = self.offers.get(text, 0) + 1

    def promise(self, reply: str, delivery: str) -> None:
        """Note that the service took a reply; for one key it is one delivery."""
        before = self.promised.setdefault(reply, delivery)
        if before != delivery:
            what = f"{reply!r} under one key is {before} and {delivery}"
            self.find("repeated", what)
