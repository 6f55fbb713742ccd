"""Templates of mails: checked and compiled when they are saved, filled in for one contact at a time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from types import TracebackType

import jinja2
from jinja2 import nodes

from postroad_engine.derived_text import derive_text, finish_text
from postroad_engine.errors import Part, TemplateError
from postroad_engine.sandbox import BoundedContext, Sandbox, bound_loops
from postroad_engine.template_rules import check

MAX_SOURCE = 256_000  # characters of each part
MAX_TOKENS = 10_000  # parsing takes time with their number
MAX_OUTPUT = 1_000_000  # bytes of each part, in UTF-8

_BATCH = 64  # pieces between two looks at the size

_ENVIRONMENTS: Mapping[Part, Sandbox] = {
    "subject": Sandbox(autoescape=False),
    "html": Sandbox(autoescape=True),
    "text": Sandbox(autoescape=False),
}
# Whatever some reader of mail takes for the end of a line, and the other control characters.
_NOT_IN_A_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's text, ready to send. `html` is empty for a mail in plain text."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Template:
    """A checked and compiled template; compiling takes milliseconds, so callers keep it."""

    subject: jinja2.Template
    html: jinja2.Template
    text: jinja2.Template
    text_is_derived: bool

    @classmethod
    def compile(cls, subject: str, html: str, text: str) -> "Template":
        """Raises TemplateError, which names the part and line at fault. An empty text is derived from the HTML."""
        _check_subject(subject)
        if not html.strip() and not text.strip():
            raise TemplateError("html", "a template needs HTML or text")
        compiled_html = _compile(html, "html")
        derived = not text.strip()
        source = derive_text(_ENVIRONMENTS["html"], html) if derived else text
        return cls(_compile(subject, "subject"), compiled_html, _compile(source, "text"), derived)

    def render(self, context: Mapping[str, object]) -> Rendered:
        """Raises TemplateError, as for a missing variable without a default. The context's shape is in ROOTS."""
        variables = dict(context)
        subject = _render(self.subject, variables, "subject")
        if _NOT_IN_A_HEADER.search(subject):
            raise TemplateError("subject", "a value in it holds a line break or another control character")
        html, text = _render(self.html, variables, "html"), _render(self.text, variables, "text")
        return Rendered(subject, html, finish_text(text) if self.text_is_derived else text)


def _check_subject(source: str) -> None:
    if not source.strip():
        raise TemplateError("subject", "a template needs a subject")
    if _NOT_IN_A_HEADER.search(source):
        raise TemplateError("subject", "a subject is one line without control characters")


def _compile(source: str, part: Part) -> jinja2.Template:
    if len(source) > MAX_SOURCE:
        raise TemplateError(part, f"a part has at most {MAX_SOURCE} characters")
    _check_characters(source, part)
    try:
        tree = _parse(source, part)
        check(tree, part)
        bound_loops(tree)
        return _ENVIRONMENTS[part].from_string(tree)
    except TemplateError:
        raise
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(part, str(error.message), error.lineno) from error
    except Exception as error:  # a user's program: whatever it breaks is its own fault
        message = "it is nested too deeply" if isinstance(error, RecursionError) else "it cannot be read"
        raise TemplateError(part, message) from error


def _parse(source: str, part: Part) -> nodes.Template:
    environment = _ENVIRONMENTS[part]
    if sum(1 for _ in islice(environment.lex(source), MAX_TOKENS + 1)) > MAX_TOKENS:
        raise TemplateError(part, f"a part has at most {MAX_TOKENS} words and signs in its tags")
    return environment.parse(source)


def _render(template: jinja2.Template, variables: dict[str, object], part: Part) -> str:
    try:
        text = "".join(_stream(template, variables, part))
    except TemplateError:
        raise
    except Exception as error:  # likewise
        raise TemplateError(part, str(error), _line(template, error.__traceback__)) from error
    _check_characters(text, part)
    return text


def _stream(template: jinja2.Template, variables: dict[str, object], part: Part) -> list[str]:
    """The pieces of a rendering, given up as soon as they are too many."""
    stream = template.root_render_func(BoundedContext(template.environment, variables, None, {}))
    pieces: list[str] = []
    size = 0
    while batch := list(islice(stream, _BATCH)):
        size += sum(map(len, batch))
        if size > MAX_OUTPUT:
            raise TemplateError(part, f"it grows beyond {MAX_OUTPUT} bytes")
        pieces += batch
    return pieces


def _check_characters(text: str, part: Part) -> None:
    if "\0" in text:
        raise TemplateError(part, "it holds a NUL character")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise TemplateError(part, "it holds half a character (a lone surrogate)") from error
    if size > MAX_OUTPUT:
        raise TemplateError(part, f"it is longer than {MAX_OUTPUT} bytes")


def _line(template: jinja2.Template, traceback: TracebackType | None) -> int | None:
    """The line of the template in which an error arose."""
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__jinja_template__") is template:
            line: int = template.get_corresponding_lineno(traceback.tb_lineno)
            return line
        traceback = traceback.tb_next
    return None
