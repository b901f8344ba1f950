"""What a host may ask to be sent, turned into a fact with its bodies beside it."""

from holdfast.core.events import PartRequest, SendRequested
from holdfast.core.policy import DeliveryPolicy
from holdfast.io.draft import Draft
from holdfast.io.text import split_text
from holdfast.io.vault import BODY, Vault

KEY = "key"
TARGET_MAX = 256


class SendRefusedError(ValueError):
    """Nothing was queued: the target or the text cannot be sent at all."""


def draft_text(
    vault: Vault, policy: DeliveryPolicy, to: str, text: str, key: str
) -> Draft:
    """Return the fact that asks for a text, or raise `SendRefusedError`."""
    _check_target(to)
    if not text.strip():
        raise SendRefusedError("text: found nothing to show, expected some text")
    for name, given in (("text", text), ("key", key)):
        try:
            given.encode()
        except UnicodeEncodeError as error:
            what = f"{name}: half a character at {error.start}, expected valid Unicode"
            raise SendRefusedError(what) from None
    parts = split_text(
        text, points_max=policy.text_points_max, bytes_max=policy.text_bytes_max
    )
    if len(parts) > policy.outbox_parts_max:
        most = policy.outbox_parts_max
        raise SendRefusedError(f"text: {len(parts)} parts, expected at most {most}")
    kept = tuple(vault.seal(BODY, part) for part in parts)
    requests = tuple(
        PartRequest(value.handle, len(part))
        for value, part in zip(kept, parts, strict=True)
    )
    event = SendRequested(to, requests, vault.handle(KEY, key))
    return Draft((event,), kept)


def _check_target(to: str) -> None:
    if not to or len(to) > TARGET_MAX or not to.isprintable() or " " in to:
        raise SendRefusedError(
            f"to: found {to[:40]!r}, expected the `from_` of a message"
        )
