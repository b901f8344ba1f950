"""Policies: the platform's numbers, then `[policy.*]`, then the account's own."""

from collections.abc import Collection
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import fields, replace

from holdfast.core.policy import Policy
from holdfast.io.config_errors import unknown
from holdfast.io.config_tables import Document, KeyPath, kinds_of

# Pairs that must not fall, in whichever section has them.
ASCENDING = (
    ("backoff_ms_first", "backoff_ms_max"),
    ("throttle_ms_first", "throttle_ms_max"),
    ("unknown_ms_first", "unknown_ms_max"),
    ("unreached_ms_first", "unreached_ms_max"),
    ("hold_ms_min", "hold_ms"),
    ("hold_ms", "hold_ms_max"),
    ("heartbeat_ms_min", "heartbeat_ms"),
    ("heartbeat_ms", "heartbeat_ms_max"),
    ("renew_ms_min", "renew_ms_max"),
)
Section = TypeVar("Section", bound=Struct)
SECTIONS = tuple(field.name for field in fields(Policy))


def lay_policy(document: Document, path: KeyPath, base: Policy) -> Policy:
    """Return the policy with the fields that the table at the path changes."""
    changes: dict[str, Any] = {}
    for name in document.table(path):
        if name in SECTIONS:
            here = (*path, name)
            changes[name] = _lay_section(document, here, getattr(base, name))
        else:
            document.blame((*path, name), unknown(name, SECTIONS, "section"))
    return replace(base, **changes)


def _lay_section(document: Document, path: KeyPath, base: Section) -> Section:
    given = document.read(path, kinds_of(type(base)))
    section = replace(base, **given)
    if len(given) == len(document.table(path)):
        _check_order(document, path, section, given)
    return section


def _check_order(
    document: Document, path: KeyPath, section: Struct, given: Collection[str]
) -> None:
    """Note the pairs that fall; a pair that nobody touched is not the user's fault."""
    for low_key, high_key in ASCENDING:
        if low_key not in given and high_key not in given:
            continue
        low, high = getattr(section, low_key), getattr(section, high_key)
        if low <= high:
            continue
        if low_key in given:
            text = f"found {low}; expected at most {high_key}, which is {high}"
            document.blame((*path, low_key), text)
        else:
            text = f"found {high}; expected at least {low_key}, which is {low}"
            document.blame((*path, high_key), text)
