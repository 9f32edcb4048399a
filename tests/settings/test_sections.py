"""The sections of settings, against the settings page that they come from."""

from __future__ import annotations

import typing
from typing import Any

import attrs
import pytest

from jetcore.model import Secret
from jetcore.settings import SECTIONS
from jetcore.settings.assign import assign
from jetcore.settings.field import default_of, fields_of

#: What the page calls a setting, by section, with the field and the page's default; ... where it gives none.
PAGE: dict[str, dict[str, tuple[str, object]]] = {
    "general": {
        "Debug Active": ("debug", ...),
        "Error Reporting": ("error_reporting", ...),
        "Workspace Directory": ("workspace_path", ...),
        "Download Directory": ("downloads_path", ...),
        "Delete orphan backups older than": ("orphan_backup_ttl", 180),
        "Downloads TTL": ("downloads_ttl", 0),
        "Days to keep logs history": ("logs_ttl", 30),
        "Days to keep alerts": ("alerts_ttl", 60),
        "Manual Backups Retain": ("manually_backup_retain", 14),
        "Manual Backups TTL": ("manually_backup_ttl", 0),
    },
    "performance": {
        "Concurrent Restore / Download / Reindex Tasks": ("queueable_forks", ...),
        "Concurrent Backup / Clone Tasks": ("backup_forks", ...),
        "Backup Fork TTL": ("backup_fork_ttl", 0),
        "Limit Accounts Downloads": ("limit_account_downloads", 0),
        "Directory Queue Priority Group": ("directories_queue_priority", ...),
    },
    "mysql": {
        "MySQL Dump max allowed packet": ("max_packet", ...),
        "MySQL Dump force flag": ("force", True),
        "MySQL Dump opt flag": ("opt", True),
        "MySQL Dump skip lock table flag": ("skip_lock_tables", True),
    },
    "resources": {
        "CPU Limit": ("cpu_limit", None),
        "IO Read Limit": ("io_read_limit", None),
        "IO Write Limit": ("io_write_limit", None),
    },
    "privacy": {
        "User Agreement": ("user_agreement", ...),
        "Privacy Policy": ("privacy_policy", ...),
        "Account Encryption Selection": ("encryption_selection", False),
        "The right to be forgotten": ("forgotten_ttl", 0),
    },
    "panel": {
        "Default Package": ("default_package", ""),
        "Default IP Address": ("default_ip", ""),
        "Default Owner": ("default_owner", ""),
        "API Timeout": ("api_timeout", 30),
        "Default Databases Backup Account": ("default_db_user", ""),
        "MySQL Authentication: Enabled": ("mysql_enabled", False),
        "MySQL Authentication: Hostname": ("mysql_host", "localhost"),
        "MySQL Authentication: Port": ("mysql_port", 3306),
        "PostgreSQL Authentication: Enabled": ("pg_enabled", False),
        "PostgreSQL Authentication: Hostname": ("pg_host", "localhost"),
        "PostgreSQL Authentication: Port": ("pg_port", 5432),
        "MongoDB Authentication: Enabled": ("mongodb_enabled", False),
        "MongoDB Authentication: Hostname": ("mongodb_host", "localhost"),
        "MongoDB Authentication: Port": ("mongodb_port", 27017),
        "MongoDB Authentication: Auth Database": ("mongodb_auth_database", ""),
    },
    "on_demand": {
        "Backup Job": ("backup", ...),
        "Maximum Backups per Account": ("retain", ...),
        "How Long Keep Snapshots": ("ttl", ...),
        "Disable on Disk Space": ("rule_size", None),
        "Disable on Inodes": ("rule_inodes", None),
    },
}

#: The limits that the page names: section, field, lowest, highest.
LIMITS = [
    ("general", "manually_backup_retain", 1, 99),
    ("performance", "queueable_forks", 1, 10),
    ("performance", "backup_forks", 1, 10),
    ("resources", "cpu_limit", 5, None),
    ("on_demand", "retain", 1, 99),
]

FIELDS = [
    pytest.param(section, attribute, info, id=f"{section}.{attribute.name}")
    for section, kind in SECTIONS.items()
    for attribute, info in fields_of(attrs.resolve_types(kind))
]


@pytest.mark.parametrize("section", PAGE)
def test_every_line_of_the_page_has_its_field(section: str) -> None:
    """Each setting of the page is there under its title, in a field of that name and with that default."""
    found = {info.title: (attribute.name, default_of(attribute)) for attribute, info in fields_of(SECTIONS[section])}

    for title, (name, default) in PAGE[section].items():
        assert found[title][0] == name
        assert default in (..., found[title][1]), title


@pytest.mark.parametrize(("section", "field", "lowest", "highest"), LIMITS)
def test_limits_of_the_page_hold(section: str, field: str, lowest: int, highest: int | None) -> None:
    """The limits themselves are taken; one less and one more are not."""
    kind = SECTIONS[section]
    assert getattr(kind(**{field: lowest}), field) == lowest
    with pytest.raises(ValueError, match="must be"):
        kind(**{field: lowest - 1})
    if highest is not None:
        assert getattr(kind(**{field: highest}), field) == highest
        with pytest.raises(ValueError, match="must be"):
            kind(**{field: highest + 1})


@pytest.mark.parametrize(("section", "attribute", "info"), FIELDS)
def test_field_is_described(section: str, attribute: Any, info: Any) -> None:
    """Every field says what it is and does; a number has bounds or choices, and all but ports say their unit."""
    assert info.title
    assert info.help.endswith(".")
    assert default_of(attribute) is not attrs.NOTHING
    assert info.secret == (attribute.type is Secret)
    assert set(info.panels) <= {"cpanel", "directadmin", "linux"}
    types = {attribute.type, *typing.get_args(attribute.type)}
    if types & {int, float}:
        assert info.choices or None not in {info.minimum, info.maximum}
        assert info.unit or attribute.name.endswith("_port")


@pytest.mark.parametrize("section", SECTIONS)
def test_section_is_frozen_and_has_defaults(section: str) -> None:
    """A section can be made from nothing, cannot be changed in place, and can be set from the command line."""
    kind = SECTIONS[section]
    settings = kind()

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(settings, attrs.fields(kind)[0].name, None)
    assert assign(kind, [], place=section) == settings


def test_titles_are_told_apart() -> None:
    """No two fields of a section have the same title."""
    for section, kind in SECTIONS.items():
        titles = [info.title for _, info in fields_of(kind)]
        assert len(set(titles)) == len(titles), section


def test_unknown_section_is_a_missing_key() -> None:
    """A name that is no section's is not there, as in any mapping."""
    assert SECTIONS.get("general") is not None
    assert SECTIONS.get("field") is None
    assert "nonsense" not in SECTIONS
