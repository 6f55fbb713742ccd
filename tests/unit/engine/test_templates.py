"""Mails from templates, as their authors and recipients see them."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_engine.errors import TemplateError
from postroad_engine.templates import Rendered, Template

CONTEXT: dict[str, Any] = {
    "contact": {
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "",
        "company": "Byron & Sons <Ltd>",
        "timezone": None,
        "attributes": {
            "plan": "pro", "seats": "12", "items": "own", "products": [{"name": "Engine"}, {"name": "Loom"}],
            "tags": ["a", "b"], "nothing": None, "odd key": "odd",
        },
    },
    "sender": {"name": "Grace"},
    "tenant": {"name": "Navy"},
    "unsubscribe_url": "https://t.example.com/u/abc",
}  # fmt: skip


def text_of(source: str, context: dict[str, Any] = CONTEXT) -> str:
    return Template.compile("s", "", source).render(context).text


def refusal_of(source: str, context: dict[str, Any] = CONTEXT) -> TemplateError:
    with pytest.raises(TemplateError) as refused:
        text_of(source, context)
    return refused.value


def test_a_mail_is_filled_in_for_its_contact() -> None:
    template = Template.compile(
        "Hi {{ contact.first_name }}",
        "<p>{{ contact.company }}</p>",
        "{{ contact.company }} of {{ sender.name }}, {{ tenant.name }}: {{ unsubscribe_url }}",
    )
    assert template.render(CONTEXT) == Rendered(
        "Hi Ada",
        "<p>Byron &amp; Sons &lt;Ltd&gt;</p>",
        "Byron & Sons <Ltd> of Grace, Navy: https://t.example.com/u/abc",
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% if contact.attributes.plan == 'pro' %}a{% else %}b{% endif %}", "a"),
        ("{% if contact.attributes.plan in ['free', 'pro'] %}a{% endif %}", "a"),
        ("{% if contact.attributes.seats|int > 10 %}many{% elif contact.email %}few{% endif %}", "many"),
        ("{{ 'a' if contact.last_name else 'b' }}", "b"),
        ("{% for p in contact.attributes.products %}{{ loop.index }}{{ p.name }}{% endfor %}", "1Engine2Loom"),
        ("{% for p in contact.attributes.products if p.name != 'Loom' %}{{ p.name }}{% else %}-{% endfor %}", "Engine"),
        ("{{ contact.attributes.tags|join(', ') }}", "a, b"),
        ("{{ contact.attributes.tags|first }}{{ contact.attributes.tags|last }}", "ab"),
        ("{{ contact.attributes.products[1].name }}", "Loom"),
        ("{{ contact.attributes['odd key'] }}", "odd"),
        ("{{ contact.attributes.items }}", "own"),
        ("{{ contact.company|truncate(7) }}", "Byron…"),
        ("{{ contact.first_name|upper|lower|title|capitalize|trim }}", "Ada"),
        ("{{ contact.email|urlencode }}", "ada%40example.com"),
        ("{{ contact.attributes.tags|length }}", "2"),
        ("{# a note #}{% raw %}{{ braces }}{% endraw %}", "{{ braces }}"),
    ],
)
def test_what_authors_need_is_there(source: str, text: str) -> None:
    assert text_of(source) == text


@pytest.mark.parametrize(
    "name",
    ["contact.attributes.city", "contact.attributes.city.name", "contact.timezone", "contact.attributes.nothing"],
)
def test_a_missing_variable_is_named_and_a_default_stands_in(name: str) -> None:
    assert "missing variable" in refusal_of(f"{{{{ {name} }}}}").message
    assert text_of(f"{{{{ {name}|default('there') }}}}") == "there"
    assert text_of(f"{{% if {name} %}}a{{% else %}}b{{% endif %}}") == "b"


def test_a_default_stands_in_for_what_is_empty_too() -> None:
    assert text_of("{{ contact.last_name|default('friend') }}") == "friend"
    assert text_of("[{{ contact.last_name }}]") == "[]"
    assert text_of("{{ 0|default('none', true) }}{{ 0|d('x') }}") == "none0"


def test_an_error_names_part_line_and_variable() -> None:
    template = Template.compile("s", "<p>\n\n{{ contact.attributes.city }}</p>", "text")
    with pytest.raises(TemplateError) as refused:
        template.render(CONTEXT)
    assert (refused.value.part, refused.value.line) == ("html", 3)
    assert str(refused.value) == "html, line 3: missing variable city"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ first_name }}", "unknown variable first_name: write contact.first_name"),
        ("{{ contcat.email }}", "unknown variable contcat (did you mean contact?)"),
        ("{{ contact.frist_name }}", "did you mean first_name?"),
        ("{{ contact.plan }}", "a field of your own is contact.attributes.plan"),
        ("{{ contact.email|uper }}", "did you mean upper?"),
        ("{% if contact.email is defned %}{% endif %}", "did you mean defined?"),
        ("{% if contact.email %}", "Unexpected end of template"),
        ("{{ contact.email|truncate(1, 2, 3) }}", "wrong arguments"),
        ("{{ loop.index }}", "unknown variable loop"),
    ],
)
def test_a_mistake_is_found_when_saving_and_says_the_cure(source: str, message: str) -> None:
    with pytest.raises(TemplateError) as refused:
        Template.compile("s", "", source)
    assert message in refused.value.message
    assert refused.value.line == 1


def test_a_list_is_not_printed_as_code() -> None:
    assert "cannot be printed" in refusal_of("{{ contact.attributes.products }}").message
    assert "cannot be printed" in refusal_of("{{ contact.attributes }}").message


@pytest.mark.parametrize("part", ["subject", "html", "text"])
def test_a_nul_is_refused_wherever_it_stands(part: str) -> None:
    with pytest.raises(TemplateError):
        Template.compile(**({"subject": "s", "html": "h", "text": "t"} | {part: "a\0b"}))
    template = Template.compile("{{ contact.first_name }}", "{{ contact.email }}", "{{ contact.company }}")
    field = {"subject": "first_name", "html": "email", "text": "company"}[part]
    with pytest.raises(TemplateError) as refused:
        template.render(CONTEXT | {"contact": CONTEXT["contact"] | {field: "a\0b"}})
    assert refused.value.part == part


@pytest.mark.parametrize("bad", ["\r", "\n", "\r\n", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x7f"])
def test_a_subject_is_one_line_whatever_the_contact_is_called(bad: str) -> None:
    template = Template.compile("Hi {{ contact.first_name }}", "", "text")
    with pytest.raises(TemplateError) as refused:
        template.render({"contact": {"first_name": f"Ada{bad}Bcc: everyone@example.com"}})
    assert refused.value.part == "subject"
    with pytest.raises(TemplateError):
        Template.compile(f"a{bad}b", "", "text")


@given(st.text())
def test_no_name_brings_a_line_break_into_a_subject(name: str) -> None:
    template = Template.compile("Hi {{ contact.first_name|title }}", "", "text")
    subject = "refused"
    with suppress(TemplateError):
        subject = template.render({"contact": {"first_name": name}}).subject
    assert len(subject.splitlines()) == 1
    assert "\0" not in subject


@given(st.text())
def test_no_name_becomes_markup(name: str) -> None:
    template = Template.compile(
        "s", "<a title=\"{{ contact.first_name }}\">{{ contact.first_name|default('x') }}</a>", "t"
    )
    try:
        html = template.render({"contact": {"first_name": name}}).html
    except TemplateError:
        assert "\0" in name
    else:
        assert html.count("<") == html.count(">") == 2
        assert html.count('"') == 2


def test_half_a_character_is_refused() -> None:
    with pytest.raises(TemplateError):
        Template.compile("s", "", "\ud800")
    assert "half a character" in refusal_of("{{ contact.email }}", {"contact": {"email": "\udc00"}}).message


@pytest.mark.parametrize(
    ("subject", "html", "text"), [("", "h", "t"), (" ", "h", "t"), ("s", "", ""), ("s", " ", "\n")]
)
def test_a_mail_without_subject_or_body_is_refused(subject: str, html: str, text: str) -> None:
    with pytest.raises(TemplateError, match="needs"):
        Template.compile(subject, html, text)


def test_a_plain_text_mail_needs_no_html() -> None:
    assert Template.compile("s", "", "text").render(CONTEXT).html == ""


def test_a_text_is_derived_from_the_html_with_its_tags() -> None:
    html = """
    <html><head><title>no</title><style>p { color: red }</style></head><body>
    <h1>Hello {{ contact.first_name|default("<there>") }}</h1>
    {% if contact.attributes.plan == "pro" %}
      <p>Your  <b>plan</b> is<br>{{ contact.attributes.plan }} &amp; good.</p>
    {% endif %}
    <ul>{% for p in contact.attributes.products %}<li>{{ p.name }}</li>{% endfor %}</ul>
    <a href="https://example.com/?who={{ contact.email|urlencode }}">Read</a>
    <a href="{{ unsubscribe_url }}">Unsubscribe</a> <a href="#top">Up</a>
    </body></html>"""
    assert Template.compile("s", html, "").render(CONTEXT).text == (
        "Hello Ada\n\nYour plan is\npro & good.\n\n- Engine\n- Loom\n\n"
        "Read (https://example.com/?who=ada%40example.com) Unsubscribe (https://t.example.com/u/abc) Up\n"
    )


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        ("pro", "Hi\n\nPro\n\nMore\n\n1\n2\n\nBye\n"),
        ("free", "Hi\n\nFree\n\n1\n2\n\nBye\n"),
        (None, "Hi\n\nFree\n\n1\n2\n\nBye\n"),
    ],
)
def test_a_block_left_out_leaves_no_gap_in_the_text(plan: str | None, text: str) -> None:
    html = """<p>Hi</p>
    {% if contact.attributes.plan == "pro" %}<p>Pro</p>{% else %}<p>Free</p>{% endif %}
    {% if contact.attributes.plan == "pro" %} <p>More</p> {% endif %}
    <table>{% for n in contact.attributes.numbers %}<tr><td>{{ n }}</td></tr>{% endfor %}</table><p>Bye</p>"""
    context = {"contact": {"attributes": {"plan": plan, "numbers": [1, 2]}}}
    assert Template.compile("s", html, "").render(context).text == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>&#123;&#123; 7 }} and &#123;% x %}</p>", "{{ 7 }} and {% x %}\n"),
        ("<p>{% raw %}{{ raw }}{% endraw %}</p>", "{{ raw }}\n"),
        ("<p>&#123;{{ sender.name }}}</p>", "{Grace}\n"),
        ("<p>\ue0005b\ue001</p>", "5b\n"),
        ("<p>{# note #}a{{- ' ' }}b</p>", "a b\n"),
    ],
)
def test_braces_in_the_html_stay_text(html: str, text: str) -> None:
    assert Template.compile("s", html, "").render(CONTEXT).text == text
