"""What a fact of a Weixin account tells of the world around it."""

from collections.abc import Mapping

from msgspec.structs import replace

from holdfast.core.commands import (
    Command,
    NotifyStart,
    NotifyStop,
    Poll,
    ReloadCredentials,
    Send,
)
from holdfast.core.events import (
    CredentialsLoaded,
    CredentialsMissing,
    Event,
    NotifyAnswered,
    NotifyFailed,
    PollAnswered,
    PollFailed,
    SendAnswered,
    SendFailed,
)
from holdfast.core.weixin_rules import SESSION_TIMEOUT, code
from holdfast.replay.explore.weixin_world import Mood, WeixinWorld
from holdfast.replay.explore.world import without_answered

ANSWERS: Mapping[type, tuple[type[Command], ...]] = {
    PollAnswered: (Poll,),
    PollFailed: (Poll,),
    NotifyAnswered: (NotifyStart, NotifyStop),
    NotifyFailed: (NotifyStart, NotifyStop),
    CredentialsLoaded: (ReloadCredentials,),
    CredentialsMissing: (ReloadCredentials,),
    SendAnswered: (Send,),
    SendFailed: (Send,),
}


def witness(world: WeixinWorld, event: Event) -> WeixinWorld:
    """Return the world as it is when this was recorded, before anything was done.

    The peer is believed to be as it answered last: a login that was refused is dead
    until `notifystart` is taken or another one comes.
    """
    world = without_answered(world, event, ANSWERS)
    match event:
        case CredentialsLoaded(credential):
            mood = world.mood if credential == world.accepts else Mood.LIVE
            return replace(
                world, read=credential, disk=credential, accepts=credential, mood=mood
            )
        case PollAnswered() if code(event) == SESSION_TIMEOUT:
            return replace(world, mood=Mood.LAPSED)
        case PollAnswered() | NotifyAnswered() if not code(event):
            return replace(world, mood=Mood.LIVE)
        case _:
            return world
