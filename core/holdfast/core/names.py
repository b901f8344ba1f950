"""Enumerated names as they stand in tables, recordings and fixtures."""

from enum import StrEnum


class Name(StrEnum):
    """A phase, trigger or verdict: equal to its text, encoded as its text.

    `Enum` hashes in Python code, which alone would cost a tenth of a step; the hash of
    the text is the same promise at C speed. It is never observable: nothing in core
    iterates over a set or calls `hash`.
    """

    __hash__ = str.__hash__
