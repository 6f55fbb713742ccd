"""A migrated database: walls on every tenant's table, keys that carry the tenant, roles that own nothing."""

import re

import asyncpg
import pytest

from tests.architecture import catalogue

LOGIN_ROLES = [
    "postroad_sequence_api",
    "postroad_scheduler",
    "postroad_sender",
    "postroad_tracker",
    "postroad_monitor",
]

WITHOUT_TENANT = {
    "delivery.incarnations": "a sender process serves all tenants; the row holds host, pid and times only",
    "delivery.setbacks": "as delivery.incarnations, of which it tells",
    "sequence.installation": "the one row that says on which server the database may send",
}
"""Tables without a tenant, each with the reason."""

VIEWS_WITHOUT_TENANT = {"views.incarnations": "as the table beneath", "views.hold": "of the whole database"}

ACROSS_TENANTS = {
    "sequence.tenants_with_indexes_to_fill",
    "sequence.tenants_with_idempotency_keys",
    "sequence.tenants_with_jobs",
    "sequence.tenants_with_job_remains",
    "sequence.tenants_with_outbox",
    "sequence.tenants_with_webhooks_due",
    "sequence.tenants_with_old_webhooks",
    "schedule.tenants_with_outbox",
    "tracking.tenants_with_outbox",
    "tracking.tenants_with_unmatched",
    "tracking.tenants_with_open_stops",
    "tracking.tenants_to_count",
    "schedule.tenants_to_wake",
    "schedule.tenants_enrolled",
    "delivery.tenants_with_orphans",
    "delivery.tenants_with_old_sources",
}
"""Functions that look across tenants; they return tenant ids and nothing else."""

MONITORING = {
    "monitor.steps": "tenant_id uuid, overdue bigint, oldest_due_at timestamp with time zone, in_flight bigint, "
    "held bigint, needs_attention bigint",
    "monitor.messages": "tenant_id uuid, state text, messages bigint, oldest_at timestamp with time zone",
    "monitor.outboxes": "tenant_id uuid, schema text, messages bigint, oldest_at timestamp with time zone",
    "monitor.incarnations": "incarnation_id uuid, host text, pid integer, started_at timestamp with time zone, "
    "expires_at timestamp with time zone, live boolean, transmitting bigint",
    "monitor.resting_senders": "tenant_id uuid, sender_id uuid, paused_at timestamp with time zone, "
    "retry_at timestamp with time zone, reason text",
    "monitor.open_stops": "tenant_id uuid, stops bigint, oldest_at timestamp with time zone",
}
"""Functions for the monitor, with what they return: ids, counts, times, and words of our own."""

MAKING_PARTITIONS = "tracking.make_event_partitions"
BLANKING_EVENTS = "tracking.blank_events"
"""What may be blanked in events when a person is erased: within the caller's tenants."""

APPEND_ONLY = {
    "tracking.events": {"UPDATE", "DELETE", "TRUNCATE"},
    "tracking.event_keys": {"UPDATE", "DELETE", "TRUNCATE"},
    "tracking.matches": {"UPDATE", "DELETE", "TRUNCATE"},
    "delivery.attempts": {"UPDATE", "DELETE", "TRUNCATE"},
    "schedule.decisions": {"UPDATE", "DELETE", "TRUNCATE"},
    "sequence.template_versions": {"UPDATE", "TRUNCATE"},  # an unused template may be deleted with its versions
}


async def test_every_table_has_a_tenant_or_a_reason(admin: asyncpg.Connection) -> None:
    without = {table["name"] for table in await catalogue.tables(admin) if not table["has_tenant"]}

    assert without == WITHOUT_TENANT.keys()
    assert await catalogue.views_without_tenant(admin) == VIEWS_WITHOUT_TENANT.keys()


async def test_every_tenants_table_is_walled_partitions_to_come_included(admin: asyncpg.Connection) -> None:
    await admin.fetch("SELECT tracking.make_event_partitions(14)")

    assert sum(table["relispartition"] for table in await catalogue.tables(admin)) >= 15
    assert await catalogue.unwalled(admin) == []
    assert await catalogue.holes(admin) == []


async def test_keys_carry_the_tenant(admin: asyncpg.Connection) -> None:
    assert await catalogue.loose_foreign_keys(admin) == []
    assert await catalogue.telling_unique_indexes(admin) == []
    assert await catalogue.unindexed(admin) == []


async def test_views_are_owned_by_a_role_that_the_walls_hold(admin: asyncpg.Connection) -> None:
    assert await catalogue.open_views(admin) == []


async def test_the_checks_are_not_blind(admin: asyncpg.Connection) -> None:
    await admin.execute(
        """
        CREATE TABLE sequence.bare (tenant_id uuid NOT NULL, email text UNIQUE);
        CREATE TABLE sequence.unforced (tenant_id uuid NOT NULL PRIMARY KEY);
        ALTER TABLE sequence.unforced ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenants ON sequence.unforced USING (tenant_id = ANY ((SELECT postroad.tenants())::uuid[]));
        CREATE TABLE sequence.half (tenant_id uuid NOT NULL PRIMARY KEY, message_id uuid REFERENCES sequence.unforced);
        CALL postroad.wall('sequence.half');
        ALTER POLICY tenants ON sequence.half
            USING (tenant_id = ANY (postroad.tenants()) OR postroad.tenants() IS NULL);
        CREATE POLICY everybody ON sequence.contacts USING (true);
        CREATE VIEW public.all_contacts AS SELECT * FROM sequence.contacts;
        CREATE MATERIALIZED VIEW views.copied AS SELECT * FROM sequence.contacts;
        ALTER MATERIALIZED VIEW views.copied OWNER TO postroad_views;
        """
    )

    assert set(await catalogue.unwalled(admin)) == {"sequence.bare", "sequence.unforced", "sequence.half"}
    assert await catalogue.holes(admin) == ["sequence.contacts: everybody"]
    assert await catalogue.loose_foreign_keys(admin) == ["sequence.half: half_message_id_fkey"]
    assert await catalogue.telling_unique_indexes(admin) == ["sequence.bare_email_key"]
    assert await catalogue.unindexed(admin) == ["sequence.bare"]
    assert set(await catalogue.open_views(admin)) == {"all_contacts", "views.copied"}


@pytest.mark.parametrize("role", [*LOGIN_ROLES, "postroad_owner", "postroad_views", "postroad_definer"])
async def test_no_role_is_above_the_walls(admin: asyncpg.Connection, role: str) -> None:
    row = await admin.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", role)
    assert row is not None
    powers = ("rolsuper", "rolbypassrls", "rolcreatedb", "rolcreaterole", "rolreplication")
    assert not any(row[power] for power in powers)
    assert row["rolcanlogin"] == (role in LOGIN_ROLES)


async def test_what_logs_in_owns_nothing_and_is_a_member_of_nothing(admin: asyncpg.Connection) -> None:
    found = await admin.fetch(
        """
        SELECT rolname, (SELECT count(*) FROM pg_shdepend WHERE deptype = 'o' AND refobjid = r.oid) AS owned,
               (SELECT count(*) FROM pg_auth_members WHERE member = r.oid) AS groups
        FROM pg_roles r WHERE rolname = ANY ($1)
        """,
        LOGIN_ROLES,
    )
    assert {row["rolname"]: (row["owned"], row["groups"]) for row in found} == dict.fromkeys(LOGIN_ROLES, (0, 0))


async def test_functions_that_look_across_tenants_return_tenant_ids_and_to_the_monitor_counts_and_times(
    admin: asyncpg.Connection,
) -> None:
    found = await catalogue.definers(admin)

    partitions = found.pop(MAKING_PARTITIONS)
    assert partitions == ("postroad_owner", "SETOF text", ["search_path=pg_catalog"])
    assert found.pop(BLANKING_EVENTS) == ("postroad_definer", "void", ["search_path=pg_catalog"])
    for name, columns in MONITORING.items():
        assert found.pop(name) == ("postroad_definer", f"TABLE({columns})", ["search_path=pg_catalog"])
    assert found == dict.fromkeys(ACROSS_TENANTS, ("postroad_definer", "SETOF uuid", ["search_path=pg_catalog"]))


async def test_append_only_tables_refuse_changes_from_everybody(admin: asyncpg.Connection) -> None:
    triggers = await admin.fetch(
        """
        SELECT tgrelid::regclass::text AS table, pg_get_triggerdef(oid) AS definition
        FROM pg_trigger
        WHERE tgfoid IN ('postroad.refuse_change'::regproc, 'tracking.refuse_change_of_event'::regproc)
          AND tgname LIKE 'append_only%' AND tgenabled = 'O'
        """
    )
    refused: dict[str, set[str]] = {}
    for trigger in triggers:
        events = re.search(r"BEFORE ([A-Z OR]+) ON", trigger["definition"])
        assert events is not None
        refused.setdefault(trigger["table"], set()).update(events[1].split(" OR "))
    partitions = [table["name"] for table in await catalogue.tables(admin) if table["relispartition"]]

    assert refused == APPEND_ONLY | {name: {"UPDATE", "DELETE", "TRUNCATE"} for name in partitions}


@pytest.mark.parametrize("change", ["UPDATE {} SET key = 'l'", "DELETE FROM {}", "TRUNCATE {}"])
async def test_even_a_superuser_does_not_change_an_event_key(admin: asyncpg.Connection, change: str) -> None:
    await admin.execute("INSERT INTO tracking.event_keys VALUES (gen_random_uuid(), 'k', gen_random_uuid())")

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await admin.execute(change.format("tracking.event_keys"))


@pytest.mark.parametrize("change", ["UPDATE {} SET type = 'opened'", "UPDATE {} SET detail = 'other'", "DELETE FROM {}",
                                    "UPDATE {} SET detail = NULL, url = NULL, contact_id = NULL"])  # fmt: skip
async def test_even_a_superuser_changes_nothing_of_an_event_but_blanks_what_may_name_a_person(
    admin: asyncpg.Connection, change: str
) -> None:
    await admin.execute(
        "INSERT INTO tracking.events"
        " (tenant_id, event_id, received_at, occurred_at, type, source, contact_id, detail, url)"
        " SELECT id, id, now(), now(), 'clicked', 'click', id, 'd', 'u' FROM gen_random_uuid() AS id"
    )

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await admin.execute(change.format("tracking.events"))
    await admin.execute("UPDATE tracking.events SET detail = NULL, url = NULL")
