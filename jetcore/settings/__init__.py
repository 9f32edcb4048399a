"""Settings: one frozen attrs class a section, described by its fields' metadata, stored in the state database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

#: In the order of the settings page.
_CLASSES = {
    "general": "General",
    "performance": "Performance",
    "mysql": "Mysql",
    "resources": "Resources",
    "restore": "Restore",
    "privacy": "Privacy",
    "panel": "PanelSettings",
    "on_demand": "OnDemand",
    "binaries": "Binaries",
}


class _Sections(Mapping[str, type[Any]]):
    """Imports a section's module when the section is asked for; a backup needs only few of them."""

    def __getitem__(self, name: str) -> type[Any]:
        class_name = _CLASSES[name]
        section: type[Any] = getattr(import_module(f"{__name__}.{name}"), class_name)
        return section

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)


#: The classes of jetcore's own sections. A plugin's section has the plugin's name.
SECTIONS: Mapping[str, type[Any]] = _Sections()
