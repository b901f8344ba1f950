"""Recorded: what facts and commands have in common, and which texts are private.

Ids of people are marked with `PeerId` and the like, so that an export can replace them.
"""

from typing import Annotated

from msgspec import Meta, Struct

PeerId = Annotated[str, Meta(extra={"private": "peer"})]
AccountId = Annotated[str, Meta(extra={"private": "account"})]
MessageId = Annotated[str, Meta(extra={"private": "message"})]
PeerWords = Annotated[str, Meta(extra={"private": "words"})]


class Recorded(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """Base of the facts and commands: one form in journals, recordings, fixtures."""
