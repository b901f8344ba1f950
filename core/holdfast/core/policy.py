"""Every tunable number, with its unit, default and source; part of each recording.

A policy is data: two recordings of one incident under different policies can be
compared, and a replay always uses the policy that the recording carries. Sources are
sections of the platform's protocol notes (docs/weixin-ilink.md, docs/qq-bot.md) or the
ADR that chose.
"""

from typing import Annotated

from msgspec import Meta, Struct

Millis = Annotated[int, Meta(ge=0, le=366 * 86_400_000)]
Positive = Annotated[int, Meta(ge=1, le=366 * 86_400_000)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class SessionPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """How a refused login is probed."""

    # Wait after a refused probe: doubled each round, 5 minutes at most, for ever.
    backoff_ms_first: Positive = 5_000
    backoff_ms_max: Positive = 300_000
    # Refused probes before a human is asked to log in; slow probes go on.
    probes_before_login: Annotated[int, Meta(ge=1, le=100)] = 3
    slow_probe_ms: Positive = 300_000
    # An unanswered probe says nothing about the login; after so many, ask the poll.
    unanswered_probes_max: Annotated[int, Meta(ge=1, le=100)] = 3


class ConnectionPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """How a lost transport is redialled."""

    # Full jitter under a doubling ceiling.
    backoff_ms_first: Positive = 1_000
    backoff_ms_max: Positive = 60_000
    # The least wait after a reconnect that failed (not after a first loss).
    cooldown_ms: Millis = 15_000
    # How long a confirmed connection must stay up before the count starts again.
    stable_ms: Millis = 60_000
    # The far end is pinged so often; two pings without an answer, and it is gone.
    ping_ms: Positive = 20_000
    # Heartbeat intervals since the last ACK after which the socket is dead.
    ack_intervals_max: Annotated[int, Meta(ge=1, le=100)] = 2
    # Failed dials in a row before the host is told; dialling goes on.
    dials_before_escalation: Annotated[int, Meta(ge=1, le=1_000)] = 5
    # Answers in a row that no peer of this platform gives: the address is wrong.
    strangers_before_fatal: Annotated[int, Meta(ge=1, le=1_000)] = 5
    # The slow timer that leads out of fatal without anybody's help.
    fatal_retry_ms: Positive = 300_000
    # Epochs wrap here, so that the state space stays finite.
    epoch_max: Annotated[int, Meta(ge=2, le=1_000_000_000)] = 1_000_000


class DeliveryPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """How parts are paced, retried and held."""

    # Gap between sends: max(gap_ms_min, gap_ms_base + gap_ms_per_part x parts).
    # Bursts are punished for an hour (S11); 1.5 s is the pace others survive on.
    gap_ms_min: Millis = 1_500
    gap_ms_base: Millis = 2_000
    gap_ms_per_part: Millis = 300
    # A throttled part waits 3 s x 2^n plus jitter, 60 s at most, then is parked.
    throttle_ms_first: Positive = 3_000
    throttle_ms_max: Positive = 60_000
    throttle_jitter_ms: Millis = 2_000
    throttles_max: Annotated[int, Meta(ge=0, le=1_000)] = 6
    # A part whose fate is unknown is sent again with the same id, a few times.
    unknown_ms_first: Positive = 2_000
    unknown_ms_max: Positive = 30_000
    unknown_tries_max: Annotated[int, Meta(ge=1, le=1_000)] = 4
    # A part that never left waits for the network, for ever.
    unreached_ms_first: Positive = 1_000
    unreached_ms_max: Positive = 30_000
    # Sends per inbound message (S9) and how long after it (S10); 0: no limit.
    budget: Count = 10
    window_ms: Millis = 86_400_000
    # One host key means one delivery for so long.
    key_ms: Millis = 86_400_000
    # A refused context token stays refused, whoever shows it again.
    forgotten_ms: Millis = 7 * 86_400_000
    forgotten_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    # Peers remembered; of more, those that wrote longest ago are forgotten.
    peers_max: Annotated[int, Meta(ge=2, le=1_000_000)] = 10_000
    # More unfinished parts than this are refused at once, with words.
    outbox_parts_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 2_000
    # Text of one part: 5,000 code points were accepted, 7,337 refused (section 13).
    text_points_max: Annotated[int, Meta(ge=1, le=100_000)] = 2_000
    text_bytes_max: Annotated[int, Meta(ge=4, le=400_000)] = 4_000
    # True: -2 on a send that carried a context token means that the token is dead.
    # False: it is a throttle like -2 without one (docs/adr/0003).
    refusal_blames_context: bool = True


class InboxPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """How long and how many messages are remembered as seen (S5)."""

    seen_ms: Millis = 86_400_000
    seen_max: Annotated[int, Meta(ge=1, le=10_000_000)] = 20_000


class PollPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """The long poll and the small calls beside it (section 11)."""

    # What the peer holds a poll when it gives no hint; hints are clamped.
    hold_ms: Positive = 35_000
    hold_ms_min: Positive = 5_000
    hold_ms_max: Positive = 120_000
    # The deadline is hold + grace: an answer just after the hold must not be cut.
    grace_ms: Millis = 10_000
    # The least time from one poll to the next when nothing came (W7, W8).
    interval_ms_min: Millis = 1_000
    notify_timeout_ms: Positive = 10_000
    send_timeout_ms: Positive = 15_000


class GatewayPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """The socket, and what must be asked before it is dialled (docs/qq-bot.md)."""

    # What is asked for, and which share of it: bits of section 5, shard of how many.
    intents: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 1 << 25
    shard: Annotated[int, Meta(ge=0, le=10_000)] = 0
    shards: Annotated[int, Meta(ge=1, le=10_000)] = 1
    call_timeout_ms: Positive = 10_000
    # Clients of the platform wait 30 s for the answer to a send, and it asks for 5.
    send_timeout_ms: Positive = 30_000
    dial_timeout_ms: Positive = 15_000
    hello_timeout_ms: Positive = 10_000
    ready_timeout_ms: Positive = 30_000
    # Intervals outside these bounds are replaced by what production says (4).
    heartbeat_ms_min: Positive = 5_000
    heartbeat_ms_max: Positive = 120_000
    heartbeat_ms: Positive = 41_250
    # The call for the address is limited: it is made again after so many failed dials.
    dials_before_address: Annotated[int, Meta(ge=1, le=1_000)] = 3
    # How long to leave alone what was asked too often (100001, 100017, 4008).
    busy_ms: Positive = 60_000
    # op 9 and the close that may follow are one failure (6).
    close_grace_ms: Positive = 1_000
    resumes_max: Annotated[int, Meta(ge=1, le=100)] = 2
    # 1,000 identifies a day are one in 86.4 s: a burst, then one in two minutes, which
    # no loop can turn into more than 740 a day; never two within 5 s (3).
    identify_burst: Annotated[int, Meta(ge=1, le=100)] = 20
    identify_gap_ms: Positive = 120_000
    identify_spacing_ms: Positive = 5_000
    # Dispatches that came early wait for a gap before them, so many of them (4).
    early_dispatches_max: Annotated[int, Meta(ge=1, le=1_000)] = 32
    # An answer so soon after a lost connection may never be shown (7).
    doubt_ms: Millis = 150_000


class TokenPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """When an access token is renewed (docs/qq-bot.md, 2)."""

    renew_early_ms: Millis = 45_000
    renew_ms_min: Positive = 5_000
    renew_ms_max: Positive = 60_000
    # What is assumed when the peer does not say how long a token lives.
    life_ms: Positive = 300_000


class ReplyPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """Answers to one message: how long after it, and how many; 0: no limit (12)."""

    c2c_window_ms: Millis = 3_600_000
    c2c_max: Count = 4
    group_window_ms: Millis = 300_000
    group_max: Count = 5
    guild_window_ms: Millis = 300_000
    guild_max: Count = 0
    dm_window_ms: Millis = 300_000
    dm_max: Count = 0


class PushPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """Messages that answer nothing: how far apart and how many a day per peer (12)."""

    c2c_gap_ms: Millis = 3_000
    c2c_per_day: Count = 1_000
    group_gap_ms: Millis = 3_000
    group_per_day: Count = 1_000
    guild_gap_ms: Millis = 1_000
    guild_per_day: Count = 20
    dm_gap_ms: Millis = 1_000
    dm_per_day: Count = 2


class JournalPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """What the shell keeps; no reducer reads it."""

    snapshot_facts: Annotated[int, Meta(ge=1, le=10_000_000)] = 1_000
    retention_ms: Positive = 30 * 86_400_000
    retention_bytes: Annotated[int, Meta(ge=1_000_000)] = 2_000_000_000


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """All numbers of one account."""

    session: SessionPolicy = SessionPolicy()
    connection: ConnectionPolicy = ConnectionPolicy()
    delivery: DeliveryPolicy = DeliveryPolicy()
    inbox: InboxPolicy = InboxPolicy()
    poll: PollPolicy = PollPolicy()
    gateway: GatewayPolicy = GatewayPolicy()
    token: TokenPolicy = TokenPolicy()
    replies: ReplyPolicy = ReplyPolicy()
    pushes: PushPolicy = PushPolicy()
    journal: JournalPolicy = JournalPolicy()
