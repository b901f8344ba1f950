"""Platforms: the one place that knows which reducer folds whose facts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from holdfast.core import qq, qq_invariants, weixin, weixin_invariants
from holdfast.core.commands import Command
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.core.qq_account import Qq
from holdfast.core.weixin_account import Weixin

# States differ in type by platform, and nothing here looks into them.
State = Any
Step = Callable[[State, Fact, Policy], tuple[State, list[Command]]]
Broken = Callable[[State, Fact, State, Sequence[Command], Policy], list[str]]


class Platform(NamedTuple):
    """What replay needs to know of a platform; `state()` is that of a new account."""

    name: str
    step: Step
    state: type[State]
    policy: Policy
    broken: Broken


PLATFORMS: Mapping[str, Platform] = {
    platform.name: platform
    for platform in (
        Platform(
            weixin.PLATFORM,
            weixin.step,
            Weixin,
            weixin.POLICY,
            weixin_invariants.broken,
        ),
        Platform(qq.PLATFORM, qq.step, Qq, qq.POLICY, qq_invariants.broken),
    )
}
# Of this platform is an account in a journal that notes none: there was no other then.
UNNOTED = weixin.PLATFORM
