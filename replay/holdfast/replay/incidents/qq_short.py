"""A QQ account's times, short enough for a demo: a minute becomes 30 ms."""

from holdfast.core.policy import (
    ConnectionPolicy,
    DeliveryPolicy,
    GatewayPolicy,
    JournalPolicy,
    PushPolicy,
    SessionPolicy,
    TokenPolicy,
)
from holdfast.core.qq import POLICY
from holdfast.replay.world.qq_settings import DAY_MS, Settings

BEAT_MS = 400
SHORT = type(POLICY)(
    session=SessionPolicy(backoff_ms_first=20, backoff_ms_max=60, slow_probe_ms=60),
    connection=ConnectionPolicy(
        backoff_ms_first=5,
        backoff_ms_max=30,
        cooldown_ms=10,
        stable_ms=200,
        ping_ms=200,
        fatal_retry_ms=150,
    ),
    delivery=DeliveryPolicy(
        gap_ms_min=10,
        gap_ms_base=0,
        gap_ms_per_part=0,
        throttle_ms_first=30,
        throttle_ms_max=300,
        throttle_jitter_ms=10,
        unknown_ms_first=50,
        unreached_ms_first=20,
    ),
    gateway=GatewayPolicy(
        call_timeout_ms=1_000,
        send_timeout_ms=1_000,
        dial_timeout_ms=1_000,
        hello_timeout_ms=300,
        ready_timeout_ms=300,
        heartbeat_ms_min=100,
        heartbeat_ms_max=1_000,
        heartbeat_ms=BEAT_MS,
        busy_ms=100,
        close_grace_ms=50,
        identify_gap_ms=60,
        identify_spacing_ms=5,
        doubt_ms=1_000,
    ),
    token=TokenPolicy(renew_ms_min=20, renew_ms_max=100),
    pushes=PushPolicy(c2c_gap_ms=10),
    journal=JournalPolicy(snapshot_facts=100),
)
# The platform counts identifies in 5 s; all of the demo passes in less.
SHORT_SETTINGS = Settings(
    recycle_ms=None,
    resume_ms=DAY_MS,
    heartbeat_interval_ms=BEAT_MS,
    heartbeat_silence_ms=5_000,
    concurrency=1_000,
    gateway_calls_max=None,
)
