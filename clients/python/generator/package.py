"""The generated modules of the package, in their shape."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from clients.python.generator.models import models_module, params_module
from clients.python.generator.operations import AWAITED, WAITING, operations_module
from clients.python.generator.schemas import Types, named_choices

_ROOT: Final = Path(__file__).parents[3]
PACKAGE: Final = _ROOT / "clients/python/src/postroad"


def modules(document: Any) -> Iterator[tuple[str, str]]:
    """Name and text of every generated module."""
    types = Types(document["components"]["schemas"], named_choices(document), models="m.", params="p.")
    yield "models.py", _in_shape(models_module(types, document))
    yield "params.py", _in_shape(params_module(types, document))
    yield "operations.py", _in_shape(operations_module(document, types, WAITING))
    yield "async_operations.py", _in_shape(operations_module(document, types, AWAITED))


def read_document() -> Any:
    """docs/openapi.json."""
    return json.loads((_ROOT / "docs/openapi.json").read_text())


def _in_shape(text: str) -> str:
    """As ruff formats it, without imports that are not used."""
    ruff = [sys.executable, "-m", "ruff"]
    name = ["--stdin-filename", str(PACKAGE / "generated.py"), "-"]
    for command in (["check", "--select", "F401,I001", "--fix-only", "--quiet"], ["format", "--quiet"]):
        text = subprocess.run([*ruff, *command, *name], input=text, text=True, capture_output=True, check=True).stdout  # noqa: S603
    return text
