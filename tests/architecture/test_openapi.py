"""The API's description is sound, says what the code says, and its examples are true."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from typing_extensions import override

from postroad_sequence_api.app import ROUTES
from postroad_sequence_api.door import Route
from postroad_sequence_api.endpoints import read
from postroad_sequence_api.models.api_keys import NOUNS
from postroad_sequence_api.openapi_file import text
from postroad_sequence_api.openapi_page import docs_page
from postroad_sequence_api.problem_codes import CODES

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "services/sequence-api/src/postroad_sequence_api"
METHODS = {"get", "post", "put", "patch", "delete"}


@cache
def document() -> Any:
    """As in docs, which the first test holds to the code; to describe the routes takes each process a second."""
    return json.loads((ROOT / "docs" / "openapi.json").read_text())


def operations() -> list[tuple[str, str, Any]]:
    return [(path, method, one) for path, item in document()["paths"].items() for method, one in item.items()]


def name_of(operation: tuple[str, str, Any]) -> str:
    return str(operation[2]["operationId"])


@cache
def registry() -> Registry[Any]:
    return DRAFT202012.create_resource({"$id": "urn:document", **document()}) @ Registry()


def errors(schema: Any, value: Any) -> list[str]:
    """What a schema of the document says against a value."""
    rooted = json.loads(json.dumps(schema).replace('"#/', '"urn:document#/'))
    validator = Draft202012Validator(rooted, registry=registry(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def schemas(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every object below a value that is or may be a schema, by its place."""
    if isinstance(value, dict):
        yield path, value
        for name, inner in value.items():
            yield from schemas(inner, f"{path}/{name}") if name not in {"example", "examples", "default"} else ()
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from schemas(inner, f"{path}/{place}")


def test_the_document_in_docs_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "openapi.json").read_text() == text(), "the API's description changed: run `make docs`"


def test_the_document_is_openapi() -> None:
    validate(document())
    assert document()["openapi"] == "3.1.0"


def test_every_route_is_described_once_under_its_own_name() -> None:
    assert {(path, method.upper()) for path, method, _ in operations()} == {(r.path, r.method) for r in ROUTES}
    names = [one["operationId"] for _, _, one in operations()]
    assert len(names) == len(set(names))
    assert {tag["name"] for tag in document()["tags"]} <= {*NOUNS, "parking", "restore"}


@pytest.mark.parametrize("operation", operations(), ids=name_of)
def test_an_operation_says_what_it_does_takes_and_gives(operation: tuple[str, str, Any]) -> None:
    path, _, one = operation
    assert one["summary"]
    assert {p["name"] for p in one["parameters"] if p["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
    done = [status for status in one["responses"] if status.startswith("2")]
    assert len(done) == 1 or done == ["200", "201"]
    assert done == ["204"] or one["responses"][done[0]]["content"]
    assert ("x-scope" in one) == (one["security"] == [{"key": []}])


def test_a_schema_says_what_stands_in_each_of_its_fields() -> None:
    silent = [
        path
        for path, schema in schemas(document()["components"]["schemas"])
        if path.split("/")[-2:-1] == ["properties"]
        and not {"type", "$ref", "anyOf", "oneOf", "enum", "const"} & set(schema)
        and not path.endswith("/body")
    ]
    assert silent == []


@pytest.mark.parametrize("route", [r for r in ROUTES if read(r.handler, r.path).body is not None], ids=lambda r: r.path)
def test_the_example_of_a_body_is_taken(route: Route) -> None:
    content = document()["paths"][route.path][route.method.lower()]["requestBody"]["content"]["application/json"]
    body = read(route.handler, route.path).body
    assert body is not None
    body.model_validate_json(json.dumps(content["example"]))
    assert errors(content["schema"], content["example"]) == []


def test_the_example_of_an_answer_fits_its_schema() -> None:
    answers = {
        f"{name_of(one)} {status}": answer for one in operations() for status, answer in one[2]["responses"].items()
    }
    for name, answer in (answers | document()["components"]["responses"]).items():
        for content in answer.get("content", {}).values():
            assert "example" not in content or errors(content["schema"], content["example"]) == [], name


def test_every_example_and_every_default_fits_its_own_schema() -> None:
    for path, schema in schemas(document()):
        for value in [*schema.get("examples", ()), *([schema["default"]] if "default" in schema else [])]:
            own = {name: inner for name, inner in schema.items() if name not in {"examples", "default"}}
            if "type" in own or "anyOf" in own:
                assert errors(own, value) == [], path


STATUS_OF = {"ConflictError": 409, "BadRequestError": 400}


def raised(tree: ast.AST, base: str = "") -> Iterator[tuple[int, str]]:
    """Status and code of each problem that is made below a node; base: the class that its class is derived from."""
    for node in ast.iter_child_nodes(tree):
        inner = ast.unparse(node.bases[0]) if isinstance(node, ast.ClassDef) and node.bases else base
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            arguments = [one.value if isinstance(one, ast.Constant) else None for one in node.args]
            match base if called == "super().__init__" else called, arguments:
                case "Problem", [int(status), str(code), *_]:
                    yield status, code
                case ("ConflictError" | "BadRequestError") as name, [str(code), *_]:
                    yield STATUS_OF[name], code
                case _:
                    pass
        yield from raised(node, inner)


def test_every_code_of_a_problem_is_documented() -> None:
    files = [*SOURCES.rglob("*.py"), ROOT / "libs/common/src/postroad_common/problems.py"]
    made = {found for file in files for found in raised(ast.parse(file.read_text()))}
    made |= {(422, "invalid"), (503, "unavailable")}  # of postroad_common.problems
    documented = {(status, code) for status, codes in CODES.items() for code in codes}
    assert {(status, code) for status, code in made if status != 500} == documented


class Links(HTMLParser):
    """What a page loads or leads to, and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.tags: set[str] = set()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"href", "src", "action", "srcset", "data", "poster"}:
                self.targets.append(value or "")
            if name == "id":
                self.anchors.add(value or "")


def test_the_page_for_people_shows_every_operation_and_asks_no_other_site() -> None:
    page = docs_page(document())
    links = Links()
    links.feed(page)
    assert {one["operationId"] for _, _, one in operations()} <= links.anchors
    assert {f"schema-{name}" for name in document()["components"]["schemas"]} <= links.anchors
    assert [t for t in links.targets if not t.startswith("#") and t != "/openapi.json"] == []
    assert {t.removeprefix("#") for t in links.targets if t.startswith("#")} <= links.anchors
    assert not {"script", "img", "iframe", "link", "object", "embed"} & links.tags
    assert not re.search(r"@import|url\(", page)
