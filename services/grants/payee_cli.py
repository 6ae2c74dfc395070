"""`tamga payees …`: the keys under which bank numbers and bank files are sealed.

Exit codes: 0 done and well; 1 something stays under a key that may not go away; 2 could not tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from services.grants.storage import secrets
from shared.database import engine_for
from shared.documents import DocumentStore
from shared.infrastructure.refusals import worded
from shared.messaging.printing import NO_ANSWER
from shared.settings import SettingsError, settings
from shared.vault import VaultError, new_key, vault_of

commands = typer.Typer(
    name="payees", help="Bank numbers and letters of banks: the keys that seal them.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@contextmanager
def _owning(service: str = "grants") -> Iterator[Connection]:
    """Give a transaction of the role that owns the tables: the service's own may not change what it has kept."""
    known = settings().owner_database_urls.get(service)
    if known is None:
        name = f"TAMGA_{service.upper()}_OWNER_DATABASE_URL"
        raise SettingsError(f"no owner of the {service} database is known: set {name}")
    engine = engine_for(known, pool_size=1, application_name="tamga payees")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@commands.command("rekey")
def rekey(*, as_json: Json = False) -> None:
    """Seal everything under the newest key (the first line of the key file); then the others can go."""
    try:
        vault, store = vault_of(settings().payee_key_file), DocumentStore(settings().documents_folder)
        with _owning() as connection:
            secrets.must_be_openable(connection, vault)
            done = secrets.rekey(connection, vault, store)
        if (
            "loans" in settings().owner_database_urls
        ):  # which keeps documents in the same folder; else the next start does
            with _owning() as connection, _owning("loans") as loans:
                secrets.forget_open(connection, store, [loans])
    except (VaultError, SettingsError, SQLAlchemyError, OSError) as error:
        typer.echo(f"Nothing was changed: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if as_json:
        typer.echo(json.dumps({"numbers": done.numbers, "files": done.files, "key": vault.newest, "keys": done.keys}))
        return
    typer.echo(f"{done.numbers} numbers and {done.files} files sealed anew; all is under the key {vault.newest} now.")
    if len(vault.ids) > 1:
        typer.echo("Backups of before need the other keys: keep a copy of them as long as of those backups.")


@commands.command("keys")
def keys(*, as_json: Json = False) -> None:
    """Say how much is sealed under each key, and which keys are here."""
    try:
        vault = vault_of(settings().payee_key_file)
        with _owning() as connection:
            found = secrets.standing(connection)
    except (SettingsError, SQLAlchemyError, OSError) as error:
        typer.echo(f"Could not tell: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    rows = {key: found.pop(key, 0) for key in vault.ids}
    if as_json:
        typer.echo(json.dumps({"here": rows, "missing": found}))
    else:
        for place, (key, much) in enumerate(rows.items()):
            typer.echo(f"{key}  {much:>6}  {'seals' if not place else 'opens'}")
        for key, much in found.items():
            typer.echo(f"{key or '(open)'}  {much:>6}  {'is not here' if key else 'not sealed: tamga payees rekey'}")
    raise typer.Exit(1 if found else 0)


@commands.command("new-key")
def make_key() -> None:
    """Print a new key: put it before the others in the key file, start anew, then `tamga payees rekey`."""
    typer.echo(new_key())
