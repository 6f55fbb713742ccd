"""`postroad verify`: the proofs on live data."""

from __future__ import annotations

import json

import typer

from postroad.cli.session import JsonFlag, as_tenant, print_json
from postroad.cli.words import output, plain, table
from postroad.client import AsyncClient
from postroad.models import Verification


def verify(*, as_json: JsonFlag = False) -> None:
    """Prove on live data that nothing was sent twice, after a stop, or forgotten; exit 1 and name the rows if not."""
    broken = False

    async def work(client: AsyncClient) -> None:
        nonlocal broken
        report = await client.verify()
        broken = not report.ok
        if as_json:
            print_json(report)
        else:
            show(report)

    as_tenant(work)
    if broken:
        raise typer.Exit(1)


def show(report: Verification) -> None:
    """A line a rule, and each row that breaks one."""
    shown = table("rule", "what it says", "broken by", numbers=("broken by",))
    for rule in report.rules:
        count = plain(rule.count, style="bold red") if rule.count else plain("-", style="green")
        shown.add_row(plain(rule.rule), plain(rule.description), count)
    output.print(shown)
    for rule in report.rules:
        for violation in rule.violations:
            output.print(plain(f"{rule.rule}: {json.dumps(dict(violation), ensure_ascii=False)}"), soft_wrap=True)
    kept = f"All {len(report.rules)} rules hold." if report.ok else "Rules are broken: the rows are named above."
    output.print(plain(kept, style="bold green" if report.ok else "bold red"))
