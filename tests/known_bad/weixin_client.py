"""A small iLink bot, and the bugs that such bots had (docs/weixin-ilink.md, 15)."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core import connection, pacing
from holdfast.core.commands import (
    ClearTimer,
    Command,
    Escalate,
    Forget,
    NotifyStart,
    Offer,
    Poll,
    ReloadCredentials,
    Report,
    Send,
    SetTimer,
)
from holdfast.core.events import (
    CredentialsLoaded,
    Fact,
    MessageReceived,
    NotifyAnswered,
    NotifyFailed,
    PollAnswered,
    PollFailed,
    SendAnswered,
    SendFailed,
    SendRequested,
    Started,
    TimerFired,
)
from holdfast.core.invariants import within_caps
from holdfast.core.names import Name
from holdfast.core.policy import Policy
from holdfast.core.weixin_invariants import WEIXIN_CAPS
from holdfast.replay.explore.scope import Subject
from holdfast.replay.explore.weixin_world import Mood, WeixinWorld
from holdfast.replay.explore.world import Call, timers_key

PAUSE, NEXT = connection.RETRY, pacing.NEXT
LOSSES_MAX = 3
Stepped = tuple["Client", list[Command]]


class Bug(Name):
    """What is wrong with a client, and nothing else is; told in `ABOUT`."""

    STALE_TOKEN = "the_poll_slept_with_the_stale_token"  # noqa: S105 - a name.
    GATED_SENDS = "sends_waited_while_the_poll_paused"
    DEAD_TOKEN = "a_dead_token_was_sent_for_ever"  # noqa: S105 - a name.
    GROWN_BACKOFF = "the_backoff_grew_for_ever"


ABOUT = {
    Bug.STALE_TOKEN: "After -14 the bot pauses, and polls again with the token that it"
    " read when it started, whatever stands on disk by then.",
    Bug.GATED_SENDS: "After -14 the bot pauses, and one flag pauses its sends as well,"
    " which the peer would have taken.",
    Bug.DEAD_TOKEN: "The bot reads -2 as a rate limit: it waits, and sends the same"
    " part with the same dead context token again.",
    Bug.GROWN_BACKOFF: "Each poll that fails doubles the wait for the next one, and"
    " nothing ends that.",
}


class Phase(Name):
    """What the poll loop does."""

    STARTING = "starting"
    PROBING = "probing"
    POLLING = "polling"
    REFUSED = "paused, the login was refused"
    LOST = "waiting, the poll failed"


PAUSES = (Phase.REFUSED, Phase.LOST)


class Part(Struct, frozen=True, gc=False):
    """One part to send, under the context token that it was given."""

    delivery: int
    number: int
    context: str = ""
    throttles: int = 0


class Client(Struct, frozen=True, gc=False):
    """What the bot remembers; `waiting` is its part's pause after a throttle."""

    phase: Phase = Phase.STARTING
    login: str = ""
    epoch: int = 0
    cursor: str = ""
    losses: int = 0
    told: bool = False
    heard: str = ""
    context: str = ""
    parts: tuple[Part, ...] = ()
    sending: bool = False
    waiting: bool = False


def client(bug: Bug | None) -> Subject:
    """Return the bot with this bug, or the honest one."""

    def step(state: Client, fact: Fact, policy: Policy) -> Stepped:
        state, commands = _move(state, fact, policy, bug)
        state, sends = _pump(state, policy, bug)
        return state, commands + sends

    return Subject(
        platform="weixin",
        start=Client(),
        step=step,
        broken=_broken,
        key=_key,
        held=_held,
        healthy=_healthy,
        told=_told,
        phases=_phases,
    )


def _move(  # noqa: PLR0911 - one case for each fact.
    state: Client, fact: Fact, policy: Policy, bug: Bug | None
) -> Stepped:
    match fact.event:
        case Started():
            fresh = replace(state, phase=Phase.STARTING, login="", sending=False)
            return replace(fresh, waiting=False), [ReloadCredentials()]
        case CredentialsLoaded(credential=login):
            if bug is Bug.STALE_TOKEN and state.login:
                return state, []
            probe = NotifyStart(login, policy.poll.notify_timeout_ms)
            probing = replace(state, phase=Phase.PROBING, login=login)
            return probing, [ClearTimer(PAUSE), probe]
        case NotifyAnswered(credential=login) | NotifyFailed(credential=login):
            probed = state.phase is Phase.PROBING and login == state.login
            return _poll(state, policy) if probed else (state, [])
        case PollAnswered(epoch=state.epoch) | PollFailed(epoch=state.epoch):
            return _polled(state, fact, policy, bug)
        case TimerFired(name=connection.RETRY):
            if state.phase is Phase.REFUSED and bug is not Bug.STALE_TOKEN:
                return replace(state, phase=Phase.STARTING), [ReloadCredentials()]
            return _poll(state, policy)
        case _:
            return _talk(state, fact, policy, bug)


def _poll(state: Client, policy: Policy) -> Stepped:
    epoch, timeout_ms = state.epoch + 1, policy.poll.hold_ms + policy.poll.grace_ms
    polling = replace(state, phase=Phase.POLLING, epoch=epoch)
    return polling, [Poll(epoch, state.login, state.cursor, timeout_ms)]


def _polled(state: Client, fact: Fact, policy: Policy, bug: Bug | None) -> Stepped:
    match fact.event:
        case PollAnswered(ret=-14) | PollAnswered(errcode=-14):
            pause = SetTimer(PAUSE, fact.at_ms + policy.session.slow_probe_ms)
            refused = replace(state, phase=Phase.REFUSED, told=True)
            return refused, [Escalate("needs_login"), pause]
        case PollAnswered(status=200, ret=None, malformed="", cursor=cursor):
            well = replace(state, losses=0, told=False, cursor=cursor)
            return _poll(well, policy)
        case _:
            limits, losses = policy.connection, state.losses + 1
            wait_ms = limits.backoff_ms_first << state.losses
            if bug is not Bug.GROWN_BACKOFF:
                losses = min(losses, LOSSES_MAX)
                wait_ms = min(wait_ms, limits.backoff_ms_max)
            lost = replace(state, phase=Phase.LOST, losses=losses)
            return lost, [SetTimer(PAUSE, fact.at_ms + wait_ms)]


def _talk(state: Client, fact: Fact, policy: Policy, bug: Bug | None) -> Stepped:
    """Take what belongs to the conversation with the user."""
    match fact.event:
        case MessageReceived(by_id=state.heard):
            return state, []
        case MessageReceived(by_id=known, context=context):
            return replace(state, heard=known, context=context), [Offer(fact.seq)]
        case SendRequested(parts=asked):
            parts = [Part(fact.seq, n, state.context) for n, _ in enumerate(asked)]
            return replace(state, parts=(*state.parts, *parts)), []
        case SendAnswered() | SendFailed() if state.sending:
            return _sent(replace(state, sending=False), fact, policy, bug)
        case TimerFired(name=pacing.NEXT):
            return replace(state, waiting=False), []
        case _:
            return state, []


def _sent(state: Client, fact: Fact, policy: Policy, bug: Bug | None) -> Stepped:
    """Take the answer to the part that is under way."""
    part, rest = state.parts[0], state.parts[1:]
    place, shorter = (part.delivery, part.number), replace(state, parts=rest)
    again = SetTimer(NEXT, fact.at_ms + policy.delivery.throttle_ms_first)
    match fact.event:
        case SendAnswered(status=200, ret=None, errcode=None):
            return shorter, [Report(*place, "accepted")]
        case SendAnswered(ret=-3):
            return shorter, [Report(*place, "rejected")]
        case SendAnswered(status=200) if bug is not Bug.DEAD_TOKEN:
            if part.context:
                return _forget(state, part.context)
            if part.throttles == policy.delivery.throttles_max:
                return shorter, [Report(*place, "rejected")]
            slower = replace(part, throttles=part.throttles + 1)
            return replace(state, waiting=True, parts=(slower, *rest)), [again]
        case _:
            return replace(state, waiting=True), [again]


def _forget(state: Client, context: str) -> Stepped:
    """Let the part go out again at once, without the token."""
    bare = replace(state.parts[0], context="")
    kept = "" if state.context == context else state.context
    forgotten = replace(state, context=kept, parts=(bare, *state.parts[1:]))
    return forgotten, [Forget(context)]


def _pump(state: Client, policy: Policy, bug: Bug | None) -> Stepped:
    """Send the next part, if it may go."""
    if not state.parts or state.sending or state.waiting or not state.login:
        return state, []
    if bug is Bug.GATED_SENDS and state.phase in PAUSES:
        return state, []
    part, timeout_ms = state.parts[0], policy.poll.send_timeout_ms
    number, login = (part.delivery, part.number), state.login
    send = Send(*number, "alice", "body", "id", login, part.context, timeout_ms)
    return replace(state, sending=True), [send]


def _phases(state: Client) -> str:
    return str(state.phase)


def _held(state: Client) -> int:
    return len(state.parts)


def _broken(
    _before: Client,
    fact: Fact,
    _after: Client,
    commands: Sequence[Command],
    policy: Policy,
) -> Iterable[str]:
    return within_caps(fact, commands, policy, WEIXIN_CAPS)


def _healthy(state: Client, world: WeixinWorld) -> bool:
    """Say whether the peer takes our poll, and all is sent: what the client believes
    does not count."""
    polls = [call.command for call in world.calls if isinstance(call.command, Poll)]
    taken = any(poll.credential == world.accepts for poll in polls)
    return world.mood is Mood.LIVE and taken and not state.parts


def _told(state: Client, world: WeixinWorld) -> bool:
    """Say whether a human is waited for: not once they did what they were told."""
    return state.told and state.login == world.disk


def _key(state: Client, world: WeixinWorld) -> Hashable:
    def name(context: str) -> Any:
        return context and (context in world.living, context == state.context)

    def call_key(call: Call) -> Any:
        command, left_ms = call.command, call.deadline_ms - world.now_ms
        login = getattr(command, "credential", "")
        told = _same(login, world), left_ms, name(getattr(command, "context", ""))
        return type(command).__name__, *map(str, told)

    return (
        state.phase,
        _same(state.login, world),
        state.cursor != "",
        state.losses,
        state.told,
        name(state.context),
        [(name(part.context), part.throttles) for part in state.parts],
        (state.sending, state.waiting),
        timers_key(world),
        sorted(map(call_key, world.calls)),
        (world.running, world.mood, world.late is not None),
        (_same(world.disk, world), _same(world.read, world)),
        world.message and (name(world.message[1]), world.message[0] == state.heard),
    )


def _same(login: str, world: WeixinWorld) -> int:
    """Return which of two logins one is: none, the peer's last, or the one before."""
    return 0 if not login else 1 if login == world.accepts else 2
