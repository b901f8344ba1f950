"""What of a QQ account is explored together, and under which policies.

Durations are ticks of one millisecond, as in `weixin_scopes`; a token that says no
lifetime lives for the policy's.
"""

from msgspec.structs import replace

from holdfast.core.policy import (
    ConnectionPolicy,
    DeliveryPolicy,
    GatewayPolicy,
    InboxPolicy,
    Policy,
    PushPolicy,
    ReplyPolicy,
    SessionPolicy,
    TokenPolicy,
)
from holdfast.replay.explore import qq_moves, qq_orders
from holdfast.replay.explore.qq_subject import subject
from holdfast.replay.explore.qq_world import Extent, QqWorld
from holdfast.replay.explore.scope import Environment, Scope

BEGIN_MS = 1_000_000
FOR_EVER_MS = 300 * 86_400_000

TICKS = Policy(
    session=SessionPolicy(
        backoff_ms_first=1, backoff_ms_max=1, probes_before_login=2, slow_probe_ms=1
    ),
    connection=ConnectionPolicy(
        backoff_ms_first=1,
        backoff_ms_max=1,
        cooldown_ms=0,
        stable_ms=0,
        ping_ms=FOR_EVER_MS,
        ack_intervals_max=1,
        dials_before_escalation=1,
        fatal_retry_ms=1,
    ),
    delivery=DeliveryPolicy(
        gap_ms_min=1,
        gap_ms_base=0,
        gap_ms_per_part=0,
        throttle_ms_first=1,
        throttle_ms_max=1,
        throttle_jitter_ms=0,
        throttles_max=1,
        unknown_ms_first=1,
        unknown_ms_max=1,
        unknown_tries_max=2,
        unreached_ms_first=1,
        unreached_ms_max=1,
        forgotten_ms=FOR_EVER_MS,
    ),
    inbox=InboxPolicy(seen_ms=FOR_EVER_MS),
    gateway=GatewayPolicy(
        call_timeout_ms=1,
        send_timeout_ms=1,
        dial_timeout_ms=1,
        hello_timeout_ms=1,
        ready_timeout_ms=1,
        heartbeat_ms_min=1,
        heartbeat_ms_max=2,
        heartbeat_ms=FOR_EVER_MS,
        dials_before_address=1,
        busy_ms=1,
        close_grace_ms=1,
        identify_burst=1,
        identify_gap_ms=1,
        identify_spacing_ms=1,
        doubt_ms=0,
        early_dispatches_max=2,
        resumes_max=1,
    ),
    token=TokenPolicy(
        renew_early_ms=1, renew_ms_min=1, renew_ms_max=1, life_ms=FOR_EVER_MS
    ),
    replies=ReplyPolicy(c2c_window_ms=0, c2c_max=1),
    pushes=PushPolicy(c2c_gap_ms=1, c2c_per_day=0),
)


# A socket that lives long enough for its heart to matter.
BEATING = replace(
    TICKS,
    connection=replace(TICKS.connection, ping_ms=2, ack_intervals_max=2, stable_ms=3),
    gateway=replace(TICKS.gateway, heartbeat_ms=2),
)
# Access tokens that end while they are used.
RENEWING = replace(
    TICKS,
    token=replace(TICKS.token, life_ms=3),
    replies=replace(TICKS.replies, c2c_max=2),
)


def scopes() -> list[Scope]:
    """Return what is explored of QQ."""
    line = Extent(network=True, retries=True)
    heart = Extent(stops=True)
    session = Extent(refusals=True, invalid=True)
    login = Extent(refusals=True, files=True, humans=True)
    token = Extent(denials=True)
    sends = Extent(socket=False, messages_max=2, texts_max=2, parts_max=2)
    denied = Extent(socket=False, denials=True, messages_max=1, texts_max=1)
    message = ("delivery", "inbox")
    return [
        _scope("qq line", "gateway and socket", ("connection", "gateway"), line, TICKS),
        _scope(
            "qq heart", "a living socket", ("connection", "gateway"), heart, BEATING
        ),
        _scope("qq session", "sessions refused", ("session",), session, TICKS),
        _scope("qq login", "the secret", ("session",), login, TICKS),
        _scope("qq token", "access tokens", ("session", "gateway"), token, RENEWING),
        _scope("qq sends", "messages and sends", message, sends, TICKS),
        _scope("qq denied", "sends whose token is refused", message, denied, RENEWING),
    ]


def _scope(
    name: str, about: str, machines: tuple[str, ...], extent: Extent, policy: Policy
) -> Scope:
    begin = QqWorld(BEGIN_MS, extent=extent)
    environment = Environment(begin, qq_moves.moves, qq_orders.obey)
    return Scope(name, about, machines, subject(policy), environment, policy)
