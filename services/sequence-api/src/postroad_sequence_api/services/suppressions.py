"""Suppressions by hand, beside those that are the recipients' own word."""

from typing import Final

from postroad_common.db import queries
from postroad_sequence_api.context import Work
from postroad_sequence_api.errors import ConflictError, NotFoundError
from postroad_sequence_api.models.base import Page, page_of
from postroad_sequence_api.models.suppressions import Suppression, SuppressionNew, SuppressionPick
from postroad_sequence_api.services import stops
from postroad_sequence_api.services.sequences import tell_scheduler
from postroad_sequence_api.services.stops import Pending, Subject

_SQL: Final = queries("postroad_sequence_api", "suppressions")
_ENROLLMENTS: Final = queries("postroad_sequence_api", "enrollments")


async def add(work: Work, new: SuppressionNew) -> Pending:
    """Want that nothing goes to this address."""
    subject = Subject(email=new.email)
    if await work.value(_SQL.insert_suppression, new.email, new.reason) is None:
        return await stops.standing(work, subject, "stop")
    await _tell_scheduler(work, new.email)
    return await stops.record(work, subject, "stop")


async def get(work: Work, email: str) -> Suppression:
    """Why an address must not be mailed."""
    row = await work.find(_SQL.suppressions, email, None, 1)
    if row is None:
        raise NotFoundError("suppression")
    return Suppression.of(row)


async def listed(work: Work, pick: SuppressionPick) -> Page[Suppression]:
    """Suppressed addresses in their order."""
    rows = await work.all(_SQL.suppressions, pick.email, pick.after, pick.limit + 1)
    return page_of((Suppression.of(row) for row in rows), pick.limit, cursor="email")


async def lift(work: Work, email: str) -> None:
    """Lift what was set by hand. What a recipient or a mail server said is not ours to lift."""
    if await work.value(_SQL.delete_suppression, email) is None:
        standing = await get(work, email)
        raise ConflictError(
            "not_by_hand", f"The address is suppressed because it {' and '.join(standing.kinds)}.", kinds=standing.kinds
        )
    await stops.record(work, Subject(email=email), "run")


async def _tell_scheduler(work: Work, email: str) -> None:
    rows = await work.all(_ENROLLMENTS.running_of_address, email)
    await tell_scheduler(work, [row["enrollment_id"] for row in rows])
