"""The Python client says what docs/openapi.json says: its generated modules are up to date."""

from clients.python.generator.package import PACKAGE, modules, read_document


def test_the_generated_modules_are_what_the_document_makes_of_them() -> None:
    stale = [name for name, text in modules(read_document()) if (PACKAGE / name).read_text() != text]
    assert stale == [], "the API's description changed: run `make docs`"
