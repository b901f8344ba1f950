"""What of a Weixin account is explored together, and under which policies.

Every duration is a few ticks of one millisecond: long enough to keep the order in which
things can happen, short enough for the states to be counted. With a ceiling of one
tick, jitter has no choice.
"""

from msgspec.structs import replace

from holdfast.core.policy import (
    ConnectionPolicy,
    DeliveryPolicy,
    InboxPolicy,
    Policy,
    PollPolicy,
    SessionPolicy,
)
from holdfast.replay.explore import weixin_moves, weixin_orders
from holdfast.replay.explore.scope import Environment, Scope
from holdfast.replay.explore.weixin_subject import subject
from holdfast.replay.explore.weixin_world import Extent, Mood, WeixinWorld

BEGIN_MS = 1_000_000
FOR_EVER_MS = 300 * 86_400_000

TICKS = Policy(
    session=SessionPolicy(
        backoff_ms_first=1,
        backoff_ms_max=2,
        probes_before_login=2,
        slow_probe_ms=3,
        unanswered_probes_max=2,
    ),
    connection=ConnectionPolicy(
        backoff_ms_first=1,
        backoff_ms_max=1,
        cooldown_ms=1,
        stable_ms=3,
        dials_before_escalation=2,
        strangers_before_fatal=2,
        fatal_retry_ms=3,
    ),
    delivery=DeliveryPolicy(
        gap_ms_min=1,
        gap_ms_base=1,
        gap_ms_per_part=0,
        throttle_ms_first=1,
        throttle_ms_max=2,
        throttle_jitter_ms=0,
        throttles_max=1,
        unknown_ms_first=1,
        unknown_ms_max=1,
        unknown_tries_max=2,
        unreached_ms_first=1,
        unreached_ms_max=1,
        budget=2,
        window_ms=0,
        forgotten_ms=FOR_EVER_MS,
    ),
    inbox=InboxPolicy(seen_ms=FOR_EVER_MS),
    poll=PollPolicy(
        hold_ms=2,
        hold_ms_min=1,
        hold_ms_max=2,
        grace_ms=1,
        interval_ms_min=1,
        notify_timeout_ms=2,
        send_timeout_ms=2,
    ),
)

# Where messages are looked at, the rest of the account has no time of its own.
BRISK = replace(
    TICKS,
    session=SessionPolicy(
        backoff_ms_first=1,
        backoff_ms_max=1,
        probes_before_login=1,
        slow_probe_ms=1,
        unanswered_probes_max=1,
    ),
    connection=replace(TICKS.connection, stable_ms=0, fatal_retry_ms=1),
    poll=PollPolicy(
        hold_ms=1,
        hold_ms_min=1,
        hold_ms_max=1,
        grace_ms=0,
        interval_ms_min=0,
        notify_timeout_ms=1,
        send_timeout_ms=1,
    ),
)

# Where another bot logs in, a part is tried once and needs no budget.
ONCE = replace(
    BRISK,
    delivery=replace(BRISK.delivery, budget=0, throttles_max=0, unknown_tries_max=1),
)
# Where the peer contradicts itself, it also stops listening to us after a while.
WINDOW = replace(
    BRISK,
    session=replace(BRISK.session, unanswered_probes_max=2),
    delivery=replace(BRISK.delivery, window_ms=1),
)


def scopes() -> list[Scope]:
    """Return what is explored of Weixin."""
    login = Extent(files=True, humans=True, stops=True)
    line = Extent(network=True, stops=True)
    sends = Extent(messages=True, moods=(), texts_max=2, parts_max=2)
    refused = Extent(messages=True, texts_max=1, prompt=True)
    switch = replace(refused, moods=(Mood.LAPSED,), humans=True, other_bot=True)
    odd = Extent(messages=True, moods=(), texts_max=1, odd=True, consumers=True)
    return [
        _scope("weixin login", "login and poll", ("session",), login, TICKS),
        _scope("weixin line", "login and poll", ("connection",), line, TICKS),
        _scope(
            "weixin sends", "messages and sends", ("delivery", "inbox"), sends, BRISK
        ),
        _scope(
            "weixin refused",
            "messages and sends",
            ("delivery", "inbox"),
            refused,
            BRISK,
        ),
        _scope(
            "weixin odd",
            "messages and sends",
            ("session", "delivery", "inbox"),
            odd,
            WINDOW,
        ),
        _scope(
            "weixin switch", "messages and sends", ("delivery", "inbox"), switch, ONCE
        ),
    ]


def _scope(
    name: str, about: str, machines: tuple[str, ...], extent: Extent, policy: Policy
) -> Scope:
    begin = WeixinWorld(BEGIN_MS, extent=extent)
    environment = Environment(begin, weixin_moves.moves, weixin_orders.obey)
    return Scope(name, about, machines, subject(policy), environment, policy)
