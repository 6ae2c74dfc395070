"""Alembic for every service's own database: one environment, versions in `services/<service>/migrations/versions`.

`python -m shared.migrations revision SERVICE MESSAGE | upgrade [SERVICE] | check [SERVICE] | contracts`

Versions only add (docs/adr/0017): one that takes something away says `contract = "since RELEASE"`, the first release
that no longer uses it. So the former release works with the tables of the next, beside it and after a rollback.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, create_engine, text
from sqlalchemy.pool import NullPool

from shared.infrastructure.databases import restrict
from shared.infrastructure.names import database_name
from shared.infrastructure.refusals import worded
from shared.messaging.partitions import MONTHS_AHEAD, is_partition
from shared.settings import SERVICES, Settings, load

ROOT = Path(__file__).resolve().parent.parent
_SINCE = re.compile(r"since (\d+(?:\.\d+)*)")
# Everybody who wants a table stands behind a version that waits for it: better it fails, and all is as it was.
_PATIENCE = text("SET LOCAL lock_timeout = '10s'")
_TEMPLATE = '''"""{message}."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql  # noqa: F401 - used by some versions

revision = "{revision}"
down_revision = {down}
branch_labels = None
depends_on = None


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


class MigrationError(RuntimeError):
    """A version could not be applied; the message names database, version and cure. All DDL is in one transaction."""

    def __init__(self, service: str, under_way: list[str], before: str | None, error: Exception) -> None:
        failed = f"version {under_way[0]}" if under_way else "finding the versions"
        super().__init__(
            f"{database_name(service)}: {failed} failed ({worded(error)}). The database is as it was, at"
            f" {f'version {before}' if before else 'no version'}: mend that and start again, or go back to the former"
            f" release, which works with it."
        )


def versions(service: str) -> Path:
    """Return the folder of a service's versions."""
    return ROOT / "services" / service / "migrations" / "versions"


def has_versions(service: str) -> bool:
    """Say whether a service has any version yet."""
    return any(versions(service).glob("[0-9]*.py"))


def metadata_of(service: str) -> MetaData:
    """Return the tables a service declares in its `storage`."""
    metadata: MetaData = importlib.import_module(f"services.{service}.storage").metadata
    return metadata


def _script(service: str) -> ScriptDirectory:
    return ScriptDirectory(tempfile.gettempdir(), version_locations=[str(versions(service))])


def known(service: str) -> dict[str, Any]:
    """Return the modules of a service's versions by revision, oldest first."""
    return {script.revision: script.module for script in reversed([*_script(service).walk_revisions()])}


def knows(service: str, revision: str) -> bool:
    """Say whether a version of a service's tables is one of this release's."""
    return revision in known(service)


def contract_of(module: Any) -> str:
    """Return the release since which nobody uses what a version takes away; nothing when it only adds.

    Raises ValueError when it says that in other words than `contract = "since 1.4.0"`.
    """
    said = getattr(module, "contract", "")
    found = _SINCE.fullmatch(said)
    if said and not found:
        raise ValueError(f'{module.__name__}: contract = {said!r}: write "since RELEASE"')
    return found[1] if found else ""


def contracts() -> list[dict[str, str]]:
    """Return which versions take something away, and since which release nobody uses it."""
    return [
        {"service": service, "revision": revision, "since": since}
        for service in SERVICES
        for revision, module in known(service).items()
        if (since := contract_of(module))
    ]


def _context(connection: Connection, **options: Any) -> MigrationContext:
    # Names of indexes on partitions and the like are the database's own affair.
    return MigrationContext.configure(connection, opts={"compare_type": True, **options})


def upgrade(service: str, connection: Connection, *, months_ahead: int = MONTHS_AHEAD, to: str = "head") -> list[str]:
    """Bring a service's database to the newest version, or `to` one, and set what its app role may.

    Returns what was applied. One that a later release has brought further is left as it is: this one works with it.
    Also makes the outbox's partitions of so many months to come, whether anything was applied or not.
    """
    before = _context(connection).get_current_revision()
    applied = [] if before and not knows(service, before) else _apply(service, connection, before, to)
    if connection.execute(text("SELECT to_regprocedure('outbox_ahead(integer)')")).scalar_one():
        connection.execute(text("SELECT outbox_ahead(:months)"), {"months": months_ahead})
    return applied


def _apply(service: str, connection: Connection, before: str | None, to: str) -> list[str]:
    script = _script(service)
    under_way: list[str] = []

    def steps(revision: Any, _context: MigrationContext) -> Any:
        for step in script._upgrade_revs(to, revision):  # noqa: SLF001 - what alembic's own command calls
            under_way.append(step.revision.revision)
            yield step

    context = _context(connection, fn=steps)
    connection.execute(_PATIENCE)
    try:
        with context.begin_transaction(), Operations.context(context):
            context.run_migrations()
    except Exception as error:
        raise MigrationError(service, under_way[-1:], before, error) from error
    after = _context(connection).get_current_revision()
    if before != after:
        restrict(connection, metadata_of(service), service)
    return [] if before == after else [step.revision for step in script.iterate_revisions(after, before)]


def create(service: str, connection: Connection) -> None:
    """Make a service's tables straight from its metadata: for a service that has no versions yet."""
    metadata = metadata_of(service)
    metadata.create_all(connection)
    restrict(connection, metadata, service)


def differences(service: str, connection: Connection) -> list[Any]:
    """Return what a database at the newest version still differs in from the service's tables."""
    return list(compare_metadata(_comparing(connection), metadata_of(service)))


def _comparing(connection: Connection) -> MigrationContext:
    def ours(_thing: Any, name: str | None, kind: str, reflected: bool, _other: Any) -> bool:
        return not (kind == "table" and reflected and (name == "alembic_version" or is_partition(name or "")))

    return _context(connection, include_object=ours)


def revision(service: str, message: str, connection: Connection) -> Path | None:
    """Write the next version from the difference between the database and the tables; None when there is none."""
    context = _comparing(connection)
    script = produce_migrations(context, metadata_of(service))
    if script.upgrade_ops is None or script.downgrade_ops is None or script.upgrade_ops.is_empty():
        return None
    folder = versions(service)
    folder.mkdir(parents=True, exist_ok=True)
    before = context.get_current_revision()
    number = f"{len(list(folder.glob('[0-9]*.py'))) + 1:04d}"
    words = re.sub(r"\W+", "_", message.lower()).strip("_")
    path = folder / f"{number}_{words}.py"
    path.write_text(
        _TEMPLATE.format(
            message=message[:1].upper() + message[1:].rstrip("."),
            revision=number,
            down=f'"{before}"' if before else None,
            upgrade=render_python_code(script.upgrade_ops, migration_context=context),
            downgrade=render_python_code(script.downgrade_ops, migration_context=context),
        )
    )
    return path


def upgrade_all(settings: Settings, services: tuple[str, ...] = SERVICES) -> dict[str, list[str]]:
    """Bring the databases of `settings` to the newest versions; returns what was applied by service."""
    applied = {}
    for service in services:
        engine = create_engine(settings.owner_database_urls[service], poolclass=NullPool)
        with engine.connect() as connection:
            applied[service] = upgrade(service, connection)
            connection.commit()
    return applied


def _on_scratch(service: str, action: str, message: str = "") -> int:
    from shared.testing.stand import Stand  # noqa: PLC0415 - a throw-away server, for developers alone

    with Stand() as stand:
        engine = stand.owner(stand.bare_database(service), service)
        with engine.begin() as connection:
            if has_versions(service):
                upgrade(service, connection)
            if action == "revision":
                path = revision(service, message, connection)
                print(path or f"{service}: nothing has changed")
                return 0
            found = differences(service, connection)
    for difference in found:
        print(f"{service}: {difference}")
    return 1 if found else 0


def main(arguments: list[str]) -> int:
    """Run one of the commands; returns the exit code."""
    match arguments:
        case ["revision", service, message] if service in SERVICES:
            return _on_scratch(service, "revision", message)
        case ["check", *names]:
            return max(_on_scratch(service, "check") for service in names or SERVICES)
        case ["contracts"]:
            print(json.dumps(contracts()))
            return 0
        case ["upgrade", *names]:
            for service, applied in upgrade_all(load(), tuple(names) or SERVICES).items():
                print(f"{service}: {', '.join(applied) or 'up to date'}")
            return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
