"""What a PromQL expression asks for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import promql_parser


@dataclass
class Asked:
    """The series and labels of one expression."""

    selectors: list[promql_parser.VectorSelector] = field(default_factory=list)
    grouped_by: set[str] = field(default_factory=set)

    def names(self) -> set[str]:
        """Names of the series."""
        return {str(selector.name) for selector in self.selectors}

    def matchers(self) -> Iterator[tuple[str, str, str, str]]:
        """(series, label, operator, value) of each matcher."""
        for selector in self.selectors:
            for matcher in selector.matchers.matchers:
                yield str(selector.name), matcher.name, str(matcher.op).removeprefix("MatchOp."), matcher.value


def asked(expression: str) -> Asked:
    """Parse; raises ValueError when it is no PromQL."""
    found = Asked()

    def visit(node: Any) -> bool:
        match node:
            case promql_parser.MatrixSelector():
                found.selectors.append(node.vector_selector)
            case promql_parser.VectorSelector():
                found.selectors.append(node)
            case promql_parser.AggregateExpr() if node.modifier is not None:
                found.grouped_by |= set(node.modifier.labels)
            case promql_parser.BinaryExpr() if node.modifier is not None and node.modifier.matching is not None:
                found.grouped_by |= set(node.modifier.matching.labels)
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found
