"""Links and the pixel in a finished mail."""

import time
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from postroad_engine.links import add_pixel, rewrite_links


def marked(html: str, *keep: str) -> str:
    return rewrite_links(html, lambda target: f"https://t/?{target}", keep=keep)


@pytest.mark.parametrize(
    ("html", "rewritten"),
    [
        ('<a href="https://x.com/">', '<a href="https://t/?https://x.com/">'),
        ("<a href='http://x.com/'>", '<a href="https://t/?http://x.com/">'),
        ("<A class=b HREF = HTTPS://x.com/a>go</A>", '<A class=b href="https://t/?HTTPS://x.com/a">go</A>'),
        ('<a\n\ttitle="a > b"\n href="https://x.com">', '<a\n\ttitle="a > b" href="https://t/?https://x.com">'),
        ('<a href="https://x.com/?a=1&amp;b=2">', '<a href="https://t/?https://x.com/?a=1&amp;b=2">'),
        ('<a href="https://x.com/?a=1&b=%22">', '<a href="https://t/?https://x.com/?a=1&amp;b=%22">'),
        ('<a href=" https://x.com/ ">', '<a href="https://t/?https://x.com/">'),
        ("<a href=\"https://x.com/?q='a'\">", "<a href=\"https://t/?https://x.com/?q='a'\">"),
        (
            '<a href="https://a"></a><a href="https://b">',
            '<a href="https://t/?https://a"></a><a href="https://t/?https://b">',
        ),
    ],
)
def test_a_web_link_is_rewritten_with_its_entities_resolved(html: str, rewritten: str) -> None:
    assert marked(html) == rewritten


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:a@example.com">',
        '<a href="tel:+49">',
        '<a href="#top">',
        '<a href="/relative">',
        '<a href="ftp://x.com">',
        '<a href="javascript:alert(1)">',
        '<a href="">',
        "<a href>",
        '<a name="https://x.com">',
        '<a data-href="https://x.com">',
        "<a title='href=\"https://x.com\"'>",
        '<abbr href="https://x.com">',
        '<link href="https://x.com/style.css">',
        '<img src="https://x.com/a.png">',
        '<!-- <a href="https://x.com"> -->',
        '<!-- <a href="https://x.com">',
        "https://x.com",
        'href="https://x.com"',
        "",
    ],
)
def test_everything_else_is_left_as_it_is(html: str) -> None:
    assert marked(html) == html


def test_the_unsubscribe_link_is_kept() -> None:
    unsubscribe = "https://t.example.com/u/abc?x=1&y=2"
    html = '<a href="https://t.example.com/u/abc?x=1&amp;y=2">no more</a>'
    assert marked(html, unsubscribe) == html


def test_what_the_callback_gives_cannot_break_out_of_the_attribute() -> None:
    html = rewrite_links('<a href="https://x.com">', lambda _: 'https://t/"><script>&')
    assert html == '<a href="https://t/&quot;><script>&amp;">'


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str | None] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.targets.append(next((value for name, value in attrs if name == "href"), None))


def links_of(html: str) -> list[str | None]:
    parser = _Links()
    parser.feed(html)
    parser.close()
    return parser.targets


attributes = st.sampled_from(
    ['class="b"', "title='a > b'", "download", "data-href=x", "style = 'x'", 'title="<a href=y>"']
)
targets = st.text(st.characters(codec="utf-8", exclude_characters="\"'<>&", exclude_categories=["C", "Z"]), max_size=20)


@given(st.lists(st.tuples(st.lists(attributes, max_size=2), targets, st.lists(attributes, max_size=2)), max_size=4))
def test_a_parser_finds_exactly_the_rewritten_targets(links: list[tuple[list[str], str, list[str]]]) -> None:
    html = "<p>".join(
        f'<a {" ".join([*before, f"""href="https://{target}" """, *after])}>x</a>' for before, target, after in links
    )
    assert links_of(marked(html)) == [unescape(f"https://t/?https://{target}") for _, target, _ in links]


@pytest.mark.parametrize(
    "piece",
    ["<a ", "<a x=<", '<a x=" <a y" ', "<!--", "<a x='\" <a x=\"' ", "<a\n href\n ", "</body", "</body ", "<a x", " x"],
)
def test_no_text_makes_it_slow(piece: str) -> None:
    html = "<a" + piece * (1_000_000 // len(piece))
    begun = time.process_time()
    add_pixel(marked(html), "https://t/o.gif")
    assert time.process_time() - begun < 5.0


@given(st.text(st.sampled_from("<a href=\"'>-!hHx/ \n&;:p"), max_size=60))
def test_text_without_a_web_link_is_never_changed(html: str) -> None:
    assert marked(html) == html


@pytest.mark.parametrize(
    ("html", "position"),
    [
        ("<body>x</body></html>", "<body>x|</body></html>"),
        ("<p>x</p>", "<p>x</p>|"),
        ("<pre></body></pre></BODY >", "<pre></body></pre>|</BODY >"),
        ("", "|"),
    ],
)
def test_the_pixel_stands_at_the_end_of_the_body(html: str, position: str) -> None:
    pixel = '<img src="https://t/o?a=1&amp;b=2" width="1" height="1" alt="" style="display:none">'
    assert add_pixel(html, "https://t/o?a=1&b=2") == position.replace("|", pixel)
