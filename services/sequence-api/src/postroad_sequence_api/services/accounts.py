"""Accounts: the companies that contacts belong to."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from postroad_common.db import queries
from postroad_common.ids import new_id
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, InvalidFieldError, NotFoundError
from postroad_sequence_api.models.accounts import (
    Account,
    AccountChange,
    AccountNew,
    AccountPick,
    AccountUpsert,
    AccountUpserted,
)
from postroad_sequence_api.models.base import Page, page_of
from postroad_sequence_api.models.contacts import MOST_ATTRIBUTES
from postroad_sequence_api.services import attributes

_SQL: Final = queries("postroad_sequence_api", "accounts")
_COLUMNS: Final = ("name", "domain", "external_id", "attributes")


async def create(work: Work, new: AccountNew) -> Account:
    """An account; its external id is not another's."""
    values = new.model_dump() | {"attributes": await attributes.checked(work, "account", new.attributes)}
    return Account.of(await work.one(_SQL.insert_account, new_id(), *(values[c] for c in _COLUMNS)))


async def put(work: Work, external_id: str, wanted: AccountUpsert) -> AccountUpserted:
    """Add the account with this external id or change it: what is not named stays, attributes are merged one by one."""
    values = wanted.model_dump(exclude_unset=True)
    named = await attributes.checked(work, "account", wanted.attributes)
    while (standing := await work.find(_SQL.lock_account_with_external_id, external_id)) is None:
        if "name" not in values:
            raise InvalidFieldError("name", "a new account needs a name")
        new = {"domain": None, **values, "external_id": external_id, "attributes": named}
        row = await work.find(_SQL.insert_account_with_external_id, new_id(), *(new[c] for c in _COLUMNS))
        if row is not None:
            return AccountUpserted.of(row, created=True)
    merged = {**standing["attributes"], **named}
    if len(merged) > MOST_ATTRIBUTES:
        raise InvalidFieldError("attributes", f"the account would have more than {MOST_ATTRIBUTES}")
    changed = {**standing, **values, "attributes": merged}
    if all(changed[c] == standing[c] for c in _COLUMNS):
        return AccountUpserted.of(standing, created=False)
    row = await work.one(_SQL.update_account, standing["id"], *(changed[c] for c in _COLUMNS))
    return AccountUpserted.of(row, created=False)


async def get(work: Work, account_id: UUID) -> Account:
    """An account."""
    row = await work.find(_SQL.account, account_id)
    if row is None:
        raise NotFoundError("account")
    return Account.of(row)


async def listed(work: Work, pick: AccountPick) -> Page[Account]:
    """Accounts, oldest first."""
    rows = await work.all(_SQL.list_accounts, pick.after, pick.domain, pick.external_id, pick.limit + 1)
    return page_of((Account.of(row) for row in rows), pick.limit)


async def change(work: Work, account_id: UUID, wanted: AccountChange) -> Account:
    """Change what is named, keep the rest."""
    standing = await work.find(_SQL.lock_account, account_id)
    if standing is None:
        raise NotFoundError("account")
    work.match(standing["revision"])
    values = {**standing, **wanted.model_dump(exclude_unset=True)}
    if "attributes" in wanted.model_fields_set:
        values["attributes"] = await attributes.checked(work, "account", wanted.attributes)
    return Account.of(await work.one(_SQL.update_account, account_id, *(values[c] for c in _COLUMNS)))


async def delete(work: Work, account_id: UUID) -> None:
    """Delete an account that no contact belongs to."""
    standing = await work.find(_SQL.lock_account, account_id)
    if standing is None:
        raise NotFoundError("account")
    work.match(standing["revision"])
    count = await work.value(_SQL.count_contacts_of_account, account_id)
    if count:
        said = f"{count:,} contacts belong to the account." if count > 1 else "A contact belongs to the account."
        raise ConflictError("in_use", said, count=count)
    await work.value(_SQL.delete_account, account_id)


async def unknown(work: Work, account_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the ids that no account of the tenant has."""
    wanted = set(account_ids)
    if not wanted:
        return set()
    rows = await work.all(_SQL.known_accounts, sorted(wanted))
    return wanted - {row["account_id"] for row in rows}
