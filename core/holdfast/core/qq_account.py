"""One QQ account: its state, and what its moves share.

Beside the four machines an account has an access token, which sends need as much as
the socket does; an address and a count of identifies; a socket, of which there is one
at most; and a session that may go on over the next socket.
"""

from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core.account import Account, handles_in, move_connection
from holdfast.core.commands import Command
from holdfast.core.connection import Cause, Trigger
from holdfast.core.events import Fact
from holdfast.core.names import Name
from holdfast.core.outbox import Scene
from holdfast.core.policy import GatewayPolicy, Policy
from holdfast.core.qq_rules import Parting
from holdfast.core.qq_send_rules import terms_of
from holdfast.core.qq_seq import Resumption

RENEW = "token.renew"


class Stage(Name):
    """How far the one dial under way has come."""

    NONE = "none"
    TOKEN = "token"  # noqa: S105 - it waits for an access token.
    ADDRESS = "address"  # It waits for the gateway's address.
    DIALING = "dialing"
    OPEN = "open"  # The peer has not greeted yet.
    IDENTIFYING = "identifying"
    RESUMING = "resuming"
    READY = "ready"


class Token(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """The access token, until when it is good, and when it is asked for again.

    `due_ms` is that of the timer, 0 when none is set; `tries` counts the calls in a row
    that brought nothing new, up to a bound. `refused` is a token that the peer did not
    take at `refused_ms`, though it hands it out.
    """

    handle: str = ""
    until_ms: int = 0
    asked: bool = False
    due_ms: int = 0
    tries: int = 0
    refused: str = ""
    refused_ms: int = 0


class Gateway(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """Where the gateway is, and what is left to identify.

    `failed` counts dials since the address was fetched. `remaining` is what the peer
    said less what was used since, until `reset_ms`; None when it is not known.
    `identified_ms` is the last identify, `paced_ms` when the burst is whole again.
    """

    url: str = ""
    failed: int = 0
    remaining: int | None = None
    reset_ms: int = 0
    concurrency: int = 1
    identified_ms: int = 0
    paced_ms: int = 0


class Socket(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """The one socket, or the way to it; times of timers are 0 when none is set.

    `closing`: we have asked for its end. `parting`: why it is about to end. `pinged`:
    a ping is unanswered.
    """

    stage: Stage = Stage.NONE
    closing: bool = False
    parting: Parting | None = None
    interval_ms: int = 0
    pinged: bool = False
    deadline_ms: int = 0
    beat_ms: int = 0
    ack_ms: int = 0
    ping_ms: int = 0


class Qq(Account, frozen=True, gc=False):
    """Everything remembered about one QQ account.

    `denials` counts access tokens refused in a row, up to a bound; `last_code` is that
    of the last close; `lost_ms` when a confirmed connection was lost last; `denied_ms`
    when a token was dropped because a send was refused with it.
    """

    token: Token = Token()
    gateway: Gateway = Gateway()
    socket: Socket = Socket()
    resumption: Resumption = Resumption()
    denials: int = 0
    last_code: int | None = None
    lost_ms: int = 0
    denied_ms: int = 0


Turn = tuple[Qq, list[Command]]

# Looked up once: an attribute of an Enum costs more than a comparison (CPython 3.11).
NONE, READY = Stage.NONE, Stage.READY
OPENED = (Stage.OPEN, Stage.IDENTIFYING, Stage.RESUMING, READY)


def live_handles(state: Qq) -> tuple[str, ...]:
    """Return the vault handles that may still be needed; all others may expire."""
    own = (state.resumption.session, *handles_in(state.outbox))
    return tuple(filter(None, own))


def current(state: Qq, epoch: int) -> bool:
    """Say whether a fact of this epoch speaks of the dial that is under way."""
    return epoch == state.connection.epoch and state.socket.stage is not NONE


def usable_token(state: Qq, at_ms: int) -> str:
    """Return the access token's handle while it is good, else nothing."""
    return state.token.handle if at_ms < state.token.until_ms else ""


def scene(state: Qq, fact: Fact, policy: Policy) -> Scene:
    """Gather what the moves of messages need beside outbox and inbox."""
    return Scene(
        fact.at_ms,
        state.seed,
        usable_token(state, fact.at_ms),
        policy.gateway.send_timeout_ms,
        policy.delivery,
        policy.inbox,
        partial(terms_of, policy=policy),
        state.connection.epoch,
    )


def lose(state: Qq, cause: Cause, policy: Policy) -> Turn:
    """End the dial under way; the caller dials again when no timer was set."""
    state = replace(state, socket=Socket())
    return move_connection(state, Trigger.LOSE, cause, policy)


def fail(state: Qq, cause: Cause, policy: Policy) -> Turn:
    """Give up until a human acts, a slow timer fires or another login comes."""
    return move_connection(state, Trigger.FAIL, cause, policy)


def identify_ms(gateway: Gateway, at_ms: int, policy: GatewayPolicy) -> int:
    """Return from when on the next session may be begun (3).

    `identify_burst` at once and then one per `identify_gap_ms`, whatever goes wrong, so
    that no loop can spend a day's quota; and what the peer itself says is left.
    """
    spacing_ms = policy.identify_spacing_ms // max(1, gateway.concurrency)
    spaced_ms = gateway.identified_ms + spacing_ms if gateway.identified_ms else 0
    burst_ms = (policy.identify_burst - 1) * policy.identify_gap_ms
    out = gateway.remaining is not None and gateway.remaining <= 0
    spent = out and at_ms < gateway.reset_ms
    return max(spaced_ms, gateway.paced_ms - burst_ms, gateway.reset_ms if spent else 0)


def identified(gateway: Gateway, at_ms: int, policy: GatewayPolicy) -> Gateway:
    """Count one more session."""
    known = gateway.remaining is not None and at_ms < gateway.reset_ms
    left = max(0, (gateway.remaining or 0) - 1) if known else None
    paced_ms = max(gateway.paced_ms, at_ms) + policy.identify_gap_ms
    return replace(gateway, remaining=left, identified_ms=at_ms, paced_ms=paced_ms)
