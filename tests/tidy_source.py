"""What every tidy rule reads and reports: files, their trees, findings.

A rule is a function from sources to findings. Its docstring is one sentence that says
why the rule exists; a failing test prints it.
"""

import ast
import io
import tokenize
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

ROOT = Path(__file__).resolve().parent.parent
SOURCE_ROOTS = ("core", "io", "replay")
PYTHON_FOLDERS = (*SOURCE_ROOTS, "tests", "bench", "examples")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Node = TypeVar("Node", bound=ast.AST)


class Finding(NamedTuple):
    """One place that breaks a rule."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Source:
    """One file; `path` is relative to the repository's root and has forward slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def comments(self) -> Sequence[tuple[int, str]]:
        """Return (line, comment) for each comment; a `#` inside a string is none."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(t.start[0], t.string) for t in tokens if t.type == tokenize.COMMENT]


Check = Callable[[Sequence[Source]], Iterable[Finding]]


def python_sources(*folders: str) -> Sequence[Source]:
    """Read every Python file below the given folders of the repository."""
    paths = sorted(path for name in folders for path in (ROOT / name).rglob("*.py"))
    return [read(path) for path in paths]


@cache
def read(path: Path) -> Source:
    """Read a file once for all rules, as it is parsed once."""
    return Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))


def nodes(
    sources: Iterable[Source], *kinds: type[Node]
) -> Iterator[tuple[Source, Node]]:
    """Yield every node of these kinds with the source that holds it."""
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, kinds):
                yield source, node


class Imported(NamedTuple):
    """One imported name: `import module` has no `name`, a relative import has dots."""

    source: Source
    line: int
    module: str
    name: str = ""

    @property
    def full(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module

    def found(self, text: str) -> Finding:
        return Finding(self.source.path, self.line, text)


def imports(sources: Iterable[Source]) -> Iterator[Imported]:
    """Yield every imported name, wherever in a file the import stands."""
    for source, plain in nodes(sources, ast.Import):
        for alias in plain.names:
            yield Imported(source, plain.lineno, alias.name)
    for source, node in nodes(sources, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            yield Imported(source, node.lineno, module, alias.name)


def words(text: str) -> frozenset[str]:
    """Return the set of the words in a text, which reads better than their quotes."""
    return frozenset(text.split())


def last_name(node: ast.AST | None) -> str:
    """Return `c` for `c` and for `a.b.c`, otherwise nothing."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
