"""Every script under fixtures/, and that no line of one can go unread."""

from pathlib import Path

import pytest
from datadriven import FIXTURES, differences, rewritten, scripts


@pytest.mark.parametrize("path", scripts(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_script_comes_true(path: Path, pytestconfig: pytest.Config) -> None:
    name, text = str(path.relative_to(FIXTURES.parent)), path.read_text("utf-8")
    if pytestconfig.getoption("--rewrite"):
        path.write_text(rewritten(name, text), "utf-8")
        return
    found = list(differences(name, text))
    assert not found, "\n\n".join(found)
