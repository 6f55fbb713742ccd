"""/v1/accounts."""

from uuid import UUID

from postroad_sequence_api.context import Work
from postroad_sequence_api.handlers import external_ids
from postroad_sequence_api.models.accounts import (
    Account,
    AccountChange,
    AccountNew,
    AccountPick,
    AccountUpsert,
    AccountUpserted,
)
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.services import accounts


async def create(work: Work, body: AccountNew) -> Account:
    """Add an account."""
    return await accounts.create(work, body)


async def list_(work: Work, query: AccountPick) -> Page[Account]:
    """List accounts, oldest first. Their contacts: GET /v1/contacts?account_id=..."""
    return await accounts.listed(work, query)


async def put(work: Work, external_id: str, body: AccountUpsert) -> AccountUpserted:
    """Add the account with this external id, or change it."""
    return await accounts.put(work, external_ids.checked(external_id), body)


async def get(work: Work, account_id: UUID) -> Account:
    """Show an account."""
    return await accounts.get(work, account_id)


async def change(work: Work, account_id: UUID, body: AccountChange) -> Account:
    """Change an account."""
    return await accounts.change(work, account_id, body)


async def delete(work: Work, account_id: UUID) -> None:
    """Delete an account that has no contacts."""
    await accounts.delete(work, account_id)
