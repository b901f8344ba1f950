"""The shell: trio, HTTP and SQLite around the pure core.

`open_service` and what it hands out are the public API. Names are looked up when they
are first used, because replaying a recording or reading a journal must not pay for
trio and httpx.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.io.assembly import Patience, Surroundings, open_service
    from holdfast.io.config import Config, load_config
    from holdfast.io.deliveries import Delivery, DeliveryStatus
    from holdfast.io.health import Health
    from holdfast.io.messages import Message
    from holdfast.io.owner import StoppedError
    from holdfast.io.sending import SendRefusedError
    from holdfast.io.service import Service, UnknownAccountError

_HOME = {
    "Config": "config",
    "Delivery": "deliveries",
    "DeliveryStatus": "deliveries",
    "Health": "health",
    "Message": "messages",
    "Patience": "assembly",
    "SendRefusedError": "sending",
    "Service": "service",
    "StoppedError": "owner",
    "Surroundings": "assembly",
    "UnknownAccountError": "service",
    "load_config": "config",
    "open_service": "assembly",
}

__all__ = [
    "Config",
    "Delivery",
    "DeliveryStatus",
    "Health",
    "Message",
    "Patience",
    "SendRefusedError",
    "Service",
    "StoppedError",
    "Surroundings",
    "UnknownAccountError",
    "load_config",
    "open_service",
]


def __getattr__(name: str) -> Any:
    """Import the module that holds a public name."""
    if name in _HOME:
        return getattr(import_module(f"holdfast.io.{_HOME[name]}"), name)
    raise AttributeError(f"module 'holdfast.io' has no attribute {name!r}")
