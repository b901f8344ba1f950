"""Options of the test suite."""

import os

import pytest
from hypothesis import settings

# Every run draws the same examples, so what is red is red for everybody; other ones are
# drawn by `pytest --hypothesis-profile=default`, and very many by `thorough`.
settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile("thorough", max_examples=20_000, deadline=None, database=None)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite",
        action="store_true",
        help="write what scripts, transcripts and pictures say today; read the diff",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--rewrite") and os.environ.get("CI"):
        raise pytest.UsageError("--rewrite is for people: CI only compares")
