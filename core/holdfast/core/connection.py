"""Connection: is the transport up, and when is it dialled again.

On QQ the transport is a socket with its heartbeats; on iLink every answered long poll
is the heartbeat. An account is never silently stopped: while not `fatal` it dials or
waits for a timer, and even `fatal` has a slow timer besides the host's ways out.

Facts of the transport carry the `epoch` of the dial they belong to; one of an older
epoch changes nothing. `current` judges that for polls, `qq_account` for sockets.

Units: every `*_ms` is milliseconds on the journal's clock.
"""

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core.backoff import doubled_ms, full_jitter_ms
from holdfast.core.commands import ClearTimer, Command, Escalate, SetTimer
from holdfast.core.names import Name
from holdfast.core.policy import ConnectionPolicy
from holdfast.core.table import compile_table

RETRY = "connection.retry"
UNREACHABLE = "unreachable"


class Phase(Name):
    """Where the transport stands."""

    RECONNECTING = "reconnecting"  # Dialling, or waiting to.
    CONNECTED = "connected"  # The peer speaks, but confirmed nothing.
    HEARTBEATING = "heartbeating"  # Confirmed alive.
    FATAL = "fatal"  # A human or the host must act; a slow timer goes on.


class Trigger(Name):
    """Why the connection moves."""

    START = "start"
    OPEN = "open"
    CONFIRM = "confirm"
    LOSE = "lose"
    FAIL = "fail"
    RETRY = "retry"


class Connection(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """State of the transport.

    `dialed_ms` is when the dial or poll under way began, 0 when there is none;
    `due_ms` that of the retry timer, 0 when none is set; `confirmed_ms` since when it
    is confirmed; `alive_ms` the last proof of life. `attempt` counts failed dials and
    `strangers` answers that no peer of this platform gives, both in a row and bounded.
    """

    phase: Phase = Phase.RECONNECTING
    since_ms: int = 0
    epoch: int = 0
    dialed_ms: int = 0
    due_ms: int = 0
    confirmed_ms: int = 0
    alive_ms: int = 0
    attempt: int = 0
    strangers: int = 0
    fatal_code: str = ""
    fatal_reason: str = ""


TABLE = compile_table(
    "connection",
    Phase,
    [
        (Trigger.OPEN, Phase.RECONNECTING, Phase.CONNECTED),
        (Trigger.OPEN, Phase.HEARTBEATING, Phase.CONNECTED),
        (Trigger.OPEN, Phase.CONNECTED, Phase.CONNECTED),
        (Trigger.CONFIRM, Phase.RECONNECTING, Phase.HEARTBEATING),
        (Trigger.CONFIRM, Phase.CONNECTED, Phase.HEARTBEATING),
        (Trigger.CONFIRM, Phase.HEARTBEATING, Phase.HEARTBEATING),
        (Trigger.LOSE, Phase.RECONNECTING, Phase.RECONNECTING),
        (Trigger.LOSE, Phase.CONNECTED, Phase.RECONNECTING),
        (Trigger.LOSE, Phase.HEARTBEATING, Phase.RECONNECTING),
        (Trigger.FAIL, Phase.RECONNECTING, Phase.FATAL),
        (Trigger.FAIL, Phase.CONNECTED, Phase.FATAL),
        (Trigger.FAIL, Phase.HEARTBEATING, Phase.FATAL),
        (Trigger.RETRY, Phase.FATAL, Phase.RECONNECTING),
        *((Trigger.START, phase, Phase.RECONNECTING) for phase in Phase),
    ],
    initial=Phase.RECONNECTING,
)


class Cause(Struct, frozen=True, gc=False):
    """When and why: a short code, and the words of the peer or the network.

    `planned`: the peer asked for another dial; `wait_ms`: it wants to be left alone.
    """

    at_ms: int
    code: str = ""
    text: str = ""
    planned: bool = False
    wait_ms: int = 0


# Looked up once: an attribute of an Enum costs more than a comparison (CPython 3.11).
HEARTBEATING = Phase.HEARTBEATING


def current(connection: Connection, epoch: int) -> bool:
    """Say whether a fact of this epoch speaks of the dial that is under way."""
    return epoch == connection.epoch and connection.dialed_ms > 0


def dial(
    connection: Connection, at_ms: int, policy: ConnectionPolicy
) -> tuple[Connection, list[Command]]:
    """Begin the next epoch; the caller emits the poll or the dial itself."""
    after = replace(
        connection,
        epoch=connection.epoch % policy.epoch_max + 1,
        dialed_ms=at_ms,
        due_ms=0,
    )
    return after, [ClearTimer(RETRY)] if connection.due_ms else []


def beat(connection: Connection, at_ms: int, policy: ConnectionPolicy) -> Connection:
    """Confirm, and dial again: what nearly every answered poll does, in one move.

    The dial that was answered had no timer beside it, so there is none to clear.
    """
    if connection.phase is not HEARTBEATING or connection.strangers:
        connection = confirm(connection, at_ms)
    return replace(
        connection,
        epoch=connection.epoch % policy.epoch_max + 1,
        dialed_ms=at_ms,
        alive_ms=at_ms,
    )


def wait(connection: Connection, due_ms: int) -> tuple[Connection, list[Command]]:
    """Let the next dial wait for the timer, without calling anything lost."""
    return replace(connection, dialed_ms=0, due_ms=due_ms), [SetTimer(RETRY, due_ms)]


def step(
    connection: Connection,
    trigger: Trigger,
    cause: Cause,
    seed: int,
    policy: ConnectionPolicy,
) -> tuple[Connection, list[Command]]:
    """Return the next state and what to do; off the table, nothing changes.

    Losing sets the retry timer; on its `TimerFired` the caller dials. After a planned
    end of a stable connection there is none: the caller dials at once.
    """
    at_ms = cause.at_ms
    phase = TABLE.next.get((connection.phase, trigger))
    match trigger:
        case _ if phase is None:
            return connection, []
        case Trigger.CONFIRM:
            return confirm(connection, at_ms), []
        case Trigger.LOSE:
            return _lose(connection, cause, seed, policy)
        case Trigger.FAIL:
            return _fail(connection, cause, policy)
        case Trigger.OPEN:
            since_ms = connection.since_ms if connection.phase is phase else at_ms
            after = replace(
                connection,
                phase=phase,
                since_ms=since_ms,
                alive_ms=at_ms,
                strangers=0,
            )
            return after, []
        case _:
            since_ms = connection.since_ms if connection.phase is phase else at_ms
            epoch, alive_ms = connection.epoch, connection.alive_ms
            return Connection(since_ms=since_ms, epoch=epoch, alive_ms=alive_ms), []


def live(connection: Connection, at_ms: int) -> Connection:
    """Note one more proof of life of a connection that is confirmed, and often is."""
    if connection.phase is HEARTBEATING:
        return replace(connection, alive_ms=at_ms)
    return confirm(connection, at_ms)


def confirm(connection: Connection, at_ms: int) -> Connection:
    """Note a proof of life, where the table allows one."""
    if TABLE.next.get((connection.phase, Trigger.CONFIRM)) is None:
        return connection
    if connection.phase is Phase.HEARTBEATING and not connection.strangers:
        return replace(connection, alive_ms=at_ms)
    return replace(
        connection,
        phase=Phase.HEARTBEATING,
        since_ms=at_ms,
        confirmed_ms=at_ms,
        alive_ms=at_ms,
        strangers=0,
    )


def _lose(
    connection: Connection, cause: Cause, seed: int, policy: ConnectionPolicy
) -> tuple[Connection, list[Command]]:
    at_ms, confirmed_ms = cause.at_ms, connection.confirmed_ms
    stable = confirmed_ms > 0 and at_ms - confirmed_ms >= policy.stable_ms
    attempt = 0 if stable else connection.attempt
    lost = connection.phase is not Phase.RECONNECTING
    since_ms = at_ms if lost else connection.since_ms
    after = replace(
        connection,
        phase=Phase.RECONNECTING,
        since_ms=since_ms,
        dialed_ms=0,
        due_ms=0,
        confirmed_ms=0,
        attempt=0,
    )
    if stable and cause.planned:
        return after, []
    ceiling_ms = doubled_ms(policy.backoff_ms_first, policy.backoff_ms_max, attempt)
    # A count that grows no more would give the same delay for ever.
    most = _attempts_max(policy)
    count = attempt if attempt < most else most + connection.epoch
    delay_ms = full_jitter_ms(ceiling_ms, seed, RETRY, count)
    if attempt:
        delay_ms = max(delay_ms, min(policy.cooldown_ms, policy.backoff_ms_max))
    due_ms = at_ms + max(delay_ms, cause.wait_ms)
    after = replace(after, due_ms=due_ms, attempt=min(attempt + 1, most))
    commands: list[Command] = [SetTimer(RETRY, due_ms)]
    if attempt + 1 == policy.dials_before_escalation:
        commands.append(Escalate(UNREACHABLE, cause.text or cause.code))
    return after, commands


def _attempts_max(policy: ConnectionPolicy) -> int:
    """Return the count from which on neither delay nor escalation changes."""
    doublings = (policy.backoff_ms_max // policy.backoff_ms_first).bit_length()
    return max(policy.dials_before_escalation, doublings)


def _fail(
    connection: Connection, cause: Cause, policy: ConnectionPolicy
) -> tuple[Connection, list[Command]]:
    due_ms = cause.at_ms + policy.fatal_retry_ms
    after = replace(
        connection,
        phase=Phase.FATAL,
        since_ms=cause.at_ms,
        dialed_ms=0,
        due_ms=due_ms,
        confirmed_ms=0,
        fatal_code=cause.code,
        fatal_reason=cause.text,
    )
    return after, [Escalate(cause.code, cause.text), SetTimer(RETRY, due_ms)]
