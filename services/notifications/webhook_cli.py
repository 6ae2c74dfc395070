"""`tamga webhooks …`: the keys under which the secrets of banks' endpoints are sealed.

Exit codes: 0 done and well; 1 a secret waits for a key that is not here; 2 could not tell.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from services.notifications.handlers import resealing
from shared.database import Context, UnitOfWork, engine_for, reading, system
from shared.infrastructure.refusals import worded
from shared.messaging.printing import NO_ANSWER
from shared.settings import Settings, SettingsError, settings
from shared.vault import VaultError, new_key, vault_of

commands = typer.Typer(
    name="webhooks", help="Endpoints of banks' systems: the keys that seal their secrets.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
_FAILURES = (VaultError, SettingsError, SQLAlchemyError, OSError)


def reseal_all(known: Settings) -> resealing.Resealed:
    """Seal all secrets under the first key of the file; raises VaultError, SettingsError."""
    engine = engine_for(known.database_url("notifications"), pool_size=1, application_name="tamga webhooks")
    try:
        with UnitOfWork(engine, "notifications", Context(actor=system("notifications"))) as uow:
            return resealing.reseal(uow, vault_of(known.webhook_key_file))
    finally:
        engine.dispose()


@commands.command("rekey")
def rekey(*, as_json: Json = False) -> None:
    """Seal every secret under the newest key (the first line of the key file); then the others can go."""
    try:
        known = settings()
        done = reseal_all(known)
        newest = vault_of(known.webhook_key_file).newest
    except _FAILURES as error:
        typer.echo(f"Nothing was changed: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if as_json:
        facts = {"secrets": done.secrets, "endpoints": done.endpoints, "key": newest, "missing": done.missing}
        typer.echo(json.dumps(facts))
    else:
        typer.echo(f"{done.secrets} secrets of {done.endpoints} endpoints sealed anew under the key {newest}.")
        for key, much in done.missing.items():
            typer.echo(f"{much} wait for the key {key}, which is not here: their endpoints are sent nothing.")
    raise typer.Exit(1 if done.missing else 0)


@commands.command("keys")
def keys(*, as_json: Json = False) -> None:
    """Say how many secrets are sealed under each key, and which keys are here."""
    try:
        known = settings()
        vault = vault_of(known.webhook_key_file)
        engine = engine_for(known.database_url("notifications"), pool_size=1, application_name="tamga webhooks")
        try:
            with reading(engine) as connection:
                found = resealing.standing(connection)
        finally:
            engine.dispose()
    except _FAILURES as error:
        typer.echo(f"Could not tell: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    rows = {key: found.pop(key, 0) for key in vault.ids}
    if as_json:
        typer.echo(json.dumps({"here": rows, "missing": found}))
    else:
        for place, (key, much) in enumerate(rows.items()):
            typer.echo(f"{key}  {much:>6}  {'opens' if place else 'seals'}")
        for key, much in found.items():
            typer.echo(f"{key}  {much:>6}  is not here")
    raise typer.Exit(1 if found else 0)


@commands.command("new-key")
def make_key() -> None:
    """Print a new key: put it before the others in the key file, start anew, then `tamga webhooks rekey`."""
    typer.echo(new_key())
