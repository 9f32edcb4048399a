"""Settings: one frozen attrs class a section, described by its fields' metadata, stored in the state database."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jetcore.settings.general import General

#: Every section of jetcore's own, by its name.
SECTIONS: Mapping[str, type[Any]] = MappingProxyType({"general": General})
