"""`tamga audit prove`. Exit codes: 0 proven, 1 not in the log, 2 could not tell."""

from __future__ import annotations

import json

import typer
from rich.table import Column, Table
from sqlalchemy.exc import SQLAlchemyError

from services.audit.cli.common import Json, commands, console, log
from services.audit.handlers.proofs import Proof, prove
from shared.errors import TamgaError
from shared.infrastructure.refusals import worded
from shared.messaging.asked import Id
from shared.messaging.printing import BAD_NEWS, NO_ANSWER
from shared.settings import SettingsError


@commands.command("prove")
def prove_event(event_id: Id, *, as_json: Json = False) -> None:
    """Prove that one event is in the log; the proof is checked before it is shown. Exit code 1: it is not there."""
    try:
        with log() as (engine, keys), engine.begin() as connection:
            proof = prove(connection, event_id, keys)
    except TamgaError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_NEWS) from error
    except (SettingsError, SQLAlchemyError, OSError) as error:
        typer.echo(f"The event could not be proven: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if as_json:
        typer.echo(json.dumps(proof.as_json(), ensure_ascii=False, indent=2))
    else:
        _print_proof(proof)


def _print_proof(proof: Proof) -> None:
    console.print(f"event {proof.event_id} is leaf {proof.index} of {proof.size}")
    table = Table("step", "sibling", Column("hash", overflow="fold"))
    table.add_row("leaf", "", proof.leaf_hash.hex())
    for number, step in enumerate(proof.steps(), 1):
        table.add_row(str(number), step["side"], step["hash"])
    table.add_row("root", "", proof.root.hex())
    console.print(table)
    console.print(proof.checkpoint, highlight=False, markup=False)
    console.print("[green]OK[/green]: the path leads from the leaf to the signed root")
