"""Templates and contacts that mean harm: refused, or no more than a mail's size."""

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroad_engine.errors import TemplateError
from postroad_engine.template_filters import FILTERS
from postroad_engine.templates import MAX_OUTPUT, MAX_SOURCE, Template
from tests.size import examples

END = "{% endfor %}"
SECONDS = 3.0  # generous: a bomb takes minutes or the machine's memory

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ contact.__class__ }}",
    "{{ contact['__class__'] }}",
    "{{ contact.attributes['_' ~ '_class__'] }}",
    "{{ contact.attributes.__class__ }}",
    "{{ sender['__class__'] }}",
    "{{ contact.attributes.x._y }}",
    "{{ contact|attr('__class__') }}",
    "{{ contact.attributes|map(attribute='__class__')|list }}",
    "{{ contact.email.format('{0.__class__}') }}",
    "{{ '{0.__class__}'.format(contact) }}",
    "{{ '%s'|format(contact) }}",
    "{{ contact.email.format_map(contact) }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__['os'] }}",
    "{{ lipsum(n=100000) }}",
    "{{ namespace(a=1) }}",
    "{{ self._TemplateReference__context }}",
    "{{ self.__init__ }}",
    "{{ super() }}",
    "{{ caller() }}",
    "{{ url_for.__globals__ }}",
    "{{ joiner.__init__ }}",
    "{{ dict(a=1) }}",
    "{{ contact.keys() }}",
    "{{ contact.attributes.update(a=1) }}",
    "{{ contact.attributes.products.append(1) }}",
    "{% set contact = 1 %}",
    "{% set contact.email = 1 %}",
    "{% set x %}a{% endset %}",
    "{% macro m() %}{% endmacro %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% include '/etc/passwd' %}",
    "{% extends 'x' %}",
    "{% block b %}{% endblock %}",
    "{% call m() %}{% endcall %}",
    "{% with a=1 %}{% endwith %}",
    "{% filter upper %}{% endfilter %}",
    "{% autoescape false %}{{ contact.email }}{% endautoescape %}",
    "{% do contact.clear() %}",
    "{% debug %}",
    "{{ contact.email|safe }}",
    "{{ contact.email|pprint }}",
    "{{ contact.email|tojson }}",
    "{{ contact.email|xmlattr }}",
    "{{ contact.email|default(*contact.attributes.tags) }}",
    "{{ contact.email|default(**contact.attributes) }}",
    "{{ contact.attributes.tags|sort(attribute='__class__') }}",
    "{{ contact.attributes[contact.email] }}",
    "{{ contact.email[::-1] }}",
    "{{ {'a': 1} }}",
    "{{ loop }}",
    "{% for c in contact.attributes.tags %}{{ loop.__class__ }}{% endfor %}",
    "{% for c in contact.attributes.tags %}{{ loop.cycle('a') }}{% endfor %}",
    "{% for c in contact.attributes.tags %}{{ loop._iterator }}{% endfor %}",
    "{% for c in contact.attributes.tags recursive %}{{ loop(c) }}{% endfor %}",
    "{% for contact in contact.attributes.tags %}{% endfor %}",
    "{% for a in contact.attributes.tags %}{% for b in contact.attributes.tags %}{% endfor %}{% endfor %}",
    "{% for a in contact.attributes.tags %}{% if a %}{% for b in sender.x %}{% endfor %}{% endif %}{% endfor %}",
    "{% for a, loop in contact.attributes.tags %}{% endfor %}",
    "{% if contact is mapping(1) %}{% endif %}",
    "{% if contact is filter %}{% endif %}",
]

BOMBS = [
    "{{ 'a' * 300000000 }}",
    "{{ contact.attributes.tags * 300000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ '%0300000000d' % 1 }}",
    "{{ '%0300000000d'|format(1) }}",
    "{{ 'a'|center(300000000) }}",
    "{{ 'a'|indent(300000000) }}",
    "{{ 'a'|ljust(300000000) }}",
    "{{ contact.email|replace('', contact.email)|replace('', contact.email) }}",
    "{{ contact.attributes.tags|batch(100000000, 'x')|list }}",
    "{{ contact.attributes.tags|slice(100000000)|list }}",
    "{{ 1|round(999999999, 'ceil') }}",
    "{{ 'a' ~ 'a' }}",
    "{{ [1] + [2] }}",
    "{{ range(1000000000) }}",
    "{% for a in range(1000000000) %}{% endfor %}",
    "{% for a in contact.attributes.long %}{% for b in contact.attributes.long %}x{% endfor %}{% endfor %}",
    "{% for a in contact.attributes.long if (contact.attributes.long|join) %}{% endfor %}",
    "{% for a in contact.attributes.long %}{{ contact.attributes.long|join(contact.attributes.wide) }}{% endfor %}",
    "{% for a in contact.attributes.long %}{{ contact.attributes.wide }}{% endfor %}",
    "{% for a in contact.attributes.long %}" + "{% if a == 1 %}{% endif %}" * 300 + "{% endfor %}",
    "{% for a in contact.attributes.long %}" + "x" * 200_000 + "{% endfor %}",
    "{% for a in contact.attributes.wide %}x{% endfor %}",
    "{{ contact.attributes.wide|upper|urlencode }}",
    "{{ contact.attributes.long|join(contact.attributes.wide) }}",
    "{{ contact.attributes.wide|join(contact.attributes.wide) }}",
    "{{ contact.attributes.wide|truncate(999999999, contact.attributes.wide) }}",
    "{{ contact.attributes.digits|int }}",
    "{{ '1e308'|int }}",
    "{{ " + "9" * 5000 + " }}",
    "{{ 1e999999999 }}",
    "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
    "{{ " + "(" * 100_000 + "1" + ")" * 100_000 + " }}",
    "{{ " + "not " * 50_000 + "1 }}",
    "{{ contact" + ".a" * 50_000 + " }}",
    "{{ contact.email" + "|upper" * 30_000 + " }}",
    "{{ 1" + " or 1" * 40_000 + " }}",
    "{{ 1" + " == 1" * 40_000 + " }}",
    "{{ [" + "1," * 100_000 + "] }}",
    "{{ contact.email }}" * 13_000,
    "{% if contact.email %}" * 5_000 + "{% endif %}" * 5_000,
    "{% if 0 %}" + "{% elif 0 %}" * 15_000 + "{% endif %}",
    "{#" * 100_000,
    "{%" * 100_000,
    "{{" * 100_000,
    "{{ '" + "\\" * 100_001 + " }}",
    "{{ contact.attributes.wide }}" * 40,
    "x" + "<p>" * 80_000 + "{{ contact.email }}",
    "x" + "<br> " * 50_000 + "{{ contact.email }}",
    "<a href=x>" * 25_000,
    "<a href=x>" * 15_000 + "y" + "</a>" * 15_000,
    "<" * 250_000,
    "&" * 250_000,
    "<!" * 125_000,
    "<a " * 80_000,
    "<style>" * 30_000,
    "x" * (MAX_SOURCE + 1),
]

WIDE = "wide & <long> " * 5_000
CONTEXT: dict[str, Any] = {
    "contact": {
        "email": "ada@example.com",
        "first_name": "Ada",
        "attributes": {
            "tags": ["a", "b"],
            "products": [{"name": "Engine"}],
            "long": list(range(10_000)),
            "half": list(range(5_000)),
            "wide": WIDE,
            "digits": "9" * 4_000,
        },
    },
    "sender": {},
    "tenant": {},
    "unsubscribe_url": "https://t.example.com/u/abc",
}


def size_of(subject: str, html: str, text: str) -> int | None:
    """Bytes of the largest part, None when the template is refused; fails when either takes long."""
    begun = time.process_time()
    size = None
    with suppress(TemplateError):
        rendered = Template.compile(subject, html, text).render(CONTEXT)
        size = max(len(part.encode()) for part in (rendered.subject, rendered.html, rendered.text))
    assert time.process_time() - begun < SECONDS
    return size


@pytest.mark.parametrize("source", ESCAPES)
def test_a_way_out_of_the_sandbox_is_refused_when_saving(source: str) -> None:
    for parts in (("s", "", source), ("s", source, "t"), (source, "", "t")):
        with pytest.raises(TemplateError):
            Template.compile(*parts)


@pytest.mark.parametrize("source", BOMBS, ids=lambda source: str(source)[:60])
def test_a_bomb_is_refused_or_stays_the_size_of_a_mail(source: str) -> None:
    for size in (size_of("s", "", source), size_of("s", source, "t"), size_of("s", source, "")):
        assert size is None or size <= MAX_OUTPUT


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% for a in contact.attributes.long %}{% if a == 1 %}{% endif %}{% endfor %}", "loops are too long"),
        ("{% for a in contact.attributes.half %}" + "x" * 2_000 + END, "grows beyond 1000000 bytes"),
        ("{% for a in contact.attributes.half %}{{ a }}{% endfor %}" * 2, "loops are too long"),
    ],
)
def test_a_loop_that_works_or_grows_too_much_is_given_up_on_the_way(source: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        Template.compile("s", "", source).render(CONTEXT)


def test_a_mail_may_be_large_but_not_larger_than_the_limit() -> None:
    half = "{{ contact.attributes.wide }}" * 14
    assert size_of("s", "", half) == 14 * len(WIDE)
    assert size_of("s", "", half + "{{ contact.attributes.wide }}") is None


def test_the_limit_counts_bytes_and_not_characters() -> None:
    euros = {"contact": {"attributes": {"wide": "€" * 400_000}}}
    with pytest.raises(TemplateError, match="bytes"):
        Template.compile("s", "", "{{ contact.attributes.wide }}").render(euros)


def test_a_loop_over_an_ordinary_list_is_far_from_the_limit() -> None:
    products = [{"name": f"Product {number}", "price": number} for number in range(200)]
    source = (
        "{% for p in contact.attributes.products %}{{ loop.index }}. {{ p.name|upper }}: {{ p.price }}\n{% endfor %}"
    )
    text = Template.compile("s", "", source).render({"contact": {"attributes": {"products": products}}}).text
    assert text.endswith("200. PRODUCT 199: 199\n")


# A grammar that knows Jinja better than the rules do: much of what it makes is refused, none of it may do harm.
names = st.sampled_from(
    ["contact", "sender", "unsubscribe_url", "x", "y", "loop", "self", "range", "_", "none", "true"]
)
attributes = st.sampled_from(
    ["email", "first_name", "attributes", "tags", "long", "wide", "digits", "items", "index", "cycle", "__class__", "0"]
)
constants = st.sampled_from(
    ["1", "0", "-1", "999999999", "'a'", "'__class__'", "1.5", "[1, 2]", "('a', 1)", "{'a': 1}"]
)
all_filters = st.sampled_from([*sorted(FILTERS), "safe", "attr", "format", "center", "map", "replace", "list", "round"])
operators = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "and", "or"])
expressions: st.SearchStrategy[str] = st.recursive(
    names | constants,
    lambda inner: st.one_of(
        st.tuples(inner, attributes).map(".".join),
        st.tuples(inner, inner).map(lambda two: f"{two[0]}[{two[1]}]"),
        st.tuples(inner, all_filters).map("|".join),
        st.tuples(inner, all_filters, inner).map(lambda three: f"{three[0]}|{three[1]}({three[2]})"),
        st.tuples(inner, operators, inner).map(" ".join).map("({})".format),
        st.tuples(inner, inner, inner).map(lambda three: f"({three[0]} if {three[1]} else {three[2]})"),
        st.tuples(inner, inner).map(lambda two: f"{two[0]}({two[1]})"),
        inner.map(lambda one: f"{one} is defined"),
        inner.map(lambda one: f"not {one}"),
    ),
    max_leaves=10,
)
bodies: st.SearchStrategy[str] = st.recursive(
    expressions.map(lambda one: f"{{{{ {one} }}}}")
    | st.sampled_from(["text", "<p>", "</p>", "{{", "%}", "{#", "\n", "€"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.tuples(expressions, inner).map(lambda two: f"{{% if {two[0]} %}}{two[1]}{{% endif %}}"),
        st.tuples(expressions, inner).map(lambda two: f"{{% for x in {two[0]} %}}{two[1]}{{% endfor %}}"),
        st.tuples(expressions, inner).map(lambda two: f"{{% for y in {two[0]} if y %}}{two[1]}{{% endfor %}}"),
        st.tuples(names, expressions).map(lambda two: f"{{% set {two[0]} = {two[1]} %}}"),
    ),
    max_leaves=8,
)


@given(bodies)
@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow])
def test_any_template_is_refused_or_stays_the_size_of_a_mail(source: str) -> None:
    size = size_of("s", source, "")
    assert size is None or size <= MAX_OUTPUT


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MANY_USES = Template.compile(
    "s",
    "{{ contact.attributes.a|default('x') }}{% if contact.attributes.b > 1 %}b{% endif %}",
    "{% for x in contact.attributes.c %}{{ x.y|join(', ') }}{{ x|upper|truncate(3)|urlencode }}{% endfor %}"
    "{{ contact.attributes.d|int }}{{ contact.attributes.e|first }}{{ contact.attributes.f|length }}",
)


@given(st.dictionaries(st.sampled_from("abcdef"), json_values))
def test_any_contact_is_rendered_or_refused_in_words(attributes: dict[str, Any]) -> None:
    with suppress(TemplateError):
        MANY_USES.render({"contact": {"attributes": attributes}})
