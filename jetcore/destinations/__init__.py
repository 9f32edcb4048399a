"""Destinations: what all types share, and the built-in type ``local``."""

from jetcore.destinations.local import LocalDestination, LocalSettings

__all__ = ["LocalDestination", "LocalSettings"]
