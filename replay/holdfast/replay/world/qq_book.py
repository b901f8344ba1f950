"""What the platform keeps books on: access tokens and the start quota (2 and 3)."""

from msgspec.structs import replace

from holdfast.replay.world.qq_faults import Token
from holdfast.replay.world.qq_settings import DAY_MS, MINUTE_MS
from holdfast.replay.world.qq_state import Issued, Peer, accuse, make
from holdfast.replay.world.qq_strike import strike_first
from holdfast.replay.world.qq_wire import Call, Draft, refusal
from holdfast.replay.world.wire import Json

SPAN_MS = 5_000  # Of `concurrency`.
TOKENS_MAX = 4
TOO_MANY_CALLS = 100017
WRONG_SECRET = 100016


def get_token(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Draft]:
    """Return the token that is good now; only in its last minute a new one."""
    given = call.fields.get("appId"), call.fields.get("clientSecret")
    if given != (peer.settings.app_id, peer.settings.secret):
        words = {"code": WRONG_SECRET, "message": "invalid appid or secret"}
        return peer, Draft(words)
    peer, sticky = strike_first(peer, at_ms, Token, lambda one: one.kind == "sticky")
    good = [issued for issued in peer.tokens if issued.is_good(at_ms)]
    renewal_ms = 0 if sticky else peer.settings.token_renewal_ms
    if not good or good[-1].until_ms - at_ms <= renewal_ms:
        peer, made = make(peer)
        until_ms = at_ms + peer.settings.token_life_ms
        good = [*good, Issued(f"EXAMPLETOKEN{made}", at_ms, until_ms)]
        counts = replace(peer.counts, tokens=peer.counts.tokens + 1)
        peer = replace(peer, tokens=tuple(good[-TOKENS_MAX:]), counts=counts)
    left_s = (good[-1].until_ms - at_ms) // 1_000
    return peer, Draft({"access_token": good[-1].token, "expires_in": str(left_s)})


def is_good_token(peer: Peer, at_ms: int, given: str) -> bool:
    """Return whether a token, with or without its scheme, is honoured."""
    token = given.removeprefix("QQBot ")
    return any(one.token == token and one.is_good(at_ms) for one in peer.tokens)


def kill_tokens(peer: Peer) -> Peer:
    """Let every token issued so far be dead, although it is not expired."""
    dead = tuple(replace(issued, dead=True) for issued in peer.tokens)
    return replace(peer, tokens=dead)


def check_token(peer: Peer, at_ms: int, call: Call, number: int) -> Draft | None:
    """Return the refusal of a call without a good token; None: it may go on."""
    given = call.headers.get("authorization", "")
    if not given:
        return refusal(number, 11241, status=401, words="no authorization")
    if given.startswith("Bot "):
        return refusal(number, 11245, status=401, words="static token is retired")
    if not given.startswith("QQBot "):
        return refusal(number, 11242, status=401, words="check failed")
    if is_good_token(peer, at_ms, given):
        return None
    code = peer.settings.token_refusal
    return refusal(number, code, status=401, words="token not exist or expire")


def get_gateway(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Draft]:
    """Return the WebSocket address, and for a bot its start quota as well."""
    calls = tuple(ms for ms in peer.gateway_ms if ms > at_ms - MINUTE_MS)
    calls_max = peer.settings.gateway_calls_max
    if calls_max is not None:
        if len(calls) >= calls_max:
            words = "request frequency limit"
            return peer, refusal(call.number, TOO_MANY_CALLS, words=words)
        peer = replace(peer, gateway_ms=(*calls, at_ms))
    fields: Json = {"url": peer.settings.address}
    if call.endpoint == "gateway_bot":
        peer = refill(peer, at_ms)
        limit = {
            "total": peer.settings.quota,
            "remaining": peer.quota_left,
            "reset_after": peer.quota_reset_ms - at_ms,
            "max_concurrency": peer.settings.concurrency,
        }
        shards = peer.settings.shards
        fields |= {"shards": shards, "session_start_limit": limit}
    return peer, Draft(fields)


def refill(peer: Peer, at_ms: int) -> Peer:
    """Reset the start quota when its day is over."""
    if at_ms < peer.quota_reset_ms:
        return peer
    reset_ms = at_ms + DAY_MS
    return replace(peer, quota_left=peer.settings.quota, quota_reset_ms=reset_ms)


def take_start(peer: Peer, at_ms: int) -> tuple[Peer, bool]:
    """Count an Identify; return False when none was left."""
    peer = refill(peer, at_ms)
    recent = tuple(ms for ms in peer.identified_ms if ms > at_ms - SPAN_MS)
    if len(recent) >= peer.settings.concurrency and peer.settings.strict.concurrency:
        peer = accuse(peer, f"more than {len(recent)} Identify in 5 s at {at_ms}")
    peer = replace(peer, identified_ms=(*recent, at_ms))
    if peer.quota_left:
        return replace(peer, quota_left=peer.quota_left - 1), True
    if peer.settings.strict.quota:
        peer = accuse(peer, f"Identify beyond the start quota at {at_ms}")
    return peer, False
