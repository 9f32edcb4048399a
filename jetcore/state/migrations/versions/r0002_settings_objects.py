"""The objects of the settings page: priority groups, conditions, rules, tokens, integrations, overrides."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)

#: The groups that every installation begins with: name, the value of all four kinds of tasks, whether the default.
_GROUPS = (("High", 10, None), ("Normal", 50, True), ("Low", 90, None))


def upgrade() -> None:
    """Make the tables, and give stored settings the format that they have been in so far."""
    priorities = op.create_table(
        "priorities",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("backup", sa.Integer, nullable=False),
        sa.Column("restore", sa.Integer, nullable=False),
        sa.Column("download", sa.Integer, nullable=False),
        sa.Column("clone", sa.Integer, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_priorities"),
        sa.UniqueConstraint("name", name="uq_priorities_name"),
        sa.UniqueConstraint("is_default", name="uq_priorities_is_default"),
        sa.CheckConstraint("is_default", name=op.f("ck_priorities_is_default")),
        sqlite_autoincrement=True,
    )
    kinds = ("backup", "restore", "download", "clone")
    op.bulk_insert(
        priorities,
        [
            {"name": name, "tags": "[]", "is_default": default, **dict.fromkeys(kinds, value)}
            for name, value, default in _GROUPS
        ],
    )
    op.create_table(
        "account_overrides",
        sa.Column("account_uuid", sa.Text, nullable=False),
        sa.Column("priority_id", sa.Integer, nullable=True),
        sa.Column("on_demand_retain", sa.Integer, nullable=True),
        sa.Column("tags", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_uuid", name="pk_account_overrides"),
        sa.ForeignKeyConstraint(["account_uuid"], ["accounts.uuid"], name="fk_account_overrides_account_uuid_accounts"),
        sa.ForeignKeyConstraint(["priority_id"], ["priorities.id"], name="fk_account_overrides_priority_id_priorities"),
    )
    op.create_table(
        "restore_conditions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_restore_conditions"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "file_permissions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("pattern", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("group", sa.Text, nullable=False),
        sa.Column("file_mode", sa.Text, nullable=False),
        sa.Column("directory_mode", sa.Text, nullable=False),
        sa.Column("recursive", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_file_permissions"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("ip", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("last_used", _TIME, nullable=True),
        sa.Column("last_ip", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "integrations",
        sa.Column("uuid", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("information", sa.Text, nullable=False),
        sa.Column("warning", sa.Text, nullable=False),
        sa.Column("critical", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="pk_integrations"),
        sa.UniqueConstraint("name", name="uq_integrations_name"),
    )
    # The only kind of change that SQLite makes without copying the table.
    op.add_column("settings", sa.Column("format", sa.Integer, nullable=False, server_default="1"))


def downgrade() -> None:
    """Drop the tables, those that refer to others first."""
    with op.batch_alter_table("settings") as settings:
        settings.drop_column("format")
    for table in (
        "integrations",
        "tokens",
        "file_permissions",
        "restore_conditions",
        "account_overrides",
        "priorities",
    ):
        op.drop_table(table)
