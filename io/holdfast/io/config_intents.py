"""Intents: what a QQ gateway may be asked for, by the names of docs/qq-bot.md (5)."""

from msgspec.structs import replace

from holdfast.core import qq

# The bit of each name.
INTENTS = {
    "guilds": 0,
    "guild_members": 1,
    "guild_messages": 9,
    "guild_message_reactions": 10,
    "direct_message": 12,
    "open_forum": 18,
    "audio_or_live_channel_member": 19,
    "enter_aio": 23,
    "group_member": 24,
    "group_and_c2c": 25,
    "interaction": 26,
    "message_audit": 27,
    "forums": 28,
    "audio_action": 29,
    "public_guild_messages": 30,
}
# What every bot may have. One bit that was not granted refuses the whole Identify (5).
UNAPPROVED = ("guilds", "guild_members", "public_guild_messages")
_MASK = sum(1 << INTENTS[name] for name in UNAPPROVED)
POLICY = replace(qq.POLICY, gateway=replace(qq.POLICY.gateway, intents=_MASK))
