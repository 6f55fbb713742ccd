"""What every part of the scheduler works with."""

from dataclasses import dataclass

from asyncpg import Pool

from postroad_scheduler.definitions import Definitions
from postroad_scheduler.deliberation import Rules


@dataclass(frozen=True, slots=True)
class Context:
    """The database, the rules and the definitions."""

    pool: Pool
    rules: Rules
    definitions: Definitions
