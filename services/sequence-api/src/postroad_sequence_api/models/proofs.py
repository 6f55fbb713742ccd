"""Proofs: what must never be found in the data, and whether it is."""

from typing import Any

from postroad_sequence_api.models.base import View


class RuleResult(View):
    """One rule on live data. violations holds the ids of the first 100 offending rows; count is of all."""

    rule: str
    description: str
    count: int
    violations: tuple[dict[str, Any], ...]
    """The ids of the first 100 offending rows."""


class Verification(View):
    """All rules; ok: none is broken."""

    ok: bool
    """None is broken."""
    rules: tuple[RuleResult, ...]
