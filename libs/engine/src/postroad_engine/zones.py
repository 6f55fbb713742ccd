"""Time zones from the pinned tzdata package alone, so that a decision does not depend on the machine it is taken on."""

from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from postroad_engine.errors import UnknownZoneError


@cache
def zone_names() -> frozenset[str]:
    """Every IANA name, links included."""
    return frozenset((resources.files("tzdata") / "zones").read_text("ascii").split())


@cache
def _load(name: str) -> ZoneInfo:
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def zone(name: str) -> ZoneInfo:
    """The zone of this IANA name, case mattering; raises UnknownZoneError."""
    if name not in zone_names():
        raise UnknownZoneError(f"{name!r} is not in the IANA time zone database")
    return _load(name)
