"""The access token: asked for when something needs it, dropped when it is refused.

Sends need one whether there is a socket or not, and a dial that finds none waits for
it. One call is under way at most.
"""

from msgspec.structs import replace

from holdfast.core.backoff import doubled_ms
from holdfast.core.commands import ClearTimer, Command, FetchToken, SetTimer
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.core.qq_account import RENEW, Qq, Token, Turn, usable_token
from holdfast.core.qq_events import TokenAnswered
from holdfast.core.qq_rules import token_life_ms

TRIES_MAX = 20


def fetch_token(state: Qq, policy: Policy) -> Turn:
    """Ask for an access token, unless the call is under way."""
    token, credential = state.token, state.session.credential
    if token.asked or not credential or state.stopping:
        return state, []
    state = replace(state, token=replace(token, asked=True, due_ms=0))
    commands: list[Command] = [ClearTimer(RENEW)] if token.due_ms else []
    limit_ms = policy.gateway.call_timeout_ms
    return state, [*commands, FetchToken(credential, limit_ms)]


def want_token(state: Qq, fact: Fact, policy: Policy) -> Turn:
    """Ask for a token that sends wait for, whatever the socket does."""
    waiting = state.outbox.queues and not state.stopping and not state.token.due_ms
    if not waiting or usable_token(state, fact.at_ms):
        return state, []
    return fetch_token(state, policy)


def drop_token(state: Qq, refused_ms: int = 0) -> Turn:
    """Use this access token no more; one that was refused, not for a while either.

    The peer hands out the same text again for as long as it thinks that it is good.
    """
    old = state.token
    commands: list[Command] = [ClearTimer(RENEW)] if old.due_ms else []
    token = Token(asked=old.asked, tries=old.tries)
    if refused_ms and old.handle:
        token = replace(token, refused=old.handle, refused_ms=refused_ms)
    return replace(state, token=token), commands


def refused_lately(state: Qq, event: TokenAnswered, fact: Fact, policy: Policy) -> bool:
    """Say whether the peer hands out a token that it has just refused."""
    token = state.token
    lately = fact.at_ms < token.refused_ms + policy.gateway.busy_ms
    return bool(event.token) and event.token == token.refused and lately


def keep_token(
    state: Qq, event: TokenAnswered, fact: Fact, policy: Policy
) -> tuple[Qq, Command]:
    """Use the token, and ask again shortly before it ends; never in a hot loop (2)."""
    limits, old = policy.token, state.token
    life_ms = token_life_ms(event, limits)
    tries = min(old.tries + 1, TRIES_MAX) if event.token == old.handle else 0
    least_ms = doubled_ms(limits.renew_ms_min, limits.renew_ms_max, tries)
    due_ms = fact.at_ms + max(life_ms - limits.renew_early_ms, least_ms)
    # One that is over as it comes is all there is: it is used until the next.
    until_ms = fact.at_ms + max(life_ms, limits.renew_ms_min)
    token = Token(event.token, until_ms, due_ms=due_ms, tries=tries)
    return replace(state, token=token), SetTimer(RENEW, due_ms)


def put_off(state: Qq, at_ms: int, wait_ms: int, policy: Policy) -> tuple[Qq, Command]:
    """Set the timer for the next call after one that brought nothing."""
    limits, tries = policy.token, state.token.tries
    least_ms = doubled_ms(limits.renew_ms_min, limits.renew_ms_max, tries)
    due_ms = at_ms + max(least_ms, wait_ms)
    token = replace(state.token, due_ms=due_ms, tries=min(tries + 1, TRIES_MAX))
    return replace(state, token=token), SetTimer(RENEW, due_ms)
