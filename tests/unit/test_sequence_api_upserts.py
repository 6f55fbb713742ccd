"""What an upsert does, given the contacts that stand: pure."""

from collections import Counter
from typing import Any, ClassVar
from uuid import UUID

from typing_extensions import override

from postroad_sequence_api.services.upserts import Change, Item, Refusal, Standing, decide

ROOM = 200


class Watched(dict[str, Any]):
    """A contact's row that counts how often it is looked at."""

    looks: ClassVar[Counter[UUID]] = Counter()

    @override
    def __getitem__(self, name: str) -> Any:
        self.looks[self.get("id", UUID(int=0))] += 1
        return super().__getitem__(name)


def contact(number: int, **values: Any) -> Watched:
    named: dict[str, Any] = {
        "email": f"p{number}@people.example",
        "external_id": str(number),
        "first_name": "",
        "last_name": "",
    }
    kept: dict[str, Any] = {"company": "", "kind": "lead", "timezone": None, "account_id": None, "attributes": {}}
    return Watched({"id": UUID(int=number), **named, **kept, **values})


def test_an_item_looks_at_no_contacts_but_those_it_names() -> None:
    """A batch of a thousand is not a million comparisons, during which nobody else is answered."""
    rows = [contact(number) for number in range(ROOM)]
    standing = Standing.of(rows)
    Watched.looks.clear()

    decided = decide(Item(0, {"external_id": "7", "email": "p7@people.example", "first_name": "Ada"}), standing)

    assert isinstance(decided, Change)
    assert (decided.contact_id, decided.is_new, decided.values["first_name"]) == (UUID(int=7), False, "Ada")
    assert set(Watched.looks) == {UUID(int=7)}


def test_what_other_contacts_are_is_a_conflict_and_what_an_item_says_is_not() -> None:
    standing = Standing.of([contact(1, external_id="a"), contact(2, external_id="b"), contact(3, external_id=None)])
    clashes = [{"external_id": "a", "email": "p2@people.example"}, {"external_id": "c", "email": "p1@people.example"}]
    for values in clashes:
        refused = decide(Item(0, values), standing)
        assert isinstance(refused, Refusal)
        assert refused.conflict
    refused = decide(Item(0, {"external_id": "nobody"}), standing)
    assert isinstance(refused, Refusal)
    assert (refused.field, refused.conflict) == ("email", False)
    taken_over = decide(Item(0, {"external_id": "c", "email": "p3@people.example"}), standing)
    assert isinstance(taken_over, Change)
    assert taken_over.contact_id == UUID(int=3)
