"""Grants: answers are numbered and counted per message, pushes per peer and day."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.core import qq
from holdfast.core.commands import Command, Send
from holdfast.core.contexts import bury
from holdfast.core.delivery import answer, pump, request
from holdfast.core.events import MessageReceived, PartRequest, SendRequested
from holdfast.core.grants import (
    DAY_MS,
    EARLIER_MAX,
    Grant,
    forgotten,
    grant,
    next_number,
    renumberable,
    unpushed,
    used,
)
from holdfast.core.outbox import (
    Answerable,
    Order,
    Outbox,
    Outcome,
    Part,
    Peer,
    Scene,
    Terms,
    Trigger,
)
from holdfast.core.release import hear, invite

AT_MS = 10 * DAY_MS
TERMS = Terms(window_ms=60_000, replies_max=3, push_gap_ms=3_000, pushes_max=2)
ALICE = "c2c:alice"
PART = Part("body", "id-1-0")


def scene(at_ms: int = AT_MS, terms: Terms = TERMS) -> Scene:
    policy = replace(qq.POLICY.delivery, gap_ms_min=0)
    return Scene(at_ms, 7, "token-1", 30_000, policy, terms=lambda _: terms)


def granted(
    peer: Peer, reply_to: str = "", *, part: Part = PART, at_ms: int = AT_MS
) -> Grant:
    order = Order(1, 1, (part,), reply_to)
    return grant(Outbox(peers={ALICE: peer}), ALICE, order, scene(at_ms))


WROTE = Peer("reply-1", AT_MS, sent_ms=AT_MS)


def test_the_newest_message_is_answered_with_the_next_number() -> None:
    assert granted(WROTE) == Grant("reply-1", 1)
    assert granted(replace(WROTE, spent=2)) == Grant("reply-1", 3)


def test_a_message_that_was_answered_often_enough_is_answered_no_more() -> None:
    assert granted(replace(WROTE, spent=3)) == Grant()


def test_a_window_ends_so_long_after_the_message_came() -> None:
    assert granted(WROTE, at_ms=AT_MS + 59_999) == Grant("reply-1", 1)
    assert granted(WROTE, at_ms=AT_MS + 60_000) == Grant()


def test_the_host_may_name_an_earlier_message_or_one_unknown_here() -> None:
    peer = replace(WROTE, earlier=(Answerable("reply-0", AT_MS - 1, 1),))
    assert granted(peer, "reply-0") == Grant("reply-0", 2)
    assert granted(peer, "reply-9") == Grant("reply-9", 1, unsure=True)


def test_a_part_keeps_what_it_was_given_whatever_came_since() -> None:
    part = replace(PART, context="reply-0", number=2)
    late_ms = AT_MS + 10 * DAY_MS
    assert granted(replace(WROTE, spent=3), part=part, at_ms=late_ms) == (
        Grant("reply-0", 2)
    )


def test_what_was_refused_is_used_by_nobody() -> None:
    dead = bury(Outbox(), ["reply-1", "reply-0"], scene())
    box = Outbox(peers={ALICE: WROTE}, forgotten=dead)
    kept = replace(PART, context="reply-0", number=2)
    for part, reply_to in ((PART, ""), (PART, "reply-1"), (kept, "")):
        order = Order(1, 1, (part,), reply_to)
        assert grant(box, ALICE, order, scene()) == Grant()
    assert forgotten(box, "reply-1", scene())
    assert not forgotten(box, "reply-2", scene())


def test_pushes_are_spaced_and_counted_by_the_day() -> None:
    pushed = Peer(pushed_ms=AT_MS - 1_000, day_ms=AT_MS - 1_000, pushes=1)
    assert granted(pushed) == Grant(ready_ms=AT_MS + 2_000)
    full = replace(pushed, pushes=2)
    # A day that is spent is waited for: the next one comes, whoever writes.
    assert granted(full) == Grant(ready_ms=AT_MS - 1_000 + 86_400_000)
    tomorrow = granted(full, at_ms=AT_MS - 1_000 + DAY_MS)
    assert (tomorrow.why, tomorrow.context) == ("", "")


def test_a_push_is_counted_and_taken_back_where_it_never_left() -> None:
    box = Outbox(peers={ALICE: Peer()})
    box = replace(box, peers=used(box, ALICE, Grant(), scene()))
    assert box.peers[ALICE] == Peer(pushed_ms=AT_MS, day_ms=AT_MS, pushes=1)
    assert unpushed(box, ALICE)[ALICE].pushes == 0
    late_ms = AT_MS + DAY_MS
    assert used(box, ALICE, Grant(), scene(late_ms))[ALICE].pushes == 1


def test_a_number_that_somebody_used_is_followed_by_the_next_while_there_is_one() -> (
    None
):
    part = replace(PART, context="reply-1", number=1)
    box = Outbox(peers={ALICE: replace(WROTE, spent=2)})
    assert next_number(box.peers[ALICE], part) == 3
    assert renumberable(box, ALICE, part, scene())
    assert not renumberable(box, ALICE, replace(part, number=3), scene())
    assert not renumberable(box, ALICE, replace(part, renumbered=8), scene())
    endless = replace(TERMS, replies_max=0)
    assert renumberable(box, ALICE, replace(part, number=99), scene(terms=endless))
    assert next_number(Peer(), replace(part, number=5)) == 6


def heard(box: Outbox, context: str, at_ms: int = AT_MS) -> Outbox:
    message = MessageReceived(ALICE, "body", context=context)
    return hear(box, message, repeated=False, scene=scene(at_ms))[0]


def test_of_many_messages_those_that_were_answered_are_remembered_longest() -> None:
    box = heard(Outbox(), "answered")
    box = replace(box, peers=used(box, ALICE, Grant("answered", 2), scene()))
    for number in range(EARLIER_MAX + 3):
        box = heard(box, f"reply-{number}", AT_MS + number)
    peer = box.peers[ALICE]
    assert peer.context == "reply-10"
    assert [one.context for one in peer.earlier] == [
        "answered",
        *(f"reply-{number}" for number in range(9, 10 - EARLIER_MAX, -1)),
    ]
    assert granted(peer, "answered") == Grant("answered", 3)
    # Known to be too old, it is not tried as one unknown here would be.
    assert granted(peer, "answered", at_ms=AT_MS + DAY_MS) == Grant()


def test_a_reference_that_comes_again_begins_no_new_count_and_no_new_window() -> None:
    box = heard(heard(Outbox(), "reply-1"), "reply-2")
    box = replace(box, peers=used(box, ALICE, Grant("reply-2", 1), scene()))
    box = replace(box, peers=used(box, ALICE, Grant("reply-1", 1), scene()))
    for context in ("reply-1", "reply-2", ""):
        again = heard(box, context, AT_MS + 1_000).peers[ALICE]
        assert again == box.peers[ALICE]
        invited = invite(box, ALICE, context, scene(AT_MS + 1_000))[0]
        assert invited.peers[ALICE] == box.peers[ALICE]


# What happens to one peer: it writes, the host asks for parts, a try ends, time passes.
HAPPENS = st.lists(
    st.tuples(
        st.sampled_from(("write", "ask", "end", "end", "wait")), st.integers(0, 7)
    ),
    max_size=80,
)
ENDS = (
    *(Trigger.ACCEPT, Trigger.ACCEPT, Trigger.UNCONFIRM, Trigger.THROTTLE),
    *(Trigger.LOSE, Trigger.UNREACH, Trigger.RENUMBER, Trigger.STALE),
)
PUSHED = (Trigger.PARK, Trigger.REJECT)
WAITS_MS = (0, 100, 1_000, 3_000, 10_000, 30_000, 60_000, DAY_MS)


class Sends:
    """What went out of an outbox, as the platform would count it."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[str, int], tuple[int, int]] = {}
        self.pushed_ms = 0

    def note(self, commands: Sequence[Command], at_ms: int) -> None:
        for command in commands:
            if not isinstance(command, Send):
                continue
            place, context = (command.delivery, command.part), command.context
            if not context:
                assert at_ms - self.pushed_ms >= TERMS.push_gap_ms
                self.pushed_ms = at_ms
                continue
            # A part keeps its number, and no other part is ever given it.
            assert self.pairs.setdefault((context, command.number), place) == place
            assert 1 <= command.number <= TERMS.replies_max


@settings(max_examples=300)
@given(HAPPENS)
def test_no_number_is_given_twice_and_no_budget_overspent(
    happens: Sequence[tuple[str, int]],
) -> None:
    box, at_ms, sends = Outbox(), AT_MS, Sends()
    for seq, (what, face) in enumerate(happens, 1):
        now = scene(at_ms)
        commands: list[Command] = []
        match what:
            case "write":
                message = MessageReceived(ALICE, "body", context=f"reply-{seq}")
                box, _ = hear(box, message, repeated=False, scene=now)
            case "ask":
                parts = (PartRequest("body"),) * (1 + face % 3)
                named = f"reply-{max(1, seq - face)}" if face > 3 else ""
                asked = SendRequested(ALICE, parts, reply_to=named)
                box, _ = request(box, seq, asked, now)
            case "end" if box.sending is not None:
                sending = box.sending
                why = ENDS[face] if sending.context else (*ENDS[:6], *PUSHED)[face]
                at = sending.delivery, sending.part
                box, commands = answer(box, *at, Outcome(why), now)
                sends.note(commands, at_ms)
            case _:
                at_ms += WAITS_MS[face]
        box, commands = pump(box, scene(at_ms))
        sends.note(commands, at_ms)
        for peer in box.peers.values():
            assert 0 <= peer.pushes <= TERMS.pushes_max
            spent = (peer.spent, *(one.spent for one in peer.earlier))
            assert 0 <= max(spent) <= TERMS.replies_max
