"""The migrations that this build brings."""

from importlib.resources import files
from importlib.resources.abc import Traversable


def versions_directory() -> Traversable:
    """Where the versioned .sql files are."""
    return files("postroad_common.migrations").joinpath("versions")


def known_versions() -> list[str]:
    """Their version numbers, oldest first."""
    names = (entry.name for entry in versions_directory().iterdir())
    return sorted(name.partition("_")[0] for name in names if name.endswith(".sql"))
