"""What the pages for operators tell people to run: fenced blocks, and the headings that links lead to."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("runbooks", "monitoring", "kubernetes", "troubleshooting", "scaling", "upgrading", "testing")
ROLE_OF = {"an administrator": None, "postroad_monitor": "postroad_monitor"}
"""How a statement's first line names who runs it, and the login role of that; None: a superuser."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_AS = re.compile(r"-- as ([a-z_ ]+?)(?::[^\n]*)?\n(.+)", re.DOTALL)
_HEADING = re.compile(r"^#{1,4} +(.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Statement:
    """A statement of a page and the role it is for."""

    page: str
    role: str | None
    sql: str


def pages() -> dict[str, str]:
    """Those pages that exist, by name."""
    files = {name: ROOT / "docs" / f"{name}.md" for name in PAGES}
    return {name: file.read_text() for name, file in files.items() if file.exists()}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [body for found, body in _FENCE.findall(text) if found == language]


def statements() -> list[Statement]:
    """Every statement of every page, also those that are handed to psql."""
    found = [
        Statement(page, "postroad_monitor", words[words.index("-c") + 1])
        for page, line in command_lines()
        if (words := shlex.split(line))[0] == "psql" and "$MONITOR_URL" in words
    ]
    for page, text in pages().items():
        for block in blocks(text, "sql"):
            match = _AS.fullmatch(block)
            if match is None:
                raise ValueError(f"{page}: the first line of a statement says `-- as` whom it is run:\n{block}")
            found.append(Statement(page, ROLE_OF[match[1]], match[2].strip().rstrip(";")))
    return found


def command_lines() -> list[tuple[str, str]]:
    """(page, line) of every shell line of every page, continuations joined."""
    return [
        (page, line.strip())
        for page, text in pages().items()
        for block in blocks(text, "sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]


def anchors(text: str) -> set[str]:
    """What a page's headings are linked as."""
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(text)}


def links(text: str) -> list[str]:
    """Targets of the links that lead to files of this repository."""
    return [target for target in _LINK.findall(text) if "://" not in target]
