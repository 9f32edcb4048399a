"""The version of jetcore; the same number as in pyproject.toml, readable without an installation."""

from __future__ import annotations

__version__ = "0.1.0"
