"""What a test or a script does to the platform behind the client's back.

Every function takes a peer and the time and returns the peer afterwards. What comes of
it on the sockets waits for `collect`.
"""

from msgspec.structs import replace

from holdfast.replay.world.qq_book import kill_tokens
from holdfast.replay.world.qq_dispatch import happen
from holdfast.replay.world.qq_faults import AnyFault, Freeze, Script
from holdfast.replay.world.qq_outs import end
from holdfast.replay.world.qq_say import Event, Say
from holdfast.replay.world.qq_settings import DAY_MS, Settings
from holdfast.replay.world.qq_state import Armed, Later, Peer
from holdfast.replay.world.qq_time import tick


def new_qq(
    settings: Settings | None = None, *, at_ms: int = 0, script: Script | None = None
) -> Peer:
    """Return a healthy platform that starts now, with the script armed.

    Without `settings`, the script's are taken, or the defaults.
    """
    script = script or Script()
    chosen = settings or script.settings or Settings()
    quota_reset_ms = at_ms + DAY_MS
    peer = Peer(chosen, at_ms, quota_left=chosen.quota, quota_reset_ms=quota_reset_ms)
    return load(peer, at_ms, script)


def load(peer: Peer, at_ms: int, script: Script) -> Peer:
    """Arm a script's faults and plan its events, all counted from now."""
    for fault in script.faults:
        peer = arm(peer, at_ms, fault)
    plans: list[Say | Event] = [*script.says, *script.events]
    planned = tuple(Later(at_ms + plan.after_ms, plan) for plan in plans)
    return tick(replace(peer, later=peer.later + planned), at_ms)


def say(peer: Peer, at_ms: int, said: Say) -> Peer:
    """Let a user write to the bot now; `after_ms` is for scripts."""
    return tick(happen(tick(peer, at_ms), at_ms, said), at_ms)


def event(peer: Peer, at_ms: int, given: Event) -> Peer:
    """Let any other event happen now."""
    return tick(happen(tick(peer, at_ms), at_ms, given), at_ms)


def arm(peer: Peer, at_ms: int, fault: AnyFault) -> Peer:
    """Put a fault on the clock; its `from_ms` and `to_ms` count from now."""
    return tick(replace(peer, armed=(*peer.armed, Armed(fault, at_ms))), at_ms)


def heal(peer: Peer, at_ms: int, kind: type[AnyFault] | None = None) -> Peer:
    """Take the faults of one type off the clock; None: all of them.

    What they have done stays: a half-open socket does not speak again.
    """
    peer = tick(peer, at_ms)
    gone = object if kind is None else kind
    left = tuple(one for one in peer.armed if not isinstance(one.fault, gone))
    thawed = gone is object or gone is Freeze
    frozen_ms = min(peer.frozen_ms, at_ms) if thawed else peer.frozen_ms
    return replace(peer, armed=left, frozen_ms=frozen_ms)


def drop_tokens(peer: Peer, at_ms: int) -> Peer:
    """Let all access tokens issued so far be dead."""
    return kill_tokens(tick(peer, at_ms))


def drop_sessions(peer: Peer, at_ms: int) -> Peer:
    """Forget every session, so that no Resume succeeds; sockets stay as they are."""
    return replace(tick(peer, at_ms), sessions={})


def close(peer: Peer, at_ms: int, code: int) -> Peer:
    """Close every socket now with this code."""
    peer = tick(peer, at_ms)
    for number in [*peer.sockets]:
        peer = end(peer, at_ms, number, code)
    return peer
