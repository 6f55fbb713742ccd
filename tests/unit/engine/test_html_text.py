"""The plain text of an HTML mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_engine.html_text import html_to_text
from postroad_engine.html_tokens import End, Start, Text, tokens


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<div><p>one</p></div><div>two</div>", "one\n\ntwo"),
        ("one<br>two<br/><BR>three", "one\ntwo\n\nthree"),
        ("<ul><li>one<li>two</ul>after", "- one\n- two\n\nafter"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("a  \n\t b", "a b"),
        ("<b>bo</b>ld", "bold"),
        ("&lt;b&gt; &amp; &#8364; &nosuch;", "<b> & € &nosuch;"),
        ("<!-- <p>no</p> -->yes<!DOCTYPE html>", "yes"),
        ("<head><title>no</title></head><style>p > a {}</style><script>if (a<b) {}</script>yes", "yes"),
        ('<img alt="Logo" src="x">', "Logo"),
        ('<a href="https://x.com/?a=1&amp;b=2">go</a>', "go (https://x.com/?a=1&b=2)"),
        ('<a href="https://x.com">https://x.com</a>', "https://x.com"),
        ('<a href="https://x.com"><img src="y"></a>', "https://x.com"),
        ('<a href="mailto:a@b.c">write</a> <a href="#x">up</a> <a>no</a>', "write up no"),
        ('<a title="a > b" href="https://x.com">go</a>', "go (https://x.com)"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("</p></a></style>stray", "stray"),
    ],
)
def test_the_text_says_what_the_html_shows(html: str, text: str) -> None:
    assert html_to_text(html) == text


def test_a_number_too_long_for_a_character_stays_as_it_is() -> None:
    bomb = "&#" + "9" * 5_000 + ";"
    assert html_to_text(f"<p>{bomb}</p>") == bomb


def test_tags_are_read_as_browsers_do() -> None:
    html = "a<IMG Alt='x > y' SRC=z checked alt=again>&amp;</P >"
    assert list(tokens(html)) == [
        Text("a"),
        Start("img", {"alt": "x > y", "src": "z", "checked": ""}),
        Text("&"),
        End("p"),
    ]


@given(st.text(st.sampled_from("<>&/!-=\"' apbr#;1\n")))
def test_any_html_has_a_text_without_gaps(html: str) -> None:
    text = html_to_text(html)
    assert text == text.strip()
    assert "\ue002" not in text
