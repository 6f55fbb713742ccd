"""/v1/attributes."""

from uuid import UUID

from postroad_sequence_api.context import Work
from postroad_sequence_api.models.attributes import Attribute, AttributeChange, AttributeNew, AttributePick
from postroad_sequence_api.models.base import Page
from postroad_sequence_api.services import attributes


async def create(work: Work, body: AttributeNew) -> Attribute:
    """Define a custom attribute: from now on its values are checked."""
    return await attributes.create(work, body)


async def list_(work: Work, query: AttributePick) -> Page[Attribute]:
    """List the custom attributes that have a type, oldest first."""
    return await attributes.listed(work, query)


async def get(work: Work, attribute_id: UUID) -> Attribute:
    """Show a custom attribute."""
    return await attributes.get(work, attribute_id)


async def change(work: Work, attribute_id: UUID, body: AttributeChange) -> Attribute:
    """Change a custom attribute: describe it, index it, archive it."""
    return await attributes.change(work, attribute_id, body)
