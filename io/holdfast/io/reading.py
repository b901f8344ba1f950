"""Reading: what a host sees of a message, whatever the platform calls its fields."""

from typing import Any

from msgspec import Struct


class Reading(Struct, frozen=True):
    """What a person would read, the pieces as the peer gave them, and what is quoted.

    `quote` is None when nothing is quoted.
    """

    text: str
    items: list[Any]
    quote: Any = None
