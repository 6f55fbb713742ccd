"""Writes the generated modules of the package: `python -m clients.python.generator`."""

from __future__ import annotations

from clients.python.generator.package import PACKAGE, modules, read_document

for name, text in modules(read_document()):
    (PACKAGE / name).write_text(text)
