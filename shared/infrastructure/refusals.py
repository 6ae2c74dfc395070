"""Why a database or a broker refuses, in one sentence with the cure: for whoever starts Tamga, alone and at night."""

from __future__ import annotations

import re

from amqp.exceptions import AMQPError
from psycopg.errors import (
    DiskFull,
    InsufficientPrivilege,
    LockNotAvailable,
    ReadOnlySqlTransaction,
    TooManyConnections,
)
from sqlalchemy.exc import DBAPIError

from shared.commands import here

_UNDONE = "nothing was changed"
_BY_KIND: dict[type[Exception], str] = {
    ReadOnlySqlTransaction: (
        f"the database is up and takes no changes, {_UNDONE}: it is a standby or default_transaction_read_only is on;"
        " let Tamga go to the primary, or set default_transaction_read_only to off"
    ),
    DiskFull: f"the disk of the database is full, {_UNDONE}: make room (`df -h`, `docker system df`), then start again",
    LockNotAvailable: (
        f"somebody else holds one of the tables, {_UNDONE}: a backup or a long query; wait until that has ended"
        " (it stands in pg_stat_activity), then start again"
    ),
    TooManyConnections: "the database takes no more connections: end who holds them, or raise its max_connections",
}
# What a server says before there is a session has no code, only words; ours speak English.
_BY_WORDS: tuple[tuple[str, str], ...] = (
    (
        r'password authentication failed for user "(?P<who>[^"]+)"',
        "the database refuses the password of %(who)s: put back the secrets that belong to these data, or mend its URL",
    ),
    (r'database "(?P<what>[^"]+)" does not exist', "there is no database %(what)s: run the preparation first"),
    (r'role "(?P<who>[^"]+)" does not exist', "the database knows nobody named %(who)s: run the preparation first"),
    (r"the database system is (starting up|in recovery mode)", "the database is still starting: try again in a minute"),
    (
        r"ACCESS_REFUSED - Login was refused",
        "the broker is up and refuses the password: put back the secrets that belong to its data, or mend its URL",
    ),
    (
        r"(NOT_ALLOWED - )?(vhost (?P<what>\S+) not found|access to vhost '?(?P<same>[^' ]+)'? refused)",
        "the broker is up and has no virtual host %(what)s for us: `%(add)s`, then its rights",
    ),
    (
        r"PRECONDITION_FAILED - inequivalent arg '(?P<what>[^']+)'",
        "the broker has a queue or exchange with another '%(what)s' than ours: see `%(diff)s`",
    ),
    (r"ACCESS_REFUSED - ", "the broker does not let us do this: give its users their rights back (deploy/broker)"),
    (
        r"(could not translate host name|Name or service not known|Temporary failure in name resolution)",
        "a server's name is not known here: is its container running? `make ps`",
    ),
    (
        r"(Connection refused|No route to host)",
        "nobody answers there: is the server running? `%(status)s`",
    ),
)


def worded(error: BaseException) -> str:
    """Return why a server refused and what helps; the error's own first line where nothing better is known."""
    cause: BaseException = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    for kind, sentence in _BY_KIND.items():
        if isinstance(cause, kind):
            return sentence
    said = _said(cause)
    for pattern, sentence in _BY_WORDS:
        if found := re.search(pattern, said):
            groups = found.groupdict()
            what = groups.get("what") or groups.get("same") or "/"
            return sentence % (groups | _commands(what) | {"what": what})
    if isinstance(cause, InsufficientPrivilege):
        return f"the database does not let us do this ({said}): the owner role's rights are gone"
    return said


def _commands(what: str) -> dict[str, str]:
    known = {"add": f"rabbitmqctl add_vhost {what}", "diff": "tamga topology diff", "status": "tamga status"}
    return {name: here(command) for name, command in known.items()}


def _said(cause: BaseException) -> str:
    words = cause.reply_text if isinstance(cause, AMQPError) and cause.reply_text else str(cause)
    lines = str(words).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
