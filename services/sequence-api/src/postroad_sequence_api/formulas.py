"""Cells that no spreadsheet takes for a formula, and back.

A text that begins like a formula stands behind an apostrophe (OWASP, CSV injection): to a spreadsheet that means text.
One that begins with apostrophes before it gets one more, so that what is written can be read again as it was.
"""

import re
from typing import Final

_BEGINS: Final = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
_FORMULA: Final = re.compile(rf"'*{_BEGINS}")
_HARMLESS: Final = re.compile(rf"'+{_BEGINS}")


def harmless(text: str) -> str:
    """A cell for a CSV file."""
    return f"'{text}" if _FORMULA.match(text) else text


def as_it_was(cell: str) -> str:
    """The text of such a cell."""
    return cell[1:] if _HARMLESS.match(cell) else cell
