"""What a template may contain, checked on its syntax tree when it is saved.

The sandbox keeps a template from reaching Python but not from costing minutes or gigabytes. So this is an allow-list:
output, `if`, one level of `for`, comparisons, and filters and tests that cannot grow what they are given. Nothing is
called, assigned, multiplied, included or inherited.
"""

from collections.abc import Set
from dataclasses import dataclass, replace
from difflib import get_close_matches
from inspect import signature
from typing import TypeGuard

from jinja2 import nodes

from postroad_engine.errors import Part, TemplateError
from postroad_engine.template_filters import FILTERS

ROOTS = frozenset({"contact", "sender", "tenant", "unsubscribe_url"})
CONTACT_FIELDS = frozenset(
    {"email", "external_id", "kind", "first_name", "last_name", "company", "timezone", "attributes"}
)
LOOP_FIELDS = frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0"})
TESTS = frozenset({"defined", "undefined", "string", "number", "mapping", "sequence"})

MAX_NODES = 2_000
MAX_DEPTH = 40

_ALLOWED = (
    *(nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Name, nodes.Const, nodes.Tuple, nodes.List),
    *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Keyword, nodes.Test, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not, nodes.CondExpr),
)
_SPOKEN = {
    "Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "FloorDiv": "//", "Mod": "%", "Pow": "**", "Neg": "-",
    "Pos": "+", "Concat": "~", "Call": "a call with ( )", "Slice": "a slice [:]", "Dict": "a dictionary { }",
    "Assign": "set", "AssignBlock": "set", "FromImport": "import", "CallBlock": "call", "FilterBlock": "filter",
    "ScopedEvalContextModifier": "autoescape", "ExprStmt": "do",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where in the tree a node stands."""

    part: Part
    names: frozenset[str] = ROOTS
    in_loop: bool = False
    depth: int = 0


def check(tree: nodes.Template, part: Part) -> None:
    """Raises TemplateError at the first thing that a template may not contain."""
    _check_children(tree, _Scope(part))
    if sum(1 for _ in tree.find_all(nodes.Node)) > MAX_NODES:
        raise TemplateError(part, f"a template has at most {MAX_NODES} tags, names and values")


def _check(node: nodes.Node, scope: _Scope) -> None:
    problem = "it is nested too deeply" if scope.depth > MAX_DEPTH else _problem(node, scope)
    if problem is not None:
        raise TemplateError(scope.part, problem, node.lineno)
    if isinstance(node, nodes.For):
        _check_loop(node, scope)
    else:
        _check_children(node, scope)


def _check_children(node: nodes.Node, scope: _Scope) -> None:
    inner = replace(scope, depth=scope.depth + 1)
    for child in node.iter_child_nodes():
        _check(child, inner)


def _check_loop(node: nodes.For, scope: _Scope) -> None:
    """What is looped over stands outside; the body and the filter `if` see the loop's own names."""
    outside = replace(scope, depth=scope.depth + 1)
    targets = frozenset(name.name for name in node.target.find_all(nodes.Name)) | _target(node.target)
    inside = replace(outside, names=scope.names | targets | {"loop"}, in_loop=True)
    _check(node.iter, outside)
    for child in (*node.body, *([] if node.test is None else [node.test])):
        _check(child, inside)
    for child in node.else_:
        _check(child, outside)


def _target(target: nodes.Node) -> frozenset[str]:
    return frozenset({target.name}) if isinstance(target, nodes.Name) else frozenset()


def _problem(node: nodes.Node, scope: _Scope) -> str | None:
    if not isinstance(node, _ALLOWED):
        name = type(node).__name__
        return f"{_SPOKEN.get(name, name.lower())} is not allowed in a template"
    problem: str | None
    match node:
        case nodes.For():
            problem = _loop_problem(node, scope)
        case nodes.Name():
            problem = _name_problem(node, scope)
        case nodes.Getattr():
            problem = _field_problem(node.node, node.attr)
        case nodes.Getitem():
            problem = _item_problem(node)
        case nodes.Filter():
            problem = _choice_problem("filter", node.name, FILTERS.keys()) or _filter_problem(node)
        case nodes.Test():
            problem = _choice_problem("test", node.name, TESTS) or _test_problem(node)
        case _:
            problem = None
    return problem


def _loop_problem(node: nodes.For, scope: _Scope) -> str | None:
    if scope.in_loop:
        return "a loop inside a loop is not allowed"
    if node.recursive:
        return "a recursive loop is not allowed"
    taken = ({name.name for name in node.target.find_all(nodes.Name)} | _target(node.target)) & (scope.names | {"loop"})
    if taken:
        return f"the loop's own name {min(taken)!r} is taken"
    return None


def _name_problem(node: nodes.Name, scope: _Scope) -> str | None:
    if node.name in scope.names:
        return None
    if node.name in CONTACT_FIELDS:
        return f"unknown variable {node.name}: write contact.{node.name}"
    return f"unknown variable {node.name}{_suggestion(node.name, scope.names)}"


def _field_problem(owner: nodes.Node, field: str) -> str | None:
    if field.startswith("_"):
        return f"names that start with _ are not allowed: {field}"
    if not isinstance(owner, nodes.Name):
        return None
    if owner.name == "loop" and field not in LOOP_FIELDS:
        return f"unknown variable loop.{field}{_suggestion(field, LOOP_FIELDS)}"
    if owner.name == "contact" and field not in CONTACT_FIELDS:
        close = _suggestion(field, CONTACT_FIELDS)
        return f"unknown variable contact.{field}{close}; a field of your own is contact.attributes.{field}"
    return None


def _item_problem(node: nodes.Getitem) -> str | None:
    if not _is_key(node.arg):
        return 'what stands in [ ] is a number or a text in quotes, such as contact.attributes["plan"]'
    return _field_problem(node.node, node.arg.value) if isinstance(node.arg.value, str) else None


def _is_key(node: nodes.Node) -> TypeGuard[nodes.Const]:
    return isinstance(node, nodes.Const) and isinstance(node.value, str | int)


def _filter_problem(node: nodes.Filter) -> str | None:
    if node.node is None or node.dyn_args is not None or node.dyn_kwargs is not None:
        return "* and ** are not allowed in a template"
    try:
        signature(FILTERS[node.name]).bind(None, *node.args, **{str(pair.key): pair.value for pair in node.kwargs})
    except TypeError as error:
        return f"the filter {node.name!r} is given wrong arguments: {error}"
    return None


def _test_problem(node: nodes.Test) -> str | None:
    if node.args or node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
        return f"the test {node.name!r} takes no arguments"
    return None


def _choice_problem(what: str, name: str, known: Set[str]) -> str | None:
    if name in known:
        return None
    return f"there is no {what} {name!r}{_suggestion(name, known)}; the {what}s are {', '.join(sorted(known))}"


def _suggestion(name: str, known: Set[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
