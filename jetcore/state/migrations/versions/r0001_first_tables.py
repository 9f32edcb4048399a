"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "server",
        sa.Column("uuid", sa.Text, nullable=False),
        sa.Column("key_check", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="pk_server"),
    )
    op.create_table(
        "accounts",
        sa.Column("uuid", sa.Text, nullable=False),
        sa.Column("panel", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("home", sa.LargeBinary, nullable=False),
        sa.Column("uid", sa.BigInteger, nullable=False),
        sa.Column("gid", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("package", sa.Text, nullable=False),
        sa.Column("ip", sa.Text, nullable=False),
        sa.Column("domains", sa.Text, nullable=False),
        sa.Column("suspended", sa.Boolean, nullable=False),
        sa.Column("extra", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="pk_accounts"),
        sa.UniqueConstraint("panel", "name", name="uq_accounts_panel_name"),
    )
    op.create_index("ix_accounts_name", "accounts", ["name"])
    op.create_table(
        "destinations",
        sa.Column("uuid", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=True),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="pk_destinations"),
        sa.UniqueConstraint("name", name="uq_destinations_name"),
        sa.UniqueConstraint("is_default", name="uq_destinations_is_default"),
        sa.CheckConstraint("is_default", name=op.f("ck_destinations_is_default")),
    )
    op.create_table(
        "repositories",
        sa.Column("account_uuid", sa.Text, nullable=False),
        sa.Column("destination_uuid", sa.Text, nullable=False),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("keys", sa.Text, nullable=True),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("account_uuid", "destination_uuid", name="pk_repositories"),
        sa.ForeignKeyConstraint(["account_uuid"], ["accounts.uuid"], name="fk_repositories_account_uuid_accounts"),
        sa.ForeignKeyConstraint(
            ["destination_uuid"], ["destinations.uuid"], name="fk_repositories_destination_uuid_destinations"
        ),
        sa.UniqueConstraint("destination_uuid", "prefix", name="uq_repositories_destination_uuid_prefix"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("contains", sa.Integer, nullable=False),
        sa.Column("accounts", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("name", name="uq_jobs_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "job_destinations",
        sa.Column("job_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("destination_uuid", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "position", name="pk_job_destinations"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_destinations_job_id_jobs", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["destination_uuid"], ["destinations.uuid"], name="fk_job_destinations_destination_uuid_destinations"
        ),
        sa.UniqueConstraint("job_id", "destination_uuid", name="uq_job_destinations_job_id_destination_uuid"),
    )
    op.create_table(
        "points",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("account_uuid", sa.Text, nullable=False),
        sa.Column("destination_uuid", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("files", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("added_bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_points"),
        sa.ForeignKeyConstraint(["account_uuid"], ["accounts.uuid"], name="fk_points_account_uuid_accounts"),
        sa.ForeignKeyConstraint(
            ["destination_uuid"], ["destinations.uuid"], name="fk_points_destination_uuid_destinations"
        ),
        sa.UniqueConstraint("destination_uuid", "id", name="uq_points_destination_uuid_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_points_account_uuid_created", "points", ["account_uuid", "created"])
    op.create_table(
        "point_parts",
        sa.Column("point_number", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("engine", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("files", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("messages", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("point_number", "position", name="pk_point_parts"),
        sa.ForeignKeyConstraint(
            ["point_number"], ["points.number"], name="fk_point_parts_point_number_points", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("started", _TIME, nullable=True),
        sa.Column("finished", _TIME, nullable=True),
        sa.Column("message", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tasks_status", "tasks", ["status"])
    op.create_index("ix_tasks_account_id", "tasks", ["account", "id"])
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alerts_created", "alerts", ["created"])
    op.create_table(
        "settings",
        sa.Column("section", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("changed", _TIME, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("section", name="pk_settings"),
    )
    op.create_table(
        "settings_history",
        sa.Column("section", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("changed", _TIME, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changes", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("section", "version", name="pk_settings_history"),
    )


def downgrade() -> None:
    """Drop the tables, those that refer to others first."""
    for table in (
        "settings_history",
        "settings",
        "alerts",
        "tasks",
        "point_parts",
        "points",
        "job_destinations",
        "jobs",
        "repositories",
        "destinations",
        "accounts",
        "server",
    ):
        op.drop_table(table)
