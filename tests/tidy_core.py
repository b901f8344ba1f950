"""Rules of core: what keeps the reducers a function of their facts and nothing else.

The order of sets has a module of its own, `tidy_sets`.
"""

import ast
from collections.abc import Iterator, Sequence

from tidy_source import (
    Finding,
    FunctionNode,
    Source,
    imports,
    last_name,
    nodes,
    words,
)

EVERYTHING = words("*")

# {module: names that core may import from it}. Of functools, the caches are left out
# (they answer 1 for True, so an answer depends on what was asked before); of hashlib,
# what reads files or chooses by name; of math, what returns a float.
ALLOWED = {
    "__future__": EVERYTHING,
    "collections.abc": EVERYTHING,
    "enum": EVERYTHING,
    "functools": words("cmp_to_key partial reduce wraps"),
    "hashlib": words("blake2b blake2s sha256"),
    "itertools": EVERYTHING,
    "math": words("comb factorial gcd isqrt lcm perm prod"),
    "msgspec": EVERYTHING,
    "operator": EVERYTHING,
    "transitions": EVERYTHING,
    "types": EVERYTHING,
    "typing": EVERYTHING,
}
PACKAGES = ("holdfast.core", "msgspec")

IMPURE_NAMES = words(
    "__import__ breakpoint eval exec globals hash id input locals open print vars"
)
INEXACT_NAMES = words("complex float itruediv truediv")
MUTATORS = words(
    "add append clear discard extend insert pop popitem remove reverse setdefault sort"
    " update"
)


def foreign_imports(sources: Sequence[Source]) -> Iterator[Finding]:
    """A clock, a socket or a thread in core would make two replays differ."""
    for item in imports(sources):
        if not _may_import(item.module, item.name, item.full):
            only = sorted(ALLOWED.get(item.module, ()))
            hint = f", only these names of it: {', '.join(only)}" if only else ""
            yield item.found(f"core may not import {item.full}{hint}")


def _may_import(module: str, name: str, full: str) -> bool:
    if any(f"{full}.".startswith(f"{package}.") for package in PACKAGES):
        return True
    names = ALLOWED.get(module)
    if names is None:  # `from collections import abc` names a module, too.
        return full in ALLOWED
    return names is EVERYTHING or name in names


def impure_names(sources: Sequence[Source]) -> Iterator[Finding]:
    """Hashes and ids change with the process, and everything else here is I/O."""
    for source, node in nodes(sources, ast.Name):
        if node.id in IMPURE_NAMES and isinstance(node.ctx, ast.Load):
            yield Finding(source.path, node.lineno, f"core may not use {node.id}")


def inexact_numbers(sources: Sequence[Source]) -> Iterator[Finding]:
    """Floats round differently from what a JSON reader or another machine expects."""
    kinds = ast.Constant, ast.BinOp, ast.AugAssign, ast.Name, ast.Attribute, ast.alias
    for source, node in nodes(sources, *kinds):
        match node:
            case ast.Constant(value=float() | complex() as value):
                text = f"{value} is no integer"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                text = "true division gives a float; use //"
            case ast.Name() | ast.Attribute() if last_name(node) in INEXACT_NAMES:
                text = f"core may not use {last_name(node)}"
            case ast.alias(name=name) if name in INEXACT_NAMES:
                text = f"core may not use {name}"
            case _:
                continue
        yield Finding(source.path, getattr(node, "lineno", 0), text)


def shared_state(sources: Sequence[Source]) -> Iterator[Finding]:
    """What a function remembers outside its arguments, no recording can replay."""
    for source, node in nodes(sources, ast.stmt):
        if isinstance(node, ast.Global | ast.Nonlocal):
            text = f"{type(node).__name__.lower()} {', '.join(node.names)}"
            yield Finding(source.path, node.lineno, text)
    for source in sources:
        assigned, other = _module_names(source.tree)
        for function in _outermost(source.tree):
            inside = _bound_inside(function)
            for line, name, is_call in _writes(function):
                shared = assigned if is_call else assigned | other
                if name in shared and name not in inside:
                    text = f"writes to the module's {name}"
                    yield Finding(source.path, line, text)


def _module_names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Return what the module assigns, and what it imports or defines."""
    assigned: set[str] = set()
    other: set[str] = set()
    stack: list[ast.AST] = list(tree.body)
    while stack:
        match node := stack.pop():
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                other.add(node.name)
            case ast.alias():
                other.add((node.asname or node.name).partition(".")[0])
            case ast.Name(ctx=ast.Store()):
                assigned.add(node.id)
            case _:
                stack += ast.iter_child_nodes(node)
    return assigned, other


def _outermost(tree: ast.Module) -> Iterator[FunctionNode | ast.Lambda]:
    """Yield the functions and methods that do not stand inside another function."""
    stack: list[ast.AST] = [tree]
    while stack:
        for node in ast.iter_child_nodes(stack.pop()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield node
            else:
                stack.append(node)


def _bound_inside(function: FunctionNode | ast.Lambda) -> set[str]:
    names = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    for node in ast.walk(function):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.add(name)
            case ast.ExceptHandler(name=str(name)):
                names.add(name)
    return names


def _writes(function: FunctionNode | ast.Lambda) -> Iterator[tuple[int, str, bool]]:
    """Yield (line, name, is_call) for `name.x = …`, `name[x] = …` and `name.add(…)`."""
    for node in ast.walk(function):
        match node:
            case (
                ast.Attribute(ctx=ast.Store() | ast.Del())
                | ast.Subscript(ctx=ast.Store() | ast.Del())
            ):
                yield node.lineno, _root(node), False
            case ast.Call(func=ast.Attribute(attr=attr) as called) if attr in MUTATORS:
                yield node.lineno, _root(called), True


def _root(node: ast.AST) -> str:
    """Return `a` for `a.b[c].d`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
