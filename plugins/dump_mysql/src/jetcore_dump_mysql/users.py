r"""Database users, as statements that make them again.

A user is handed over with the privileges that it has in the wanted databases, and with nothing else:

- never the server's own users (``root``, ``mysql``, ``mariadb.sys``, ``mysql.*``, ``debian-sys-maint``), and never a
  user with any global privilege: whoever administers the server is not a part of an account;
- never membership in roles, nor the right to act as another user (``GRANT PROXY``);
- a privilege granted by a pattern (``shop\_%``) only if the pattern matches at least one wanted database, matches no
  other database of this server, and does not begin with a wildcard.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Sequence

from jetcore import DatabaseUser, RestoreError
from jetcore_dump_mysql.client import Client, literal

_log = logging.getLogger(__name__)

_SYSTEM = re.compile(r"|root|mysql|mariadb\.sys|mysql\..*|debian-sys-maint", re.IGNORECASE)
_IDENTIFIER = r"`(?:[^`]|``)*`"
#: A line of SHOW GRANTS; names of columns can stand among the privileges.
_GRANT = re.compile(
    rf"GRANT (?P<privileges>(?:[^`]|{_IDENTIFIER})+?) ON (?P<routine>(?:PROCEDURE|FUNCTION|PACKAGE BODY|PACKAGE) )?"
    rf"(?P<database>\*|{_IDENTIFIER})\.(?P<object>\*|{_IDENTIFIER}) TO ",
    re.DOTALL,
)
#: Users with privileges in single databases. Roles of MariaDB have no host; rows of users that are gone stay behind.
_CANDIDATES = """
    SELECT 'user', held.User, held.Host
    FROM (SELECT User, Host FROM mysql.db UNION SELECT User, Host FROM mysql.tables_priv
        UNION SELECT User, Host FROM mysql.columns_priv UNION SELECT User, Host FROM mysql.procs_priv) AS held
    WHERE held.Host <> '' AND EXISTS (SELECT 1 FROM mysql.user AS u WHERE u.User = held.User AND u.Host = held.Host);
    SELECT 'database', SCHEMA_NAME, '' FROM information_schema.SCHEMATA;
    SELECT 'server', VERSION(), '';
"""


def read_users(client: Client, wanted: Collection[str]) -> list[DatabaseUser]:
    """Return the users that have privileges in *wanted* databases, sorted by name.

    :raises ClientError: The server cannot be asked.
    """
    rows = client.query(_CANDIDATES)
    existing = [name for kind, name, _ in rows if kind == "database"]
    hashes = "" if any("MariaDB" in version for kind, version, _ in rows if kind == "server") else _HASHES_AS_HEX
    names = sorted({(user, host) for kind, user, host in rows if kind == "user" and not _SYSTEM.fullmatch(user)})
    if not names:
        return []
    # The rows of SHOW have one column, so that those with two tell whose they are.
    questions = [
        f"SELECT {literal(user)}, {literal(host)}; SHOW CREATE USER {_user(user, host)}; "
        f"SHOW GRANTS FOR {_user(user, host)};\n"
        for user, host in names
    ]
    answers: dict[tuple[str, str], list[str]] = {}
    lines: list[str] = []
    for row in client.query(hashes + "".join(questions)):
        if len(row) == 2:
            lines = answers[row[0], row[1]] = []
        else:
            lines.append(row[0])
    found = (_read_user(user, host, lines, wanted, existing) for (user, host), lines in answers.items())
    return sorted((user for user in found if user is not None), key=lambda user: user.name)


def restore_user(client: Client, user: DatabaseUser) -> None:
    """Run the definition of *user*.

    :raises RestoreError: The user administers this server and is left alone.
    :raises ClientError: The server refused.
    """
    name, _, host = user.name.rpartition("@")
    grantee = literal(f"'{name}'@'{host}'")
    privileged = client.query(
        "SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES "  # noqa: S608  # a literal
        f"WHERE GRANTEE = {grantee} AND PRIVILEGE_TYPE <> 'USAGE' LIMIT 1;"
    )
    if privileged or _SYSTEM.fullmatch(name):
        raise RestoreError(
            f"database user {user.name!r} was left as it is, because it administers this server",
            hint="give the account's site another database user",
        )
    client.run([user.definition])


#: MySQL 8 shows password hashes as they are, bytes that no text can hold, unless it is told otherwise.
_HASHES_AS_HEX = "SET SESSION print_identified_with_as_hex=1;\n"


def _read_user(
    user: str, host: str, lines: Sequence[str], wanted: Collection[str], existing: Collection[str]
) -> DatabaseUser | None:
    name = f"{user}@{host}"
    grants: list[str] = []
    databases: set[str] = set()
    for line in lines:
        grant = _GRANT.match(line)
        if grant is None:
            continue
        if grant["database"] == "*":
            if grant["privileges"] != "USAGE":
                _log.info("database user %r has global privileges and is left out", name)
                return None
            continue
        pattern = grant["database"][1:-1].replace("``", "`")
        is_pattern = grant["object"] == "*" and not grant["routine"]
        reached = _reached(pattern, wanted, existing) if is_pattern else {pattern}.intersection(wanted)
        if reached:
            grants.append(line)
            databases |= reached
    if not grants:
        return None
    return DatabaseUser(
        name=name,
        databases=tuple(sorted(databases)),
        definition="".join(f"{line};\n" for line in [*_account(lines), *sorted(grants)]).encode(
            errors="surrogateescape"
        ),
    )


def _account(lines: Sequence[str]) -> Iterator[str]:
    """Yield the statements that make the user, with its password, or bring it to that."""
    for line in lines:
        if line.startswith("CREATE USER "):
            properties = re.sub(r" DEFAULT ROLE .*?(?= REQUIRE )", "", line.removeprefix("CREATE USER "))
            yield f"CREATE USER IF NOT EXISTS {properties}"
            yield f"ALTER USER {properties}"
        elif line.startswith("ALTER USER "):
            yield line


def _reached(pattern: str, wanted: Collection[str], existing: Collection[str]) -> set[str]:
    """Return the *wanted* databases that a grant on *pattern* reaches; none if it reaches others as well."""
    if pattern in wanted:  # a name, whose underscores nobody meant as wildcards
        return {pattern}
    if pattern.startswith(("%", "_")):
        return set()
    words = re.findall(r"\\.|.", pattern, re.DOTALL)
    expression = "".join({"%": ".*", "_": "."}.get(word, re.escape(word[-1])) for word in words)
    matches = re.compile(expression, re.DOTALL).fullmatch
    reached = {name for name in wanted if matches(name)}
    return set() if any(matches(name) and name not in wanted for name in existing) else reached


def _user(user: str, host: str) -> str:
    return "@".join("'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" for text in (user, host))
