"""RabbitMQ's own installation with only the parts that a node without plugins needs.

Erlang looks for each of a thousand modules in one directory after the other, and most of seventy belong
to plugins that stay off: without them a node boots in two thirds of the time.
"""

import re
from pathlib import Path

from postroad_stack.programs import RabbitPrograms

ROOTS = ("rabbit", "rabbit_common", "rabbitmq_prelaunch")
DEPENDENCIES = re.compile(r"\{\s*(?:included_)?applications\s*,\s*\[(.*?)\]\s*\}", re.DOTALL)


def slim_scripts(programs: RabbitPrograms, where: Path) -> Path | None:
    """Link a slim installation into `where`; return its directory of scripts.

    None where the installation does not have the shape of RabbitMQ's own packages: then it is used as it is.
    """
    scripts = (programs.bin / "rabbitmq-server").resolve().parent
    installed = scripts.parent / "plugins"
    needed = closure(installed)
    if not needed:
        return None
    (where / "plugins").mkdir(parents=True)
    (where / scripts.name).symlink_to(scripts)
    if (scripts.parent / "escript").exists():
        (where / "escript").symlink_to(scripts.parent / "escript")
    for directory in needed:
        (where / "plugins" / directory.name).symlink_to(directory)
    return where / scripts.name


def closure(installed: Path) -> list[Path]:
    """Directories of the broker's applications and of those that they depend on; empty if one is missing."""
    found: dict[str, Path] = {}
    wanted = list(ROOTS)
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        directory = next((place for place in installed.glob(f"{name}-[0-9]*") if place.is_dir()), None)
        if directory is None:
            if name in ROOTS:
                return []
            continue  # one of Erlang's own
        found[name] = directory
        wanted += dependencies(directory / "ebin" / f"{name}.app")
    return list(found.values())


def dependencies(app: Path) -> list[str]:
    """Names of the applications that an Erlang application file depends on."""
    text = app.read_text(errors="replace") if app.exists() else ""
    return [name.strip() for listed in DEPENDENCIES.findall(text) for name in listed.split(",") if name.strip()]
