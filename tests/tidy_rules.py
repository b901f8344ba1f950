"""Rules for every Python file of the repository, or for all three source roots."""

import ast
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from tidy_source import (
    SOURCE_ROOTS,
    Finding,
    FunctionNode,
    Source,
    imports,
    last_name,
    nodes,
    words,
)

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60

# {module: the only files of the source roots that may import it}
OWNERS = {
    "regex": ("io/holdfast/io/text.py",),
    "sqlite3": (
        "io/holdfast/io/journal*.py",
        "replay/holdfast/replay/simulate/disk.py",  # The one below it that fails.
    ),
}
PLATFORM_NAMES = words("weixin qq")
VAGUE_NAMES = words("common helper helpers misc util utils")
NAMESPACE_FOLDERS = tuple(
    folder for root in SOURCE_ROOTS for folder in (root, f"{root}/holdfast")
)

CALENDAR_TYPES = words("date datetime time timedelta tzinfo")
BLANKET = words("Exception BaseException")
VIRTUAL_CLOCKS = words("autojump_clock mock_clock MockClock")

IGNORE = re.compile(
    r"#\s*(?:ruff:\s*)?noqa(?::\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?"
    r"|#\s*type:\s*ignore(?:\[[^]]*\])?"
    r"|#\s*pragma:?\s*(?:no\s+)?\w+"
)
REASON = re.compile(r"(?: - |  # )\s*\w.*\w")
OPEN_END = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
REFERENCE = re.compile(r"#\d+|\bADR[ -]?\d+|docs/adr/\d+", re.IGNORECASE)


def unexplained_ignores(sources: Sequence[Source]) -> Iterator[Finding]:
    """An ignore without its reason cannot be reviewed, nor removed later."""
    for source in sources:
        for line, comment in source.comments:
            rest, count = IGNORE.subn("", comment)
            if count and not REASON.search(rest):
                text = f"no reason after ` - ` or `  # `: {comment}"
                yield Finding(source.path, line, text)


def open_ends(sources: Sequence[Source]) -> Iterator[Finding]:
    """A reminder that points at no issue or ADR is read by nobody."""
    for source in sources:
        texts = list(source.comments)
        for _, node in nodes([source], ast.Expr):
            match node.value:
                case ast.Constant(value=str(docstring), lineno=first):
                    texts += enumerate(docstring.splitlines(), first)
        for line, text in texts:
            if OPEN_END.search(text) and not REFERENCE.search(text):
                yield Finding(source.path, line, f"names no issue: {text.strip()}")


def calendar_fields(sources: Sequence[Source]) -> Iterator[Finding]:
    """Times are integers: a frozen `datetime` can be neither encoded nor compared."""
    for source, owner in nodes(sources, ast.ClassDef):
        for field in owner.body:
            if isinstance(field, ast.AnnAssign):
                names = {last_name(node) for node in ast.walk(field.annotation)}
                if found := sorted(names & CALENDAR_TYPES):
                    text = f"{owner.name} holds a {found[0]}; use integer milliseconds"
                    yield Finding(source.path, field.lineno, text)


def second_import_path(sources: Sequence[Source]) -> Iterator[Finding]:
    """A module imported by two names has two sets of classes that never match."""
    for item in imports(sources):
        if item.module.partition(".")[0] in {"core", "replay"} or (
            item.module.startswith("io.") or item.full == "io.holdfast"
        ):
            yield item.found(f"import {item.full} by its full name, holdfast.…")


def borrowed_libraries(sources: Sequence[Source]) -> Iterator[Finding]:
    """A library that one adapter owns can be exchanged in one place."""
    for item in imports(sources):
        library = item.module.partition(".")[0]
        owners = OWNERS.get(library, ("*",))
        if not any(fnmatchcase(item.source.path, owner) for owner in owners):
            yield item.found(f"only {' and '.join(owners)} may import {library}")


def blanket_excepts(sources: Sequence[Source]) -> Iterator[Finding]:
    """A blanket `except` turns our own mistakes into facts about the peer."""
    for source, handler in nodes(sources, ast.ExceptHandler):
        if handler.type is None or BLANKET & _names(handler.type):
            yield Finding(source.path, handler.lineno, "name what you expect")
    for source, call in nodes(sources, ast.Call):
        if last_name(call.func) == "suppress" and BLANKET & _names(*call.args):
            yield Finding(source.path, call.lineno, "name what you expect")


def _names(*parts: ast.expr) -> set[str]:
    """Return the names of classes, whether they stand alone or in a tuple."""
    inner = [one for part in parts if isinstance(part, ast.Tuple) for one in part.elts]
    return {last_name(part) for part in (*parts, *inner)}


def real_sleeps(sources: Sequence[Source]) -> Iterator[Finding]:
    """A test that waits for the wall clock is slow today and flaky tomorrow."""
    for source in sources:
        names = {last_name(node) for node in ast.walk(source.tree)}
        names |= {node.arg for _, node in nodes([source], ast.arg)}
        forbidden = {"time"} if names & VIRTUAL_CLOCKS else {"time", "trio"}
        for item in imports([source]):
            if item.module in forbidden and item.name == "sleep":
                yield item.found(f"{item.full} without virtual time")
        for _, call in nodes([source], ast.Call):
            match call.func:
                case ast.Attribute(value=ast.Name(id=module), attr="sleep"):
                    if module in forbidden and not _is_checkpoint(call):
                        text = f"{module}.sleep without virtual time"
                        yield Finding(source.path, call.lineno, text)


def _is_checkpoint(call: ast.Call) -> bool:
    match call.args:
        case [ast.Constant(value=0)]:
            return True
        case _:
            return False


def vague_modules(sources: Sequence[Source]) -> Iterator[Finding]:
    """A file that is named after nothing collects everything."""
    for source in sources:
        stem = source.path.rpartition("/")[2].removesuffix(".py")
        if VAGUE_NAMES & {*stem.split("_")}:
            yield Finding(source.path, 1, f"say what {stem} is about")


def platform_branches(sources: Sequence[Source]) -> Iterator[Finding]:
    """What differs by platform stands in its modules; a branch elsewhere is a copy."""
    for source in sources:
        parts = source.path.removesuffix(".py").split("/")
        if any(part.split("_")[0] in PLATFORM_NAMES for part in parts):
            continue
        for node in ast.walk(source.tree):
            asked = (
                [node.left, *node.comparators]
                if isinstance(node, ast.Compare)
                else [node.value]
                if isinstance(node, ast.MatchValue)
                else []
            )
            if any(_names_platform(one) for one in asked):
                text = "ask the platform's own module, or the table of platforms"
                yield Finding(source.path, asked[0].lineno, text)


def _names_platform(node: ast.expr) -> bool:
    inner = [node, *getattr(node, "elts", ())]
    return any(
        isinstance(one, ast.Constant) and one.value in PLATFORM_NAMES for one in inner
    )


def namespace_markers(sources: Sequence[Source]) -> Iterator[Finding]:
    """An `__init__.py` there ends the namespace, and one in `io` hides Python's own."""
    for source in sources:
        folder, _, name = source.path.rpartition("/")
        if name == "__init__.py" and folder in NAMESPACE_FOLDERS:
            yield Finding(source.path, 1, "remove it: holdfast is a namespace package")


def sizes(sources: Sequence[Source]) -> dict[str, int]:
    """Return {path or path::function: lines} of all that is over its limit."""
    over: dict[str, int] = {}
    for source in sources:
        lines = len(source.text.splitlines())
        if lines > FILE_LINES_MAX:
            over[source.path] = lines
    for source in sources:
        for name, node in _functions(source.tree):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                over[f"{source.path}::{name}"] = lines
    return over


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, FunctionNode]]:
    """Yield every function with the names of what it stands in."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield f"{prefix}{node.name}", node
                yield from _functions(node, f"{prefix}{node.name}.")
            case ast.ClassDef():
                yield from _functions(node, f"{prefix}{node.name}.")
            case _:
                yield from _functions(node, prefix)


def ratchet(over: dict[str, int], allowed: dict[str, int]) -> Iterator[str]:
    """Say where reality and allowances differ: too long, or an allowance too large."""
    for name, lines in sorted(over.items()):
        if lines > allowed.get(name, 0):
            limit = FUNCTION_LINES_MAX if "::" in name else FILE_LINES_MAX
            may = allowed.get(name, limit)
            yield f"{name} has {lines} lines and may have {may}: split it"
    for name, may in sorted(allowed.items()):
        lines = over.get(name, 0)
        if lines < may:
            step = f"lower it to {lines}" if lines else "take it out"
            yield f"the allowance of {name} is {may}, more than it needs: {step}"
