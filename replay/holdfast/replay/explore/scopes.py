"""All that is explored, by platform and machine."""

from collections.abc import Mapping

from holdfast.replay.explore import qq_scopes, weixin_scopes
from holdfast.replay.explore.scope import Scope

SCOPES: Mapping[str, Scope] = {
    scope.name: scope for scope in (*weixin_scopes.scopes(), *qq_scopes.scopes())
}
PLATFORMS = tuple(dict.fromkeys(s.subject.platform for s in SCOPES.values()))
MACHINES = tuple(dict.fromkeys(m for s in SCOPES.values() for m in s.machines))
NAMES = (*PLATFORMS, *MACHINES, *SCOPES)


def chosen(what: str | None) -> list[Scope]:
    """Return the scopes of a platform or machine or of this name; all for none."""
    return [
        scope
        for scope in SCOPES.values()
        if what in (None, scope.name, scope.subject.platform, *scope.machines)
    ]
