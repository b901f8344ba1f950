"""Kinds: the one place of the simulation that knows which platforms there are."""

from collections.abc import Mapping

from holdfast.core import qq, weixin
from holdfast.replay.simulate.qq_side import QQ
from holdfast.replay.simulate.side import Kind
from holdfast.replay.simulate.weixin_side import WEIXIN

KINDS: Mapping[str, Kind] = {weixin.PLATFORM: WEIXIN, qq.PLATFORM: QQ}
