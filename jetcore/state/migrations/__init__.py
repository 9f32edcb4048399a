"""Alembic's migrations of the state database.

A new one is a module in ``versions/``; its revision goes to the end of :data:`jetcore.state.engine.REVISIONS`. It
spells out the tables as they are at its time and never imports :mod:`jetcore.state.tables`, which will have moved on.
"""
