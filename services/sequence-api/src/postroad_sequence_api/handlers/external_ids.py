"""External ids in paths."""

from typing import Final

from pydantic import TypeAdapter, ValidationError

from postroad_common.errors import words_of
from postroad_sequence_api.errors import InvalidFieldError
from postroad_sequence_api.models.fields import Name

_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)


def checked(external_id: str) -> str:
    """The id as the field of a body would be taken. Raises InvalidFieldError."""
    try:
        return _NAME.validate_python(external_id)
    except ValidationError as error:
        raise InvalidFieldError("external_id", words_of(error.errors()[0])) from error
