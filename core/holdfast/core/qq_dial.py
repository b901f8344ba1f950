"""The way to a socket: an access token, an address, a dial, one after the other.

A dial is one epoch, from its first question to the socket's end. The token is asked for
apart from it, because sends need one whether there is a socket or not; a dial that
finds none waits for it.
"""

from msgspec.structs import replace

from holdfast.core import connection as transport
from holdfast.core import session
from holdfast.core.account import complain, pump
from holdfast.core.commands import (
    Command,
    Escalate,
    FetchGateway,
    OpenSocket,
    SetTimer,
)
from holdfast.core.connection import Cause
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.core.qq_account import (
    NONE,
    RENEW,
    Gateway,
    Qq,
    Socket,
    Stage,
    Turn,
    current,
    fail,
    identify_ms,
    lose,
    scene,
    usable_token,
)
from holdfast.core.qq_events import (
    DialFailed,
    GatewayAnswered,
    GatewayFailed,
    TokenAnswered,
    TokenFailed,
)
from holdfast.core.qq_rules import (
    Verdict,
    advised,
    call_words,
    dial_words,
    read_gateway,
    read_token,
    reset_ms,
)
from holdfast.core.qq_seq import Resumption
from holdfast.core.qq_token import (
    drop_token,
    fetch_token,
    keep_token,
    put_off,
    refused_lately,
    want_token,
)

DENIALS_BEFORE_IDENTIFY, DENIALS_BEFORE_FATAL = 2, 3
DIALLED = (session.Phase.ACTIVE, session.Phase.RECOVERING)
FATAL = transport.Phase.FATAL


def dial(state: Qq, fact: Fact, policy: Policy) -> Turn:
    """Begin the next dial, unless one is under way or none may be."""
    link, login = state.connection, state.session
    busy = state.stopping or state.socket.stage is not NONE or link.due_ms
    if busy or link.phase is FATAL or login.phase not in DIALLED:
        return state, []
    if not state.resumption.session:
        ready_ms = identify_ms(state.gateway, fact.at_ms, policy.gateway)
        if ready_ms > fact.at_ms:
            return hold(state, fact, ready_ms)
    link, commands = transport.dial(link, fact.at_ms, policy.connection)
    state = replace(state, connection=link, socket=Socket(stage=Stage.TOKEN))
    state, asked = proceed(state, fact, policy)
    return state, commands + asked


def hold(state: Qq, fact: Fact, until_ms: int) -> Turn:
    """Give the dial up until the peer takes one: nothing was lost."""
    after, commands = session.hold(state.session, fact.at_ms, until_ms)
    link = replace(state.connection, dialed_ms=0)
    state = replace(state, session=after, connection=link, socket=Socket())
    return state, commands


def proceed(state: Qq, fact: Fact, policy: Policy) -> Turn:
    """Ask for what the dial lacks next."""
    token, stage = usable_token(state, fact.at_ms), state.socket.stage
    if stage is Stage.TOKEN:
        if not token:
            # After a call in vain the next one has its time, whoever waits for it.
            busy = state.token.due_ms > fact.at_ms
            return (state, []) if busy else fetch_token(state, policy)
        stage = Stage.ADDRESS
        if not state.gateway.url:
            limit_ms = policy.gateway.call_timeout_ms
            asked = FetchGateway(state.connection.epoch, token, limit_ms)
            return replace(state, socket=Socket(stage=stage)), [asked]
    if stage is Stage.ADDRESS and state.gateway.url:
        limit_ms = policy.gateway.dial_timeout_ms
        opened = OpenSocket(state.connection.epoch, state.gateway.url, limit_ms)
        return replace(state, socket=Socket(stage=Stage.DIALING)), [opened]
    return state, []


def token_answered(state: Qq, event: TokenAnswered, fact: Fact, policy: Policy) -> Turn:
    """Take a token, or what was said instead of one."""
    if not state.token.asked:
        return state, []
    state = replace(state, token=replace(state.token, asked=False))
    if event.credential != state.session.credential:
        # Of a login that is no more: ask again for the one that is.
        return _ask_again(state, fact, policy)
    verdict, said = read_token(event), call_words(event)
    if verdict is Verdict.GOOD and refused_lately(state, event, fact, policy):
        said = "the token that was refused is handed out again"
        return _without_token(state, Cause(fact.at_ms, "token", said), policy)
    if verdict is Verdict.GOOD:
        return _adopt(state, event, fact, policy)
    state = complain(state, fact, "token", str(event.code or event.status), said)
    if verdict is Verdict.BAD:
        return _refused(state, event.code or 0, advised(event.code, said), fact, policy)
    wait_ms = policy.gateway.busy_ms if verdict is Verdict.BUSY else 0
    cause = Cause(fact.at_ms, "token", said, wait_ms=wait_ms)
    return _without_token(state, cause, policy)


def token_failed(state: Qq, event: TokenFailed, fact: Fact, policy: Policy) -> Turn:
    """Try again later, with the token that is there as long as it is good."""
    if not state.token.asked:
        return state, []
    state = replace(state, token=replace(state.token, asked=False))
    if event.credential != state.session.credential:
        return _ask_again(state, fact, policy)
    said = f"{event.kind}: {event.reason}".rstrip(": ")
    state = complain(state, fact, "token", event.kind, said)
    return _without_token(state, Cause(fact.at_ms, event.kind, said), policy)


def _ask_again(state: Qq, fact: Fact, policy: Policy) -> Turn:
    if state.socket.stage is Stage.TOKEN:
        return fetch_token(state, policy)
    return want_token(state, fact, policy)


def _adopt(state: Qq, event: TokenAnswered, fact: Fact, policy: Policy) -> Turn:
    """Use the token for what waits for one."""
    state, timer = keep_token(state, event, fact, policy)
    state, sent = pump(state, scene(state, fact, policy))
    state, asked = proceed(state, fact, policy)
    return state, [timer, *sent, *asked]


def _without_token(state: Qq, cause: Cause, policy: Policy) -> Turn:
    """Ask again later; a dial that waited is lost."""
    state, timer = put_off(state, cause.at_ms, cause.wait_ms, policy)
    if state.socket.stage is not Stage.TOKEN:
        return state, [timer]
    state, lost = lose(state, cause, policy)
    return state, [timer, *lost]


def _refused(state: Qq, code: int, said: str, fact: Fact, policy: Policy) -> Turn:
    """Tell a human that the login is refused; a socket that lives may live on."""
    cause = Cause(fact.at_ms, f"token_{code}", said)
    # Sends wait for a token too, so it is asked for again whatever the dial does.
    due_ms = fact.at_ms + policy.connection.fatal_retry_ms
    state = replace(state, token=replace(state.token, due_ms=due_ms))
    told: list[Command] = [Escalate(cause.code, said)]
    if state.socket.stage is Stage.TOKEN:
        state, told = fail(replace(state, socket=Socket()), cause, policy)
    return state, [*told, SetTimer(RENEW, due_ms)]


def gateway_answered(
    state: Qq, event: GatewayAnswered, fact: Fact, policy: Policy
) -> Turn:
    """Take the address and the count of identifies, and dial."""
    if not current(state, event.epoch) or state.socket.stage is not Stage.ADDRESS:
        return state, []
    verdict = read_gateway(event)
    if verdict is Verdict.GOOD:
        gateway = _learnt(state.gateway, event, fact.at_ms)
        state = replace(state, gateway=gateway)
        ready_ms = identify_ms(gateway, fact.at_ms, policy.gateway)
        if not state.resumption.session and ready_ms > fact.at_ms:
            return hold(state, fact, ready_ms)
        return proceed(state, fact, policy)
    return _without_address(state, verdict, event, fact, policy)


def _without_address(
    state: Qq, verdict: Verdict, event: GatewayAnswered, fact: Fact, policy: Policy
) -> Turn:
    said, code = call_words(event), event.err_code or event.code or event.status
    state = complain(state, fact, "gateway", str(code), said)
    cause = Cause(fact.at_ms, f"gateway_{code}", advised(code, said))
    if verdict is Verdict.BUSY:
        return hold(state, fact, fact.at_ms + policy.gateway.busy_ms)
    if verdict is Verdict.LOST:
        return lose(state, cause, policy)
    state = replace(state, socket=Socket())
    blame = fail if verdict is Verdict.BAD else denied
    return blame(state, cause, policy)


def _learnt(gateway: Gateway, event: GatewayAnswered, at_ms: int) -> Gateway:
    return replace(
        gateway,
        url=event.url,
        failed=0,
        remaining=event.remaining,
        reset_ms=at_ms + reset_ms(event),
        concurrency=max(1, min(event.max_concurrency or 1, 1_000)),
    )


def gateway_failed(state: Qq, event: GatewayFailed, fact: Fact, policy: Policy) -> Turn:
    """Take the end of the call without an answer."""
    if not current(state, event.epoch) or state.socket.stage is not Stage.ADDRESS:
        return state, []
    said = f"{event.kind}: {event.reason}".rstrip(": ")
    state = complain(state, fact, "gateway", event.kind, said)
    return lose(state, Cause(fact.at_ms, event.kind, said), policy)


def dial_failed(state: Qq, event: DialFailed, fact: Fact, policy: Policy) -> Turn:
    """Wait and dial again; after a few failures the address may be another."""
    if not current(state, event.epoch) or state.socket.stage is not Stage.DIALING:
        return state, []
    if state.socket.closing:
        link = replace(state.connection, dialed_ms=0)
        return dial(replace(state, connection=link, socket=Socket()), fact, policy)
    said, gateway = dial_words(event), state.gateway
    state = complain(state, fact, "dial", event.kind, said)
    state = replace(state, gateway=doubted(gateway, policy))
    return lose(state, Cause(fact.at_ms, event.kind, said), policy)


def doubted(gateway: Gateway, policy: Policy) -> Gateway:
    """Count a dial that came to nothing; after a few, ask for the address again."""
    failed = gateway.failed + 1
    if failed >= policy.gateway.dials_before_address:
        return replace(gateway, url="", failed=0)
    return replace(gateway, failed=failed)


def denied(state: Qq, cause: Cause, policy: Policy) -> Turn:
    """Drop a refused token; refused again, the session too; then tell a human (6).

    Nothing is under way any more when this is called.
    """
    denials = min(state.denials + 1, DENIALS_BEFORE_FATAL)
    state, commands = drop_token(replace(state, denials=denials), cause.at_ms)
    if state.outbox.queues:
        # Sends need one now, whenever the next dial is.
        state, asked = fetch_token(state, policy)
        commands += asked
    if denials >= DENIALS_BEFORE_FATAL:
        state, told = fail(state, cause, policy)
        return state, commands + told
    if denials >= DENIALS_BEFORE_IDENTIFY:
        state = replace(state, resumption=Resumption())
    state, lost = lose(state, cause, policy)
    return state, commands + lost
