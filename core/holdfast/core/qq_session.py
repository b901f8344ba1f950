"""How a QQ account's session moves: what it loses with it, and what it does then."""

from msgspec.structs import replace

from holdfast.core import session
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.core.qq_account import Qq, Turn
from holdfast.core.qq_seq import Resumption

ACTIVE = session.Phase.ACTIVE


def move_session(
    state: Qq,
    trigger: session.Trigger,
    fact: Fact,
    policy: Policy,
    reason: str = "",
) -> Turn:
    """Move the session; the caller dials when that is due."""
    after, commands = session.step(
        state.session, trigger, fact.at_ms, reason, policy.session
    )
    return replace(state, session=after), commands


def drop_session(state: Qq, said: str, fact: Fact, policy: Policy) -> Turn:
    """Give up a session that cannot be resumed: the login is read, then used again."""
    state = replace(state, resumption=Resumption())
    if state.session.phase is not ACTIVE:
        return state, []
    return move_session(state, session.Trigger.EXPIRE, fact, policy, said)


def refuse_session(state: Qq, said: str, fact: Fact, policy: Policy) -> Turn:
    """Count a session that was refused: read the login, wait, or ask a human."""
    state = replace(state, resumption=Resumption())
    # Every session that is begun is a probe, the first one too.
    tired = state.session.refusals + 1 >= policy.session.probes_before_login
    trigger = session.refusal(state.session, policy.session)
    if tired:
        trigger = session.Trigger.EXHAUST
    return move_session(state, trigger, fact, policy, said)
