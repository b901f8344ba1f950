"""Session: is our standing with the peer good, and what to do when it is not.

A refused login may be honoured again, and a human may replace it on disk, so it is
never given up: it is reloaded at once, probed with growing pauses, and after a few
refusals a human is asked while slow probes go on for ever. Losing the transport is not
this machine's business, and sending never asks it for permission.

How a probe is made differs by platform: the account reducer sends it whenever this
machine enters `recovering`. Units: every `*_ms` is milliseconds on the journal's clock.
"""

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core.backoff import doubled_ms
from holdfast.core.commands import (
    ClearTimer,
    Command,
    Escalate,
    ReloadCredentials,
    SetTimer,
)
from holdfast.core.names import Name
from holdfast.core.policy import SessionPolicy
from holdfast.core.table import compile_table

RETRY = "session.retry"
NEEDS_LOGIN = "needs_login"


class Phase(Name):
    """Where the session stands."""

    ACTIVE = "active"
    EXPIRED = "expired"  # The login is being read again, or a human is awaited.
    RECOVERING = "recovering"  # A probe is under way.
    BACKOFF = "backoff"  # The next probe waits for its timer.


class Trigger(Name):
    """Why the session moves."""

    START = "start"
    EXPIRE = "expire"  # Refused for the first time since it last worked.
    REFUSE = "refuse"  # Refused again.
    EXHAUST = "exhaust"  # Refused once too often: a human is asked.
    UNANSWERED = "unanswered"
    ACCEPT = "accept"  # A probe was not refused.
    SUCCEED = "succeed"  # A poll was answered: the login works.
    LOAD = "load"  # The same login was read again.
    LOGIN = "login"  # Another login was read.
    MISS = "miss"  # No login could be read.
    RELOAD = "reload"  # Time to look for a login again.
    THROTTLE = "throttle"  # The peer wants no probe before a certain time.
    DUE = "due"


class Session(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """State: the phase, and what was refused or left unanswered since a success.

    `refusals` counts the first refusal and the refused probes, up to one more than
    `probes_before_login`. `due_ms` is that of the retry timer, 0 when none is set.
    `missing`: no login could be read last; `credential` then is the last one that was,
    and what is sent still carries it.
    """

    phase: Phase = Phase.EXPIRED
    since_ms: int = 0
    refusals: int = 0
    unanswered: int = 0
    due_ms: int = 0
    credential: str = ""
    missing: bool = False
    needs_login: bool = False


TABLE = compile_table(
    "session",
    Phase,
    [
        (Trigger.SUCCEED, Phase.ACTIVE, Phase.ACTIVE),
        (Trigger.EXPIRE, Phase.ACTIVE, Phase.EXPIRED),
        (Trigger.REFUSE, Phase.ACTIVE, Phase.BACKOFF),
        (Trigger.EXHAUST, Phase.ACTIVE, Phase.EXPIRED),
        (Trigger.LOAD, Phase.EXPIRED, Phase.RECOVERING),
        (Trigger.DUE, Phase.EXPIRED, Phase.RECOVERING),
        (Trigger.MISS, Phase.EXPIRED, Phase.EXPIRED),
        (Trigger.RELOAD, Phase.EXPIRED, Phase.EXPIRED),
        (Trigger.ACCEPT, Phase.RECOVERING, Phase.ACTIVE),
        (Trigger.REFUSE, Phase.RECOVERING, Phase.BACKOFF),
        (Trigger.UNANSWERED, Phase.RECOVERING, Phase.BACKOFF),
        (Trigger.EXHAUST, Phase.RECOVERING, Phase.EXPIRED),
        (Trigger.DUE, Phase.BACKOFF, Phase.RECOVERING),
        (Trigger.THROTTLE, Phase.ACTIVE, Phase.BACKOFF),
        (Trigger.THROTTLE, Phase.RECOVERING, Phase.BACKOFF),
        # A poll that was under way when a send was refused may still succeed.
        (Trigger.SUCCEED, Phase.EXPIRED, Phase.ACTIVE),
        (Trigger.SUCCEED, Phase.RECOVERING, Phase.ACTIVE),
        (Trigger.SUCCEED, Phase.BACKOFF, Phase.ACTIVE),
        *((Trigger.LOGIN, phase, Phase.RECOVERING) for phase in Phase),
        *((Trigger.START, phase, Phase.EXPIRED) for phase in Phase),
    ],
    initial=Phase.EXPIRED,
)


# Looked up once: an attribute of an Enum costs more than a comparison (CPython 3.11).
ACTIVE = Phase.ACTIVE


def step(
    session: Session, trigger: Trigger, at_ms: int, reason: str, policy: SessionPolicy
) -> tuple[Session, list[Command]]:
    """Return the next state and what to do; off the table, nothing changes.

    `reason` is the peer's own words for what happened; it goes into an escalation.
    The caller probes when the phase became `recovering`, and polls when it became
    `active`.
    """
    phase = TABLE.next.get((session.phase, trigger))
    match phase:
        case None:
            return session, []
        case Phase.ACTIVE:
            return _activate(session, trigger, at_ms)
        case Phase.BACKOFF:
            return _back_off(session, trigger, at_ms, policy)
        case Phase.EXPIRED if trigger in (Trigger.EXHAUST, Trigger.MISS):
            return _ask_for_login(session, trigger, at_ms, reason, policy)
        case _:
            fresh = trigger in (Trigger.START, Trigger.LOGIN)
            first = trigger is Trigger.EXPIRE
            after = replace(
                session,
                phase=phase,
                since_ms=_since(session, phase, at_ms),
                due_ms=0,
                # A platform may drop a session that it gave, again and again: no login
                # was refused then, so only the first one counts.
                refusals=0 if fresh else max(session.refusals, int(first)),
                unanswered=0 if fresh else session.unanswered,
                # Logins live in memory: a new process has none before it read one.
                credential="" if trigger is Trigger.START else session.credential,
                missing=False,
                needs_login=session.needs_login and not fresh,
            )
            reload = [ReloadCredentials()] if phase is Phase.EXPIRED else []
            return after, [*_unset(session, trigger), *reload]


def hold(session: Session, at_ms: int, due_ms: int) -> tuple[Session, list[Command]]:
    """Wait until the peer takes a probe again; nothing is counted against the login."""
    phase = TABLE.next.get((session.phase, Trigger.THROTTLE))
    if phase is None:
        return session, []
    since_ms = _since(session, phase, at_ms)
    after = replace(session, phase=phase, since_ms=since_ms, due_ms=due_ms)
    return after, [SetTimer(RETRY, due_ms)]


def doubted(session: Session) -> bool:
    """Say whether a success would change anything."""
    return (
        session.phase is not ACTIVE
        or session.refusals > 0
        or session.unanswered > 0
        or session.needs_login
    )


def refusal(session: Session, policy: SessionPolicy) -> Trigger:
    """Say which trigger a refused login is, given what was refused before."""
    if session.phase is Phase.ACTIVE and not session.refusals:
        return Trigger.EXPIRE
    # The first refusal was no probe: a login is asked for after 1 + probes refusals.
    tired = session.refusals >= policy.probes_before_login
    return Trigger.EXHAUST if tired else Trigger.REFUSE


def silence(session: Session, policy: SessionPolicy) -> Trigger:
    """Say which trigger an unanswered probe is.

    A peer without a working probe call must not lock us out, so after a few silent
    probes the poll itself is asked.
    """
    patient = session.unanswered + 1 < policy.unanswered_probes_max
    return Trigger.UNANSWERED if patient else Trigger.ACCEPT


def _activate(
    session: Session, trigger: Trigger, at_ms: int
) -> tuple[Session, list[Command]]:
    won = trigger is Trigger.SUCCEED
    if won and not doubted(session):
        return session, []
    after = Session(
        phase=Phase.ACTIVE,
        since_ms=_since(session, Phase.ACTIVE, at_ms),
        refusals=0 if won else session.refusals,
        unanswered=0 if won else session.unanswered,
        credential=session.credential,
        needs_login=session.needs_login and not won,
    )
    return after, _unset(session, trigger)


def _back_off(
    session: Session, trigger: Trigger, at_ms: int, policy: SessionPolicy
) -> tuple[Session, list[Command]]:
    refused = trigger is Trigger.REFUSE
    # The first refusal led to a probe at once, so it has no pause of its own.
    rounds = max(0, session.refusals - 1) + session.unanswered
    due_ms = at_ms + doubled_ms(policy.backoff_ms_first, policy.backoff_ms_max, rounds)
    after = replace(
        session,
        phase=Phase.BACKOFF,
        since_ms=_since(session, Phase.BACKOFF, at_ms),
        refusals=session.refusals + refused,
        unanswered=min(
            session.unanswered + (not refused), policy.unanswered_probes_max
        ),
        due_ms=due_ms,
    )
    return after, [SetTimer(RETRY, due_ms)]


def _ask_for_login(
    session: Session, trigger: Trigger, at_ms: int, reason: str, policy: SessionPolicy
) -> tuple[Session, list[Command]]:
    due_ms = at_ms + policy.slow_probe_ms
    exhausted = trigger is Trigger.EXHAUST
    after = replace(
        session,
        phase=Phase.EXPIRED,
        since_ms=_since(session, Phase.EXPIRED, at_ms),
        refusals=policy.probes_before_login + 1 if exhausted else session.refusals,
        missing=not exhausted,
        due_ms=due_ms,
        needs_login=True,
    )
    timer = SetTimer(RETRY, due_ms)
    told = session.needs_login
    return after, [timer] if told else [Escalate(NEEDS_LOGIN, reason), timer]


def _since(session: Session, phase: Phase, at_ms: int) -> int:
    return session.since_ms if session.phase is phase else at_ms


def _unset(session: Session, trigger: Trigger) -> list[Command]:
    """Drop the retry timer that this move leaves behind."""
    gone = trigger in (Trigger.DUE, Trigger.RELOAD, Trigger.START)
    return [ClearTimer(RETRY)] if session.due_ms and not gone else []
