"""The rules for text, locks and README against what breaks them."""

from collections.abc import Iterable

import pytest
import tidy_repository
from tidy_source import Source

HASHED = f"click==8.5.1 \\\n    --hash=sha256:{'0' * 64}\n    # via holdfast\n"


@pytest.mark.parametrize(
    "text",
    [
        f"see /{'home'}/alice/holdfast",
        f"path=/{'Users'}/alice/x",
        f"cd '/{'root'}/x'",
        f"C:\\{'Users'}\\alice",
        f"https://{tidy_repository.INDEX_HOSTS[0]}/project/holdfast",
        f"https://packages.example.org/{'simple'}/",
    ],
)
def test_a_private_place_is_reported(text: str) -> None:
    assert texts(tidy_repository.private_places([Source("README.md", text)]))


@pytest.mark.parametrize(
    "text", ["~/.config/holdfast", "/v1/accounts", "docs/work/x", "https://home.org/x"]
)
def test_a_public_place_is_not_reported(text: str) -> None:
    assert not texts(tidy_repository.private_places([Source("README.md", text)]))


def test_a_lock_may_hold_pins_hashes_and_comments_alone() -> None:
    good = Source("requirements.txt", HASHED)
    assert tidy_repository.pinned_names(good) == {"click"}
    assert not texts(tidy_repository.unhashed_pins([good]))
    assert not texts(tidy_repository.chosen_indexes([good]))
    for line in ("click==8.5.1", "click>=8", "-e ."):
        bad = Source("requirements.txt", f"{HASHED}{line}\n")
        assert texts(tidy_repository.unhashed_pins([bad]))
    for line in ("--index-url x", "--find-links y", "-f y", "a @ https://example.org"):
        bad = Source("requirements.txt", f"{line}\n")
        assert texts(tidy_repository.chosen_indexes([bad]))


def texts(findings: Iterable[object]) -> list[str]:
    return [str(finding) for finding in findings]


def test_the_readers_of_papers_read_what_stands_there() -> None:
    project = (
        '[project]\ndependencies = ["Click>=8"]\noptional-dependencies.x = ["a_b"]'
    )
    assert tidy_repository.declared_names(project) == {"": {"click"}, "x": {"a-b"}}
    decision = "- `click`: the command line.\n- `trio`:\ntext about `h11`: none\n"
    assert tidy_repository.listed_names(decision) == {"click"}
    readme = "## Run\n\n```sh\nmake\n```\n\n## Else\n\ntext\n\n```sh\nother\n```\n"
    assert tidy_repository.shell_commands(readme) == {"Run": "make"}
