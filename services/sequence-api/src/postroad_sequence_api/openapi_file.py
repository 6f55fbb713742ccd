"""Prints the API's description as it is kept in docs/openapi.json: `python -m postroad_sequence_api.openapi_file`."""

import sys

import orjson

from postroad_sequence_api.app import ROUTES
from postroad_sequence_api.openapi import describe


def text() -> str:
    """The document, indented and in the order of its names, so that a change of the API is seen line by line."""
    return orjson.dumps(describe(ROUTES), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
