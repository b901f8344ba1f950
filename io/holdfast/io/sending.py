"""What a host may ask to be sent, turned into a fact with its bodies beside it."""

from msgspec import Struct

from holdfast.core.events import PartRequest, SendRequested
from holdfast.core.policy import DeliveryPolicy
from holdfast.io.draft import Draft
from holdfast.io.journal_rows import Kept
from holdfast.io.platforms import Platform
from holdfast.io.text import split_text
from holdfast.io.vault import BODY, CONTEXT, Vault

KEY = "key"
TARGET_MAX = 256


class SendRefusedError(ValueError):
    """Nothing was queued: the target or the text cannot be sent at all."""


class Wish(Struct, frozen=True, kw_only=True):
    """What a host wants to be sent. `reply_to` is the id of a message, or empty."""

    to: str
    text: str
    key: str = ""
    reply_to: str = ""


def draft_text(
    vault: Vault, policy: DeliveryPolicy, platform: Platform, wish: Wish
) -> Draft:
    """Return the fact that asks for a text, or raise `SendRefusedError`."""
    _check_target(platform, wish.to)
    if not wish.text.strip():
        raise SendRefusedError("text: found nothing to show, expected some text")
    for name in ("text", "key"):
        _check_unicode(name, getattr(wish, name))
    parts = split_text(
        wish.text, points_max=policy.text_points_max, bytes_max=policy.text_bytes_max
    )
    if len(parts) > policy.outbox_parts_max:
        most = policy.outbox_parts_max
        raise SendRefusedError(f"text: {len(parts)} parts, expected at most {most}")
    bodies = tuple(vault.seal(BODY, part) for part in parts)
    requests = tuple(
        PartRequest(value.handle, len(part))
        for value, part in zip(bodies, parts, strict=True)
    )
    contexts = _contexts(vault, platform, wish.reply_to)
    reply_to = contexts[0].handle if contexts else ""
    event = SendRequested(wish.to, requests, vault.handle(KEY, wish.key), reply_to)
    return Draft((event,), bodies + contexts)


def _contexts(vault: Vault, platform: Platform, reply_to: str) -> tuple[Kept, ...]:
    """Return what says which message is answered, where the platform asks for it."""
    if not reply_to or platform.reply_context is None:
        return ()
    if len(reply_to) > TARGET_MAX or not reply_to.isprintable() or " " in reply_to:
        found = f"found {reply_to[:40]!r}"
        raise SendRefusedError(f"reply_to: {found}, expected the `id` of a message")
    context = platform.reply_context(reply_to)
    return (vault.seal(CONTEXT, context),) if context else ()


def _check_unicode(name: str, given: str) -> None:
    try:
        given.encode()
    except UnicodeEncodeError as error:
        what = f"{name}: half a character at {error.start}, expected valid Unicode"
        raise SendRefusedError(what) from None


def _check_target(platform: Platform, to: str) -> None:
    whole = to and len(to) <= TARGET_MAX and to.isprintable() and " " not in to
    if not whole or not platform.is_target(to):
        raise SendRefusedError(f"to: found {to[:40]!r}, expected {platform.targets}")
