"""The Jinja2 environments that templates run in: no attribute of Python's is reachable, and work is bounded.

A field is a key of a mapping, never an attribute of a Python object: `contact.items` is the contact's own `items`.
That comes on top of what Jinja's sandbox refuses and of what the rules let through.
"""

from collections.abc import Iterator
from typing import Any

from jinja2 import TemplateRuntimeError, Undefined, nodes
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS
from jinja2.utils import pass_context
from typing_extensions import override

from postroad_engine.template_filters import FILTERS, text_of
from postroad_engine.template_rules import LOOP_FIELDS, TESTS

# The sum over all loops of rounds times nodes in the body.
MAX_LOOP_WORK = 20_000

# No template can name it: it holds a space.
_LOOP_OVER = "loop over"


class Missing(Undefined):
    """A variable that is not there: false in a condition and equal to nothing, an error where its value is needed."""

    __slots__ = ()

    @property
    @override
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"missing variable {self._undefined_name}"

    @override
    def __str__(self) -> str:
        return str(self._fail_with_undefined_error())

    @override
    def __len__(self) -> int:
        return int(self._fail_with_undefined_error())

    @override
    def __iter__(self) -> Iterator[Any]:
        self._fail_with_undefined_error()


class BoundedContext(Context):
    """One rendering's variables, and what its loops have cost so far."""

    loop_work = 0


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment with nothing in it but the filters and tests of the rules."""

    context_class = BoundedContext

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(
            autoescape=autoescape, undefined=Missing, finalize=_printable, keep_trailing_newline=True, cache_size=0
        )
        self.globals.clear()
        self.filters = {**FILTERS, _LOOP_OVER: _loop_over}
        self.tests = {name: JINJA_TESTS[name] for name in TESTS}

    @override
    def getattr(self, obj: Any, attribute: str) -> Any:
        """A mapping's value; missing when it is null, so that no mail says `None`."""
        if isinstance(obj, dict):
            value = obj.get(attribute)
            return Missing(name=attribute) if value is None else value
        if isinstance(obj, Missing):
            return obj
        if isinstance(obj, LoopContext) and attribute in LOOP_FIELDS:
            return getattr(obj, attribute)
        return Missing(name=attribute)

    @override
    def getitem(self, obj: Any, argument: Any) -> Any:
        """Likewise, and an element of a list by its number from 0."""
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        if isinstance(obj, list | tuple) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return obj if isinstance(obj, Missing) else Missing(name=str(argument))


def bound_loops(tree: nodes.Template) -> None:
    """Puts a count of the work before each loop of a checked tree."""
    for loop in list(tree.find_all(nodes.For)):
        parts = [*loop.body, *([] if loop.test is None else [loop.test])]
        cost = len(parts) + sum(1 for part in parts for _ in part.find_all(nodes.Node)) + 1
        loop.iter = nodes.Filter(loop.iter, _LOOP_OVER, [nodes.Const(cost)], [], None, None, lineno=loop.lineno)


@pass_context
def _loop_over(context: BoundedContext, value: object, cost: int) -> object:
    if isinstance(value, Missing):
        return iter(value)  # raises and names it
    if not isinstance(value, list | tuple):
        raise TemplateRuntimeError("a loop goes over a list")
    context.loop_work += len(value) * cost
    if context.loop_work > MAX_LOOP_WORK:
        raise TemplateRuntimeError("the loops are too long for a mail")
    return value


def _printable(value: object) -> object:
    return value if type(value) is str else text_of(value)
