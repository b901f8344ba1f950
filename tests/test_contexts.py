"""Context tokens and the peers that gave them: what is forgotten, and what stays."""

from holdfast.core.contexts import trimmed
from holdfast.core.outbox import Order, Outbox, Part, Peer

PEERS = {f"peer-{n}": Peer(f"token-{n}", inbound_ms=n) for n in range(10)}


def test_as_many_peers_as_allowed_all_stay() -> None:
    box = Outbox(peers=PEERS)
    assert trimmed(box, 10) is box


def test_of_too_many_peers_the_younger_half_stays() -> None:
    kept = trimmed(Outbox(peers=PEERS), 9).peers
    assert list(kept) == [f"peer-{n}" for n in range(5, 10)]


def test_a_peer_that_something_waits_for_is_never_forgotten() -> None:
    order = Order(1, 1, (Part("body-1", "client-1"),))
    box = Outbox(queues={"peer-0": (order,)}, peers=PEERS)
    kept = trimmed(box, 9).peers
    assert "peer-0" in kept


def test_peers_that_never_wrote_are_bounded_too() -> None:
    pushed = {name: Peer(pushed_ms=5) for name in PEERS}
    assert list(trimmed(Outbox(peers=pushed), 2).peers) == [*PEERS][5:]
