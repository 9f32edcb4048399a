"""Destinations: the built-in local directory and what all kinds share."""
