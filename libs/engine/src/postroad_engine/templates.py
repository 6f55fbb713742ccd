"""Templates of mails: checked and compiled when they are saved, filled in for one contact at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from postroad_engine.errors import Part, TemplateError

_HTML = ImmutableSandboxedEnvironment(autoescape=True, undefined=jinja2.StrictUndefined)
_TEXT = ImmutableSandboxedEnvironment(autoescape=False, undefined=jinja2.StrictUndefined)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's text, ready to send. `html` is empty for a mail in plain text."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template; compiling takes milliseconds, so callers keep it."""

    subject: jinja2.Template
    html: jinja2.Template
    text: jinja2.Template

    @classmethod
    def compile(cls, subject: str, html: str, text: str) -> "Template":
        """Raises TemplateError, which names the part and line at fault."""
        return cls(_compile(_TEXT, subject, "subject"), _compile(_HTML, html, "html"), _compile(_TEXT, text, "text"))

    def render(self, context: Mapping[str, object]) -> Rendered:
        """Raises TemplateError, for example for a missing variable without a default."""
        try:
            return Rendered(self.subject.render(context), self.html.render(context), self.text.render(context))
        except jinja2.UndefinedError as error:
            raise TemplateError("html", str(error.message)) from error


def _compile(environment: jinja2.Environment, source: str, part: Part) -> jinja2.Template:
    try:
        return environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(part, str(error.message), error.lineno) from error
