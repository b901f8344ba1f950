"""Delivery: order, turns and ends of parts, below what the scripts show."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.core import delivery, pacing, release
from holdfast.core.commands import Command, Forget, Report, Send, SetTimer
from holdfast.core.contexts import drop_contexts
from holdfast.core.events import MessageReceived, PartRequest, SendRequested
from holdfast.core.keys import Keys, claimed
from holdfast.core.outbox import (
    Order,
    Outbox,
    Outcome,
    Part,
    Peer,
    Phase,
    Scene,
    Trigger,
    append,
    head,
    put_head,
    without_head,
)
from holdfast.core.policy import DeliveryPolicy

POLICY = DeliveryPolicy(gap_ms_min=0, gap_ms_base=0, gap_ms_per_part=0)
SCENE = Scene(1_000, 7, "login-1", 15_000, POLICY)
ACCEPTED = Outcome(Trigger.ACCEPT, "1")
PEERS = ("alice", "bob", "carol")
# Orders of the host: whom to write to, and in how many parts.
ORDERS = st.lists(st.tuples(st.sampled_from(PEERS), st.integers(1, 3)), max_size=8)


def taken(box: Outbox, peer: str) -> Outbox:
    return replace(box, queues=without_head(box.queues, peer, 1), parts=box.parts - 1)


def heard_from(peer: str, context: str) -> MessageReceived:
    return MessageReceived(peer, "body-1", context=context)


def ask(box: Outbox, seq: int, peer: str, parts: int, key: str = "") -> Outbox:
    bodies = tuple(PartRequest(f"{seq}-{number}") for number in range(parts))
    event = SendRequested(peer, bodies, key)
    return delivery.request(box, seq, event, SCENE)[0]


def sends(commands: Sequence[Command]) -> list[Send]:
    return [command for command in commands if isinstance(command, Send)]


def reports(commands: Sequence[Command]) -> list[tuple[int, int, str]]:
    found = [command for command in commands if isinstance(command, Report)]
    return [(report.delivery, report.part, report.state) for report in found]


def drain(box: Outbox, outcome: Outcome = ACCEPTED) -> list[Send]:
    """Send all there is, each answered alike; return the sends in order."""
    sent: list[Send] = []
    box, commands = delivery.pump(box, SCENE)
    while found := sends(commands):
        sent += found
        box, _ = delivery.answer(box, found[0].delivery, found[0].part, outcome, SCENE)
        box, commands = delivery.pump(box, SCENE)
    assert box.parts == 0
    assert not box.queues
    return sent


@given(ORDERS)
def test_every_part_goes_once_and_in_order_for_each_peer(
    orders: list[tuple[str, int]],
) -> None:
    box = Outbox()
    for seq, (peer, parts) in enumerate(orders, 1):
        box = ask(box, seq, peer, parts)
    sent = drain(box)
    for peer in PEERS:
        expected = [
            (seq, part)
            for seq, (to, parts) in enumerate(orders, 1)
            for part in range(parts)
            if to == peer
        ]
        assert [(s.delivery, s.part) for s in sent if s.peer == peer] == expected


@given(ORDERS)
def test_no_client_id_is_used_for_two_parts(orders: list[tuple[str, int]]) -> None:
    box = Outbox()
    for seq, (peer, parts) in enumerate(orders, 1):
        box = ask(box, seq, peer, parts)
    ids = [send.client_id for send in drain(box)]
    assert len({*ids}) == len(ids) == sum(parts for _, parts in orders)


def test_peers_take_turns_part_by_part() -> None:
    box = ask(ask(ask(Outbox(), 1, "alice", 3), 2, "bob", 2), 3, "alice", 1)
    turns = [(send.peer, send.delivery) for send in drain(box)]
    assert turns == [
        *(("alice", 1), ("bob", 2), ("alice", 1)),
        *(("bob", 2), ("alice", 1), ("alice", 3)),
    ]


def test_while_a_part_is_under_way_or_without_login_nothing_goes() -> None:
    box = ask(Outbox(), 1, "alice", 2)
    assert delivery.pump(box, replace(SCENE, credential="")) == (box, [])
    box, _ = delivery.pump(box, SCENE)
    assert delivery.pump(box, SCENE) == (box, [])


def test_a_refused_part_takes_the_rest_of_its_delivery_along_and_says_so() -> None:
    box = ask(ask(Outbox(), 1, "alice", 3), 2, "alice", 1)
    box, _ = delivery.pump(box, SCENE)
    refused = Outcome(Trigger.REJECT, error="-3 invalid arguments")
    box, commands = delivery.answer(box, 1, 0, refused, SCENE)
    assert reports(commands) == [(1, number, "rejected") for number in range(3)]
    assert [send.delivery for send in drain(box)] == [2]


@pytest.mark.parametrize(
    ("trigger", "tries_max"), [(Trigger.THROTTLE, 7), (Trigger.LOSE, 4)]
)
def test_a_part_is_tried_so_often_and_its_end_is_reported(
    trigger: Trigger, tries_max: int
) -> None:
    box, scene, told = ask(Outbox(), 1, "alice", 1), SCENE, list[tuple[int, int, str]]()
    for _ in range(tries_max):
        box, commands = delivery.pump(box, scene)
        assert len(sends(commands)) == 1
        box, commands = delivery.answer(box, 1, 0, Outcome(trigger, error="why"), scene)
        told += reports(commands)
        scene = replace(scene, at_ms=scene.at_ms + 60_000)
    between = Phase.WAITING if trigger is Trigger.THROTTLE else Phase.UNKNOWN
    end = Phase.PARKED if trigger is Trigger.THROTTLE else Phase.UNKNOWN
    assert [state for *_, state in told] == [between] * (tries_max - 1) + [end]
    assert not sends(delivery.pump(box, scene)[1])


def test_a_part_that_never_leaves_is_tried_for_ever() -> None:
    box, scene = ask(Outbox(), 1, "alice", 1), SCENE
    for _ in range(2_000):
        box, commands = delivery.pump(box, scene)
        assert len(sends(commands)) == 1
        box, _ = delivery.answer(box, 1, 0, Outcome(Trigger.UNREACH), scene)
        scene = replace(scene, at_ms=scene.at_ms + 30_000)
    part = head(box, "alice")[1]
    assert (part.attempts, part.misses) == (1_000, 1_000)


def test_the_timer_is_that_of_the_part_that_is_due_first() -> None:
    dues = {"alice": 9_000, "bob": 5_000, "carol": 7_000}
    box = Outbox()
    for seq, (peer, due_ms) in enumerate(dues.items(), 1):
        box = ask(box, seq, peer, 1)
        part = replace(head(box, peer)[1], phase=Phase.WAITING, due_ms=due_ms)
        box = put_head(box, peer, part)
    box, commands = delivery.pump(box, SCENE)
    assert commands == [SetTimer(pacing.NEXT, 5_000)]
    assert delivery.pump(box, SCENE) == (box, [])
    (sent,) = sends(delivery.pump(box, replace(SCENE, at_ms=5_000))[1])
    assert sent.peer == "bob"


def test_a_released_part_counts_its_pauses_anew() -> None:
    box = ask(Outbox(), 1, "alice", 1)
    part = replace(head(box, "alice")[1], phase=Phase.WAITING)
    worn = replace(part, due_ms=9_000, throttles=3, misses=4, losses=1, attempts=8)
    box = put_head(box, "alice", worn)
    box, _ = release.hear(box, heard_from("alice", ""), repeated=False, scene=SCENE)
    fresh = replace(part, phase=Phase.QUEUED, losses=1, attempts=8)
    assert head(box, "alice")[1] == fresh


def test_a_dead_token_is_forgotten_and_the_part_goes_again_without_it() -> None:
    box = replace(ask(Outbox(), 1, "alice", 1), peers={"alice": Peer("token-1", 500)})
    box, commands = delivery.pump(box, SCENE)
    (first,) = sends(commands)
    box, (forget, again) = delivery.answer(box, 1, 0, Outcome(Trigger.STALE), SCENE)
    assert forget == Forget("token-1")
    assert again == replace(first, context="")
    assert box.peers["alice"].context == ""
    box, _ = release.hear(
        box, heard_from("alice", "token-1"), repeated=False, scene=SCENE
    )
    assert box.peers["alice"].context == ""


def test_a_dead_token_stays_dead_for_a_week_to_the_millisecond() -> None:
    box = replace(ask(Outbox(), 1, "alice", 1), peers={"alice": Peer("token-1", 500)})
    box, _ = delivery.pump(box, SCENE)
    box, _ = delivery.answer(box, 1, 0, Outcome(Trigger.STALE), SCENE)
    for later_ms, token in ((-1, ""), (0, "token-1")):
        scene = replace(SCENE, at_ms=SCENE.at_ms + POLICY.forgotten_ms + later_ms)
        heard, _ = release.hear(
            box, heard_from("alice", "token-1"), repeated=True, scene=scene
        )
        assert heard.peers["alice"].context == token


def test_a_restart_keeps_queues_ids_and_books_and_forgets_timers() -> None:
    box = ask(ask(Outbox(), 1, "alice", 2), 2, "bob", 1)
    box, commands = delivery.pump(replace(box, next_ms=900), SCENE)
    (sent,) = sends(commands)
    box, _ = release.restart(replace(box, due_ms=5_000), replace(SCENE, at_ms=2_000))
    part = head(box, "alice")[1]
    assert (box.sending, box.due_ms, box.next_ms, box.parts) == (None, 0, 900, 3)
    assert (part.phase, part.due_ms) == (Phase.UNKNOWN, 2_000)
    later = replace(SCENE, at_ms=2_000, seed=8)
    assert sends(delivery.pump(box, later)[1])[0].client_id == sent.client_id


def test_a_key_is_claimed_for_a_day_to_the_millisecond() -> None:
    box = ask(Outbox(), 1, "alice", 1, key="key-1")
    assert claimed(box.keys, "key-1", SCENE.at_ms, SCENE.policy) == 1
    assert claimed(box.keys, "key-2", SCENE.at_ms, SCENE.policy) == 0
    assert claimed(box.keys, "", SCENE.at_ms, SCENE.policy) == 0
    evening = replace(SCENE, at_ms=SCENE.at_ms + POLICY.key_ms - 1)
    assert claimed(box.keys, "key-1", evening.at_ms, evening.policy) == 1
    tomorrow = replace(SCENE, at_ms=SCENE.at_ms + POLICY.key_ms)
    assert claimed(box.keys, "key-1", tomorrow.at_ms, tomorrow.policy) == 0


def test_the_claims_of_yesterday_go_when_others_are_made() -> None:
    box, scene = Outbox(), SCENE
    for seq in range(1, 1_001):
        scene = replace(scene, at_ms=scene.at_ms + POLICY.key_ms // 100)
        event = SendRequested("alice", (PartRequest("body"),), f"key-{seq}")
        box, _ = delivery.request(box, seq, event, scene)
        box = taken(box, "alice")
        for old in range(max(1, seq - 99), seq + 1):
            assert claimed(box.keys, f"key-{old}", scene.at_ms, scene.policy) == old
        assert len(box.keys.young) + len(box.keys.old) <= 300


def test_dropping_contexts_keeps_what_else_is_known_of_a_peer() -> None:
    peers = {"alice": Peer("token-1", 500, 3), "bob": Peer("", 600)}
    box, commands = drop_contexts(Outbox(peers=peers), SCENE)
    assert box.peers == {"alice": Peer("", 500, 3), "bob": Peer("", 600)}
    assert commands == [Forget("token-1")]


def test_queues_count_their_parts_and_leave_no_empty_ones_behind() -> None:
    one, two = Part("a", "id-a"), Part("b", "id-b")
    box = append(Outbox(), "alice", Order(1, 2, (one, two)), Keys())
    box = append(box, "bob", Order(2, 1, (one,)), Keys())
    assert (box.parts, [*box.queues]) == (3, ["alice", "bob"])
    box = put_head(box, "alice", replace(one, attempts=1))
    assert head(box, "alice")[1].attempts == 1
    box = taken(box, "alice")
    assert (box.parts, [*box.queues]) == (2, ["bob", "alice"])
    assert head(box, "alice")[0].part == 1
    box = taken(box, "alice")
    assert (box.parts, [*box.queues]) == (1, ["bob"])
