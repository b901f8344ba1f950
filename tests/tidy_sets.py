"""The rule that core never depends on the order of a set.

The order of a set of strings changes with the process's hash seed, so a loop over one
is the commonest way to lose determinism. The rule follows names as far as the text
shows them: literals, calls, operators, annotations of variables, arguments, return
values and fields.
"""

import ast
from collections.abc import Iterator, Sequence

from tidy_source import Finding, FunctionNode, Source, last_name, nodes, words

SET_TYPES = words("AbstractSet FrozenSet MutableSet Set frozenset set")
SET_METHODS = words("copy difference intersection symmetric_difference union")
SET_OPERATORS = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)
WRAPPERS = words("Annotated ClassVar Final Optional")

# Calls whose result keeps the order of what they are given, or shows it.
ORDERED_CALLS = words(
    "accumulate batched chain combinations compress cycle deque dict dropwhile"
    " enumerate extend filter filterfalse from_iterable fromkeys groupby islice iter"
    " join list map next pairwise permutations product reduce repr reversed starmap str"
    " takewhile tee tuple zip zip_longest"
)
# Without a key these forget the order; with one, ties keep it.
KEYED_CALLS = words("max min sorted")
UNORDERED_CALLS = words("all any frozenset len set sum") | KEYED_CALLS

Function = FunctionNode | ast.Lambda
Scope = ast.Module | Function


def unordered_loops(sources: Sequence[Source]) -> Iterator[Finding]:
    """The order of a set changes with the hash seed, hence so would the commands."""
    fields = set(_set_fields(sources))
    makers = set(_set_makers(sources))
    for source in sources:
        walk = _Walk(source, _Names(fields, makers))
        walk.visit(source.tree)
        yield from walk.found


def _set_fields(sources: Sequence[Source]) -> Iterator[str]:
    """Yield the names of fields that some class annotates as a set."""
    for _, node in nodes(sources, ast.ClassDef):
        for field in node.body:
            if isinstance(field, ast.AnnAssign) and _says_set(field.annotation):
                yield last_name(field.target)


def _set_makers(sources: Sequence[Source]) -> Iterator[str]:
    """Yield the names of functions that are annotated to return a set."""
    for _, node in nodes(sources, ast.stmt):
        if isinstance(node, FunctionNode) and _says_set(node.returns):
            yield node.name


def _says_set(annotation: ast.expr | None) -> bool:
    """Tell whether an annotation is a set, perhaps optional, quoted or annotated."""
    match annotation:
        case ast.Constant(value=str(text)):
            return _says_set(ast.parse(text, mode="eval").body)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _says_set(left) or _says_set(right)
        case ast.Subscript(value=outer, slice=inner) if last_name(outer) in WRAPPERS:
            return _says_set(inner.elts[0] if isinstance(inner, ast.Tuple) else inner)
        case ast.Subscript(value=outer):
            return last_name(outer) in SET_TYPES
        case _:
            return last_name(annotation) in SET_TYPES


class _Names:
    """Which names are sets, in the scopes that are open at some place of a file."""

    def __init__(self, fields: set[str], makers: set[str]) -> None:
        self.fields = fields
        self.makers = makers
        self.scopes: list[dict[str, bool]] = []

    def open(self, scope: Scope) -> None:
        """Note for each name that the scope binds whether it is ever a set there."""
        self.scopes.append({})
        for node in _own(scope):
            match node:
                case ast.arg(arg=name, annotation=annotation):
                    self._note(name, is_set=_says_set(annotation))
                case ast.Name(id=name, ctx=ast.Store()):
                    self._note(name, is_set=False)
                case ast.MatchClass():
                    self._capture(node)
                case _:
                    self._assign(node)

    def close(self) -> None:
        self.scopes.pop()

    def _assign(self, node: ast.AST) -> None:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)):
                is_set = _says_set(node.annotation) or self.is_set(node.value)
                self._note(name, is_set=is_set)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._pair(target, value)
            case ast.NamedExpr(target=ast.Name() as target, value=value):
                self._pair(target, value)

    def _pair(self, target: ast.expr, value: ast.expr) -> None:
        match target, value:
            case ast.Name(id=name), _:
                self._note(name, is_set=self.is_set(value))
            case ast.Tuple(elts=targets), ast.Tuple(elts=values):
                for part, its_value in zip(targets, values, strict=False):
                    self._pair(part, its_value)

    def _capture(self, pattern: ast.MatchClass) -> None:
        """Note what `case State(done=done)` binds."""
        for attr, part in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
            if isinstance(part, ast.MatchAs) and part.name:
                self._note(part.name, is_set=attr in self.fields)

    def _note(self, name: str, *, is_set: bool) -> None:
        self.scopes[-1][name] = self.scopes[-1].get(name, False) or is_set

    def is_set(self, node: ast.AST | None) -> bool:
        """Tell whether the expression is a set, as far as the text shows it."""
        match node:
            case ast.Set() | ast.SetComp():
                found = True
            case ast.Name(id=name):
                scopes = (scope for scope in reversed(self.scopes) if name in scope)
                found = next(scopes, {}).get(name, False)
            case ast.Attribute(attr=attr):
                found = attr in self.fields
            case ast.Call(func=ast.Name(id=name)):
                found = name in {"set", "frozenset"} or name in self.makers
            case ast.Call(func=ast.Attribute(value=value, attr=attr)):
                copied = attr in SET_METHODS and self.is_set(value)
                found = copied or attr in self.makers
            case ast.BinOp(left=left, op=op, right=right):
                sides = self.is_set(left) or self.is_set(right) or _is_view(left)
                found = sides and isinstance(op, SET_OPERATORS)
            case ast.IfExp(body=body, orelse=orelse):
                found = self.is_set(body) or self.is_set(orelse)
            case ast.BoolOp(values=values):
                found = any(map(self.is_set, values))
            case ast.NamedExpr(value=value):
                found = self.is_set(value)
            case _:
                found = False
        return found


class _Walk(ast.NodeVisitor):
    """One pass over a file, reporting what depends on the order of a set."""

    def __init__(self, source: Source, names: _Names) -> None:
        self.source = source
        self.names = names
        self.order_free: list[ast.expr] = []  # Generators whose order is forgotten.
        self.found: list[Finding] = []

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, Scope):
            self.names.open(node)
            self.generic_visit(node)
            self.names.close()
        else:
            self._check(node)
            self.generic_visit(node)

    def _check(self, node: ast.AST) -> None:
        match node:
            case ast.For(iter=loop) | ast.AsyncFor(iter=loop):
                self._report(loop, "a loop")
            case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
                if node not in self.order_free:
                    for generator in node.generators:
                        self._report(generator.iter, "a comprehension")
            case ast.Call():
                self._check_call(node)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                self._check_starred(items)
            case ast.Assign(targets=[ast.Tuple() | ast.List()], value=value):
                self._report(value, "unpacking")
            case ast.YieldFrom(value=value):
                self._report(value, "yield from")
            case ast.FormattedValue(value=value):
                self._report(value, "formatting")

    def _check_call(self, call: ast.Call) -> None:
        name = last_name(call.func)
        keyed = name in KEYED_CALLS and any(k.arg == "key" for k in call.keywords)
        self._check_starred(call.args)
        for argument in call.args:
            if name in ORDERED_CALLS or keyed:
                self._report(argument, f"{name} with a key" if keyed else name)
            if name in UNORDERED_CALLS and not keyed:
                self.order_free.append(argument)
        match call:
            case ast.Call(func=ast.Attribute(value=value, attr="pop"), args=[]):
                self._report(value, "pop")

    def _check_starred(self, items: Sequence[ast.expr]) -> None:
        for item in items:
            if isinstance(item, ast.Starred):
                self._report(item.value, "unpacking")

    def _report(self, node: ast.expr, what: str) -> None:
        if self.names.is_set(node):
            text = f"{what} over a set has no fixed order; sort it or keep a dict"
            self.found.append(Finding(self.source.path, node.lineno, text))


def _own(scope: Scope) -> Iterator[ast.AST]:
    """Yield a scope's nodes in the order of the text, without inner functions' own."""
    match scope:
        case ast.Module(body=body):
            stack: list[ast.AST] = [*reversed(body)]
        case ast.Lambda(body=expression, args=arguments):
            stack = [expression, arguments]
        case _:
            stack = [*reversed(scope.body), scope.args]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef):
            stack += reversed([*ast.iter_child_nodes(node)])


def _is_view(node: ast.expr) -> bool:
    """Tell whether this is `x.keys()` or `x.items()`, whose operators make sets."""
    match node:
        case ast.Call(func=ast.Attribute(attr="keys" | "items"), args=[]):
            return True
        case _:
            return False
