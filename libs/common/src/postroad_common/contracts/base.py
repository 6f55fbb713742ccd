"""The base of every message: a frozen model whose type is the AMQP routing key.

Within a version only optional fields are added; readers ignore fields they do not know, so either side of a
rolling update may be the newer one.
"""

from typing import ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import override

from postroad_common.errors import ContractError

REGISTRY: dict[str, type["Message"]] = {}
"""Message class by type; filled as the families are imported by postroad_common.contracts."""


class Part(BaseModel):
    """A value inside a message."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Part):
    """A message of one tenant. Id, type, time and trace travel beside it, in AMQP properties."""

    type: ClassVar[str]
    tenant_id: UUID

    @classmethod
    @override
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        """Enter the class under its type."""
        super().__pydantic_init_subclass__(**kwargs)
        if REGISTRY.setdefault(cls.type, cls) is not cls:
            raise TypeError(f"two messages are of type {cls.type}")

    def to_bytes(self) -> bytes:
        """The body, JSON in UTF-8."""
        return self.__pydantic_serializer__.to_json(self)

    def singles(self) -> tuple[Self, ...]:
        """The same message, an item each; itself when it has one item or none."""
        items = getattr(self, "items", ())
        if len(items) < 2:
            return (self,)
        return tuple(self.model_copy(update={"items": (item,)}) for item in items)


def from_bytes(type_: str, body: bytes) -> Message:
    """Read a body of the given type; raises ContractError."""
    contract = REGISTRY.get(type_)
    if contract is None:
        raise ContractError(f"no contract is of type {type_[:80]!r}")
    try:
        return contract.model_validate_json(body)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise ContractError(f"not a {type_}: {problems}") from error
