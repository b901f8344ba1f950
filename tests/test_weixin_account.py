"""What a Weixin account says of itself to whoever prunes its journal."""

from holdfast.core.account import done_through, first_unsent
from holdfast.core.inbox import Consumer, Inbox
from holdfast.core.outbox import Order, Outbox, Part, Peer
from holdfast.core.weixin_account import (
    Weixin,
    live_handles,
)

ONE, TWO = Part("body-1", "id-1"), Part("body-2", "id-2")
WAITING = Outbox(
    queues={"alice": (Order(9, 2, (ONE, TWO)), Order(12, 1, (ONE,)))},
    peers={"alice": Peer("token-1", 500), "bob": Peer("", 600)},
)


def reading(**through: int) -> Weixin:
    consumers = {name: Consumer(seq, (99,)) for name, seq in through.items()}
    return Weixin(inbox=Inbox(consumers=consumers))


def test_a_cursor_a_token_and_a_body_that_waits_may_still_be_needed() -> None:
    state = Weixin(cursor="cursor-1", outbox=WAITING)
    handles = live_handles(state)
    assert sorted({*handles}) == ["body-1", "body-2", "cursor-1", "token-1"]
    assert "" not in handles
    assert live_handles(Weixin()) == ()


def test_the_slowest_consumer_says_how_far_all_are() -> None:
    assert done_through(reading(agent=7, archive=5)) == 5
    assert done_through(reading(agent=7)) == 7
    assert done_through(Weixin()) == 0


def test_the_oldest_unfinished_delivery_is_the_first_unsent() -> None:
    assert first_unsent(Weixin(outbox=WAITING), 20) == 9
    assert first_unsent(Weixin(), 20) == 21
