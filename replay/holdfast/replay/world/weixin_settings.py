"""Every number and habit of the simulated Weixin peer that a test may want to change.

The defaults are the healthy model of the protocol sheet (section 18). Units are the
last part of a name.
"""

from typing import Literal

from msgspec import Struct

HOUR_MS = 3_600_000
BOT_ID = "b1c2d3e4f5a6@im.bot"  # Invented, like every id here.


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """What the peer checks in a request; each breach lands in `Peer.violations`.

    A breach is answered with HTTP 400, except where the sheet names a code. A check
    that is off is not made at all.
    """

    app_headers: bool = True  # Missing: -14 at once (section 2.1, disputed there).
    authorization_type: bool = True
    content_type: bool = True
    wechat_uin: bool = True  # base64 of a decimal uint32 (section 2.1).
    base_info: bool = True
    client_id: bool = True
    from_user_id: bool = True  # Outbound it is present and empty (section 6).
    one_item: bool = True  # Exactly one item per send (section 6).
    context_known: bool = False  # Off: a forged token was delivered live (K2).

    @classmethod
    def off(cls) -> "Strict":
        """Return the peer that takes anything."""
        return cls(**dict.fromkeys(cls.__struct_fields__, False))


class Burst(Struct, frozen=True, forbid_unknown_fields=True):
    """The burst rule: one send too many within a span shuts the bot up (S11)."""

    sends_max: int = 2
    within_ms: int = 1_000
    penalty_ms: int = HOUR_MS
    tries_prolong: bool = True


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the peer behaves when nothing is broken."""

    token: str = f"{BOT_ID}:0600dd44ee55ff66"
    bot_id: str = BOT_ID

    hold_ms: int = 35_000  # Section 11.
    hint_ms: int | None = 35_000  # `longpolling_timeout_ms`; None leaves it out.
    batch_max: int | None = None  # Messages in one answer; None is all of them.
    # cursor: all after the request's cursor. hand_out: gone once handed out (S1).
    consume: Literal["cursor", "hand_out"] = "cursor"
    # Which of parallel polls gets the messages; evict: a new poll ends an older one
    # with -14 (S12).
    parallel: Literal["first", "last", "evict"] = "first"

    needs_inbound: bool = True  # S8.
    budget: int | None = 10  # Accepted sends per inbound message (S9); None: no limit.
    day_budget: int | None = None  # Accepted sends per 24 h (K4).
    window_ms: int | None = 24 * HOUR_MS  # Since the user's last message (S10).
    burst: Burst | None = None  # S11.
    text_max: int = 6_000  # Code points; 5000 passed, 7337 did not (section 13).
    refusal_text: str | None = "prepare failed"  # What -2 says (section 12.1).
    dedupe_client_id: bool = False  # Not established (section 20).
    first_reply_only: bool = False  # Sends that lack fields: `{}`, one shown (F19).
    ticket_ms: int | None = None  # Life of a typing ticket; None: for ever.

    strict: Strict = Strict()
    log_max: int = 10_000  # Requests kept in the log, the newest.
