"""Identifiers: ordered, derived, and spelled one way."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad_common.errors import RefError
from postroad_common.ids import message_id_for, new_id, pack_ref, unpack_ref

TENANT, ENROLLMENT = UUID(int=1), UUID(int=2)


def test_a_later_id_sorts_after_an_earlier_one() -> None:
    ids = [new_id() for _ in range(10_000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {id_.version for id_ in ids} == {7}


def test_a_message_id_is_the_same_in_every_process_and_differs_by_tenant_enrollment_and_step() -> None:
    assert message_id_for(TENANT, ENROLLMENT, "welcome") == UUID("06a47ced-b47e-534b-9492-15043bb273e1")
    others = {
        message_id_for(ENROLLMENT, TENANT, "welcome"),
        message_id_for(TENANT, TENANT, "welcome"),
        message_id_for(TENANT, ENROLLMENT, "welcome-2"),
        message_id_for(TENANT, ENROLLMENT, "welcome"),
    }
    assert len(others) == 4


@given(st.uuids(), st.uuids())
def test_a_reference_carries_its_tenant_and_id(tenant: UUID, id_: UUID) -> None:
    ref = pack_ref(tenant, id_)

    assert len(ref) == 43
    assert unpack_ref(ref) == (tenant, id_)


@given(st.text(max_size=60))
def test_what_is_no_reference_is_refused_and_what_is_has_one_spelling(text: str) -> None:
    try:
        tenant, id_ = unpack_ref(text)
    except RefError:
        return
    assert pack_ref(tenant, id_) == text


@pytest.mark.parametrize("spoil", ["", "=", "\n", "/", "+", "é", "\0"])
def test_a_spoiled_reference_is_refused(spoil: str) -> None:
    ref = pack_ref(TENANT, ENROLLMENT)
    with pytest.raises(RefError):
        unpack_ref(ref[:-1] + spoil)


def test_the_spare_bits_of_the_last_character_are_not_a_second_spelling() -> None:
    ref = pack_ref(TENANT, ENROLLMENT)
    accepted = []
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        try:
            unpack_ref(ref[:-1] + last)
        except RefError:
            continue
        accepted.append(last)
    assert len(accepted) == 16
