"""The right to erasure (GDPR Art. 17): whose data each service deletes."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from postroad_common.contracts.base import Message, Part


class ErasedContact(Part):
    """A contact that is gone: under which addresses it was written to, and its enrollments, all of which have ended."""

    contact_id: UUID
    addresses: tuple[str, ...]
    enrollment_ids: tuple[UUID, ...] = ()


class ContactsErasedV1(Message):
    """Contacts were erased by sequence-api; whoever keeps anything of them erases that too, and says so."""

    type: ClassVar[str] = "contacts.erased.v1"
    items: Annotated[tuple[ErasedContact, ...], Field(min_length=1, max_length=50)]
