"""Drafts: facts on their way to an owner, with the values recorded beside them."""

from msgspec import Struct

from holdfast.core.events import Event
from holdfast.io.journal_rows import Kept


class Draft(Struct, frozen=True):
    """Facts that lack only their place and time, recorded together or not at all."""

    events: tuple[Event, ...]
    kept: tuple[Kept, ...] = ()
