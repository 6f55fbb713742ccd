"""Writes docs/settings.md from the settings classes: `python -m postroad_common.settings_page module:Class ...`."""

import importlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from postroad_common.settings import CommonSettings, env_name

_HEAD: Final = """\
# Settings

Read once, at start, from the environment. A `POSTROAD_` name that no program of Postroad knows stops the start, and
the message names the setting that was probably meant. This page is generated from the code.
"""
_COLUMNS: Final = "| name | default | meaning |\n|---|---|---|\n"


def page(classes: Iterable[type[CommonSettings]]) -> str:
    """The whole page: what every service reads, then each service's own."""
    sections = [_section("Every service", CommonSettings, CommonSettings.model_fields)]
    for cls in classes:
        own = {name: info for name, info in cls.model_fields.items() if name not in CommonSettings.model_fields}
        if own:
            sections.append(_section(_title(cls), cls, own))
    return "\n".join([_HEAD, *sections])


def _section(title: str, cls: type[CommonSettings], fields: dict[str, FieldInfo]) -> str:
    rows = (f"| `{env_name(cls, name)}` | {_default(info)} | {_meaning(info)} |\n" for name, info in fields.items())
    return f"## {title}\n\n{_COLUMNS}{''.join(rows)}"


def _title(cls: type[CommonSettings]) -> str:
    return cls.__name__.removesuffix("Settings") + " service"


def _default(info: FieldInfo) -> str:
    value: Any = info.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "(required)"
    if value is None:
        return "(none)"
    if isinstance(value, SecretStr):
        return "(secret)"
    return f"`{value}`"


def _meaning(info: FieldInfo) -> str:
    return " ".join((info.description or "").split()).replace("|", "\\|")


def load(path: str) -> type[CommonSettings]:
    """The settings class at "module:Class"."""
    module, _, name = path.partition(":")
    cls: type[CommonSettings] = getattr(importlib.import_module(module), name)
    return cls


def main(paths: Sequence[str]) -> None:
    """Print the page."""
    sys.stdout.write(page(load(path) for path in paths))


if __name__ == "__main__":
    main(sys.argv[1:])
