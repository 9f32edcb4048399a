"""Repositories: the restic format, version 2, written and read natively."""
