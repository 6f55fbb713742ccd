"""Why a request was refused, as its document says it."""

from pydantic import BaseModel, ConfigDict, Field

from postroad_sequence_api.models.base import View


class FieldAtFault(View):
    """A field of the request, and what is wrong with it."""

    field: str
    """Its path in the body, such as steps.0.template_id, or the name of a parameter or header."""
    message: str


class ProblemView(BaseModel):
    """Why a request was refused (RFC 9457). More members may say more, each documented with its code."""

    model_config = ConfigDict(title="Problem", use_attribute_docstrings=True)

    type: str = Field(examples=["urn:postroad:problem:not_found"])
    title: str = Field(examples=["Not found"])
    """For people: what kind of problem it is."""
    status: int = Field(examples=[404])
    code: str = Field(examples=["not_found"])
    """For programs: what kind of problem it is."""
    detail: str = Field(default="", examples=["There is no such contact."])
    """For people: what is wrong with this request."""
    field: str = Field(default="", examples=["contact_id"])
    """What is at fault, if it is a field, parameter or header; of several the first."""
    errors: tuple[FieldAtFault, ...] = ()
    """All that is at fault."""
    instance: str = Field(default="", examples=["urn:postroad:trace:4bf92f3577b34da6a3ce929d0e0e4736"])
    """The trace of the request, if it was sampled."""
