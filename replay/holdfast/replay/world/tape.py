"""A record that only grows at its end, cheap to append to although it never changes."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

PAGE = 64


class Tape(Struct, Generic[T], frozen=True):
    """Items in the order they came; `total` counts those forgotten as well.

    The items are kept in full pages and one that is still filled, so that `append`
    copies a page at most and not the whole record.
    """

    pages: tuple[tuple[T, ...], ...] = ()
    page: tuple[T, ...] = ()
    total: int = 0

    def __len__(self) -> int:
        """Return how many items are still there."""
        return len(self.pages) * PAGE + len(self.page)

    def __iter__(self) -> Iterator[T]:
        """Return the items, oldest first."""
        for page in self.pages:
            yield from page
        yield from self.page

    def __reversed__(self) -> Iterator[T]:
        """Return the items, newest first."""
        yield from reversed(self.page)
        for page in reversed(self.pages):
            yield from reversed(page)

    def __getitem__(self, index: int) -> T:
        """Return one item; -1 is the newest."""
        items: list[T] = [*self]
        return items[index]

    def append(self, item: T, *, keep: int | None = None) -> "Tape[T]":
        """Return the tape with the item, and the newest `keep` of the older ones.

        Forgetting goes page by page: up to a page more than `keep` stay.
        """
        total = self.total + 1
        if keep == 0:
            return Tape(total=total)
        page = (*self.page, item)
        if len(page) < PAGE:
            return Tape(self.pages, page, total)
        pages = (*self.pages, page)
        if keep is not None and (len(pages) - 1) * PAGE >= keep:
            pages = pages[1:]
        return Tape(pages, (), total)
