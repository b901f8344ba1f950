"""QQ's codes: what each close of the gateway and each error of a call asks for.

Data only, after docs/qq-bot.md (6 for closes, 13 for errors). `qq_rules` reads it.
"""

from collections.abc import Mapping

from holdfast.core.names import Name


class Fate(Name):
    """What the end of a socket means for the session that it carried."""

    KEPT = "kept"  # It can be resumed.
    DROPPED = "dropped"  # It is gone: identify anew.
    REFUSED = "refused"  # A new one was refused.
    DENIED = "denied"  # The access token was refused.
    FATAL = "fatal"  # Only a human can help.


class Fault(Name):
    """What an error of a call is about."""

    TOKEN = "token"  # noqa: S105 - the name of a fault.
    HUMAN = "human"
    BUSY = "busy"
    REFERENCE = "reference"
    DUPLICATE = "duplicate"
    PEER = "peer"
    CONTENT = "content"
    TRANSIENT = "transient"
    SOCKET = "socket"
    AUDIT = "audit"


RENEWAL, PAYLOADS_TOO_FAST, NOT_AUTHENTICATED = 4009, 4008, 4003

CLOSES: Mapping[int, Fate] = {
    **dict.fromkeys((1000, 1001, 1005, 1006, 1011), Fate.KEPT),
    **dict.fromkeys((4005, PAYLOADS_TOO_FAST, RENEWAL), Fate.KEPT),
    **dict.fromkeys((4001, 4002, 4010, 4011, 4012, 4013, 4014), Fate.FATAL),
    **dict.fromkeys((4914, 4915), Fate.FATAL),
    **dict.fromkeys((4003, 4903), Fate.REFUSED),
    4004: Fate.DENIED,
}

BUSY_TOKEN, BUSY_GATEWAY = 100001, 100017
BAD_LOGIN = (100007, 100016, 10004)

_BY_FAULT: Mapping[Fault, tuple[int, ...]] = {
    Fault.TOKEN: (11241, 11242, 11243, 11244),
    Fault.HUMAN: (
        *(11245, 11251, 11253, 11254, 11261, 11262, 11265, 11273, 11274, 11275),
        *(11298, 40023002, 100007, 100016, 304014, 304036, 304037, 304057, 40034127),
    ),
    Fault.BUSY: (
        *(22009, 20028, 50002, BUSY_TOKEN, BUSY_GATEWAY, 304045, 304047, 304049),
        *(304050, 304052, 503004, 610013, 620006, 1100100, 1100308, 40034100),
        40054016,
    ),
    Fault.REFERENCE: (
        *(40034128, 40034005, 40034031, 304027, 304103, 304026, 40034024),
        *(40034025, 40034026, 40034027, 304028),
    ),
    Fault.DUPLICATE: (40054005,),
    Fault.PEER: (
        *(40034101, 40054003, 40034102, 40034105, 40034122, 40034123, 40054002),
        *(850018, 40054004, 40054013, 304031, 304032, 304033, 304034, 304046),
        *(304048, 1100104, 1100301, 1100306, 11255, 40011028),
    ),
    Fault.CONTENT: (
        *(40034006, 40034003, 304025, 1100101, 1100102, 1100103, 3300006, 40054007),
        *(40054018, 40054010, 304003, 40034008, 40034009, 40034010, 40034011),
        *(40034029, 40034124, *range(50037, 50058), 305007, 22006, 304061, 340069),
        *(50006, 50059, 12002, 40034106, 40034108, 40034109),
    ),
    Fault.TRANSIENT: (
        *(50055001, 50055002, 50055006, 304016, 304082, 304083, 40034004, 40054006),
        *(11252, 11263, 11281, 306003, 306005, 306006, 50065001, 1100300, 850027),
        40093001,
    ),
    Fault.SOCKET: (304018,),
    Fault.AUDIT: (304023, 304024),
}
FAULTS: Mapping[int, Fault] = {
    code: fault for fault, codes in _BY_FAULT.items() for code in codes
}

# What a human has to do, by close or error code.
ADVICE: Mapping[int, str] = {
    4001: "report this: the gateway says that a frame has an opcode it does not know",
    4002: "report this: the gateway says that a frame is malformed",
    4003: "check app_id and secret",
    4004: "check app_id and secret",
    4010: "correct shard",
    4011: "the bot is in too many guilds for one connection: configure more shards",
    4012: "report this: the gateway no longer takes this version of its protocol",
    4013: "correct intents",
    4014: "have the intents granted in the bot's console, or configure fewer",
    4903: "check intents and secret",
    4914: "the bot is delisted: publish it again, or use the sandbox",
    4915: "the bot is banned: ask the platform",
    100007: "the app id is invalid, or the bot is banned or deleted",
    100016: "correct app_id or secret",
    10004: "correct app_id: there is no such bot",
    11245: "the platform no longer takes static tokens: configure a secret",
    11253: "have the interface granted in the bot's console",
    11254: "have the interface granted in the bot's console",
    11265: "the bot is banned: ask the platform",
    11298: "add this machine's address to the allow list in the bot's console",
    40023002: "add this machine's address to the allow list in the bot's console",
}
