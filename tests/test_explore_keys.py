"""Keys: a state stands for all states of its key (docs/adr/0012)."""

from collections.abc import Mapping
from typing import Any

import pytest
from bisimulation import Place, key_of, strolls, unlike
from field_changes import Seen, changed, fields_of, note
from msgspec import Struct

from holdfast.core.commands import Poll
from holdfast.core.qq_account import Qq
from holdfast.core.qq_codes import NOT_AUTHENTICATED
from holdfast.core.weixin_account import Weixin
from holdfast.replay.explore.qq_world import QqWorld
from holdfast.replay.explore.scope import Scope
from holdfast.replay.explore.scopes import SCOPES
from holdfast.replay.explore.weixin_world import WeixinWorld

STRUCTS: Mapping[str, tuple[type[Struct], ...]] = {
    "weixin": (Weixin, WeixinWorld),
    "qq": (Qq, QqWorld),
}

TOLD = "it is told to people, and no reducer reads it"
NAMED = "it names something, and the key has whether it is that or another"
FEW = "it is empty until there are more than any scope makes"
SAME = "it is the same all along"

# {field: why two states that differ in it alone are the same}
UNREAD = {
    "account.Account.trouble": TOLD,
    "connection.Connection.alive_ms": TOLD,
    "connection.Connection.fatal_code": TOLD,
    "connection.Connection.fatal_reason": TOLD,
    "connection.Connection.since_ms": TOLD,
    "connection.Connection.epoch": "its answers are told from older ones by the world; "
    "with a ceiling of one tick, jitter is the same for all epochs",
    "outbox.Order.id": NAMED,
    "outbox.Outbox.keys": "no host gives a key",
    "outbox.Part.attempts": TOLD,
    "outbox.Part.body": NAMED,
    "outbox.Part.client_id": NAMED,
    "outbox.Part.misses": "the longest wait for who is not reached is one tick",
    "outbox.Peer.day_ms": "no scope limits the pushes of a day",
    "outbox.Peer.pushes": "no scope limits the pushes of a day",
    "outbox.Peer.sent_ms": "no message says when it was written",
    "outbox.Sending.delivery": NAMED,
    "outbox.Sending.epoch": TOLD,
    "outbox.Sending.part": "it is the first one of its order that is left",
    "recent.Recent.old": FEW,
    "session.Session.since_ms": TOLD,
}
OF_WEIXIN = {
    "commands.Poll.cursor": "the peer goes on from it, and from each in the same way",
    "commands.Poll.timeout_ms": "it became the deadline of the call",
    "inbox.Consumer.ahead": "a consumer is done with all before a message at once",
    "inbox.Inbox.seen": "what may come again is the world's last message: it was seen",
    "outbox.Peer.earlier": "an iLink peer has one context",
    "outbox.Peer.event": "iLink has no events",
    "outbox.Peer.pushed_ms": "iLink counts no pushes",
    "account.Account.seed": SAME,
    "account.AccountWorld.ended": "a part is here or in the outbox, never in both",
    "weixin_world.WeixinWorld.extent": SAME,
    "weixin_world.WeixinWorld.heard": NAMED,
}
OF_QQ = {
    "outbox.Answerable.event": "no scope has events that may be answered",
    "account.Account.inbox": "what may come again is the world's last message: it was "
    "seen; no scope has consumers",
    "account.Account.account_id": "no scope has another app",
    "account.Account.seed": SAME,
    "qq_seq.Resumption.asked": "it follows from the policy",
    "qq_world.QqWorld.begun": NAMED,
    "account.AccountWorld.ended": "a part is here or in the outbox, never in both",
    "qq_world.QqWorld.extent": SAME,
    "qq_world.QqWorld.issued": NAMED,
    "qq_world.QqWorld.offered": "it is the world's last message",
    "qq_world.Socket.epoch": NAMED,
}
DECLARED = {"weixin": UNREAD | OF_WEIXIN, "qq": UNREAD | OF_QQ}

# {field: what no short walk comes to}
RARE: Mapping[str, list[Any]] = {
    "qq_seq.Resumption.early": [(3,)],
    "weixin_world.WeixinWorld.late": [Poll(3, "login-a")],
    "qq_account.Qq.last_code": [NOT_AUTHENTICATED],
}


def unseen(platform: str, apart: Mapping[str, str]) -> set[str]:
    """Return the fields that may change without a change of any key."""
    left = dict.fromkeys(f for top in STRUCTS[platform] for f in fields_of(top, apart))
    scopes = [s for s in SCOPES.values() if s.subject.platform == platform]
    walked = [
        (scope, place)
        for scope in scopes
        for seed in range(8)
        for place in [*strolls(scope, seed, 60)][::4]
    ]
    seen: Seen = {name: [*values] for name, values in RARE.items()}
    for _, place in walked:
        note((place.state, place.world), left, seen)
    for scope, place in walked:
        key = key_of(scope, place)
        for name, (state, world) in changed((place.state, place.world), left, seen):
            if name in left and key_of(scope, Place(state, world)) != key:
                del left[name]
    return {*left}


@pytest.mark.parametrize("platform", STRUCTS)
def test_every_field_is_seen_by_the_key_or_it_is_said_why_not(platform: str) -> None:
    declared = DECLARED[platform]
    assert unseen(platform, declared) == {*declared}


# Short walks meet states as the search does; long ones meet them again hundreds of
# facts and much time later.
WALKS = (*[25] * 150, 800, 800)
PAIRS_MIN, PAIRS_MAX = 100, 500


@pytest.mark.parametrize("scope", SCOPES.values(), ids=lambda scope: scope.name)
def test_states_of_one_key_show_the_same_however_far_apart_they_are(
    scope: Scope,
) -> None:
    first: dict[bytes, Place] = {}
    last: dict[bytes, Place] = {}
    for seed, steps in enumerate(WALKS):
        for place in strolls(scope, seed, steps):
            key = key_of(scope, place)
            last[key] = place
            first.setdefault(key, place)
    pairs = [(first[key], last[key]) for key in first if first[key] != last[key]]
    assert len(pairs) >= PAIRS_MIN
    assert not [told for pair in pairs[:PAIRS_MAX] for told in unlike(scope, *pair)]
