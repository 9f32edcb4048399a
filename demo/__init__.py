"""The demonstration: real accounts and a real database, backed up, destroyed and brought back (``make demo``)."""
