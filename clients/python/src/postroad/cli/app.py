"""The command's tree, one module a noun."""

from __future__ import annotations

import typer

from postroad.cli import contacts, enroll, explain, jobs, parking, restore, senders, sequences, tenant, verify, watch

app = typer.Typer(
    name="postroad",
    help="Run email sequences. POSTROAD_URL says where the API is, POSTROAD_API_KEY who asks.",
    epilog="Exit codes: 0 done, 1 verify found a broken rule, 2 not as asked, 3 not allowed or not set up, "
    "4 the service does not answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(tenant.app, name="tenant")
app.add_typer(senders.app, name="senders")
app.add_typer(contacts.app, name="contacts")
app.add_typer(sequences.app, name="sequences")
app.add_typer(jobs.app, name="jobs")
app.add_typer(parking.app, name="parking")
app.add_typer(restore.app, name="restore")
app.command("enroll")(enroll.enroll)
app.command("watch")(watch.watch)
app.command("stats")(watch.stats)
app.command("pause")(sequences.pause)
app.command("resume")(sequences.resume)
app.command("explain")(explain.explain)
app.command("verify")(verify.verify)


def main() -> None:
    """Entry point."""
    app()
