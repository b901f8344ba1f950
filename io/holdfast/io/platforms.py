"""Platforms: the one place of the shell that knows which are there.

A platform is the reducer of its accounts, the adapter that speaks to its peer, and how
a host sees its messages and names its targets.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from ssl import SSLContext
from typing import Any

from msgspec import Struct

from holdfast.core import (
    qq,
    qq_account,
    qq_invariants,
    weixin,
    weixin_account,
    weixin_invariants,
)
from holdfast.io.network import Network
from holdfast.io.qq import inbound as qq_inbound
from holdfast.io.qq import peer as qq_peer
from holdfast.io.qq import wire as qq_wire
from holdfast.io.reading import Reading
from holdfast.io.rules import Check, Peer, State, Step
from holdfast.io.vault import Vault
from holdfast.io.weixin import inbound as weixin_inbound
from holdfast.io.weixin import peer as weixin_peer

OpenPeer = Callable[
    [Any, Vault, SSLContext, Network | None], AbstractAsyncContextManager[Peer]
]


class Platform(Struct, frozen=True):
    """What the shell needs to know of a platform."""

    name: str
    state: type[State]
    step: Step
    broken: Check
    # The vault's handles that a state still needs.
    live_handles: Callable[[Any], tuple[str, ...]]
    # Takes the platform's own account of the configuration.
    open_peer: OpenPeer
    # What a host sees of a message's own JSON.
    read: Callable[[Any], Reading]
    # What a target looks like, and whether this is one.
    targets: str
    is_target: Callable[[str], bool]
    # The context of an answer to a message id; None where people are answered.
    reply_context: Callable[[str], bytes] | None


WEIXIN = Platform(
    name=weixin.PLATFORM,
    state=weixin_account.Weixin,
    step=weixin.step,
    broken=weixin_invariants.broken,
    live_handles=weixin_account.live_handles,
    open_peer=weixin_peer.open_peer,
    read=weixin_inbound.read,
    targets="the `from_` of a message",
    is_target=lambda _: True,
    reply_context=None,
)
QQ = Platform(
    name=qq.PLATFORM,
    state=qq_account.Qq,
    step=qq.step,
    broken=qq_invariants.broken,
    live_handles=qq_account.live_handles,
    open_peer=qq_peer.open_peer,
    read=qq_inbound.read,
    targets=qq_wire.TARGETS,
    is_target=qq_wire.is_target,
    reply_context=qq_wire.reply_context,
)
PLATFORMS: Mapping[str, Platform] = {one.name: one for one in (WEIXIN, QQ)}
