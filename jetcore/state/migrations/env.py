"""What Alembic runs: the migrations, on the connection and in the transaction of :mod:`jetcore.state.upgrade`."""

from __future__ import annotations

from alembic import context

from jetcore.state.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes a table only by making it anew.
    render_as_batch=True,
    # Its tables are made inside the transaction too, because the driver is kept from committing on its own.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
