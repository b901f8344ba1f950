"""Logins of the configuration: the secret is in one place."""

from collections.abc import Sequence
from typing import Any

from holdfast.io.config_errors import HIDDEN, looks_secret
from holdfast.io.config_tables import Document, KeyPath


def keep_one_login(
    document: Document, path: KeyPath, values: dict[str, Any], keys: Sequence[str]
) -> None:
    """Note a second source of a secret; one in the environment replaces the file's.

    `keys` are the secret itself, its file and its variable.
    """
    given = [key for key in keys if key in document.table(path)]
    overrides = [key for key in given if (*path, key) in document.origins]
    kept, *others = overrides or given or [""]
    for key in others:
        document.blame((*path, key), f"given beside {kept}; keep one of them")
    for key in set(given) - {kept}:
        values.pop(key, None)
    secret, file, _ = keys
    if looks_secret(str(values.get(file, ""))):
        text = f"found {HIDDEN}; expected a path, or write {secret} = …"
        document.blame((*path, file), text)
