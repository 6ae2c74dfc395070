"""The `tamga` command. Each group's module is imported only when that group is called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from shared.command_line import slip, unanswered
from shared.settings import SettingsError

# Command: (module, its attribute, what the menu says). The attribute is a Typer app or a plain function.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "run": ("services.__main__", "run", "Run everything on this machine."),
    "demo": ("services.demo.cli", "demo", "Drive the story of the programme over HTTP and check every act."),
    "status": ("services.status", "status", "Say how each part is."),
    "support-bundle": ("services.support", "support_bundle", "Write what whoever helps needs to know into one file."),
    "backup": ("services.backup.cli", "commands", "Backups: create, list, verify."),
    "restore": ("services.backup.cli", "restore", "Bring a backup back."),
    "drill": ("services.backup.cli", "drill", "Try out the newest backup beside what runs."),
    "user": ("services.portal.cli", "user", "People: add, deactivate, grant a role."),
    "programme": ("services.portal.cli", "programme", "Programme packs: load, list."),
    "events": ("services.backbone", "events", "Events: list, trace, lag, gaps, retention."),
    "quarantine": ("services.backbone", "quarantine", "Events that could not be handled: list, show, settle."),
    "projections": ("services.backbone", "projections", "Local copies of others' facts: list, rebuild from events."),
    "reconcile": ("services.backbone", "reconcile", "Account for every event at every consumer."),
    "topology": ("services.backbone", "topology_commands", "The broker: diff with what is declared, apply."),
    "export": ("services.grants.cli", "commands", "Open data: publish agreements as 360Giving or IATI."),
    "audit": ("services.audit.cli", "commands", "The record: verify it, prove one event."),
    "signer": ("services.__main__", "signer", "The signer of the log: what it signed and refused."),
    "merkle": ("services.audit.merkle_cli", "merkle", "Merkle trees of RFC 6962: roots and proofs, made and verified."),
    "note": ("services.audit.merkle_cli", "note", "Signed notes, checkpoints among them: verify one."),
    "lists": ("services.grants.exclusion_cli", "commands", "Exclusion lists: import a version, list them."),
    "payees": ("services.grants.payee_cli", "commands", "Bank numbers: the keys that seal them, and a newer one."),
    "letters": ("services.notifications.cli", "commands", "Letters: check a programme's rules, list deliveries."),
    "webhooks": (
        "services.notifications.webhook_cli",
        "commands",
        "Banks' endpoints: the keys of their secrets.",
    ),
    "loan": ("services.loans.cli", "loan", "Loans: compute a repayment schedule."),
    "proposal": ("services.loans.cli", "proposal", "Proposals: compute every ratio."),
    "workflow": ("shared.workflow_cli", "commands", "Workflow files: lint, diagram, check who may do what, migrate."),
}

EXIT_CODES = "Exit codes: 0 done and well; 1 the answer is bad news; 2 no answer: wrong use, or there is no such thing."


def run(
    port: Annotated[int, typer.Option(envvar="TAMGA_PORT", help="Where the pages are served.")] = 8400,
    home: Annotated[Path, typer.Option(envvar="TAMGA_HOME", help="Where everything is kept.")] = Path(".tamga"),
) -> None:
    """Run everything on this machine: broker, database, web, workers, relays. Ctrl-C stops all of it."""
    from services import launcher  # noqa: PLC0415 - other commands do not need it

    raise typer.Exit(launcher.run(home, port))


def signer(
    words: Annotated[list[str] | None, typer.Argument(help="show, begin-again REASON, or give-back.")] = None,
) -> None:
    """Ask the signer of the log what it signed last and what it refuses, or have it begin again."""
    from services.signer import main as act  # noqa: PLC0415 - other commands do not need it

    raise typer.Exit(act(words or ["show"]))


def menu() -> None:
    """Tamga runs the money side of private-sector development programmes, and keeps a record anybody can verify."""


def not_called() -> None:
    """Stand in the menu for a command whose module is not imported."""


def gathered(chosen: str | None) -> typer.Typer:
    """Return the whole menu, with the real command behind `chosen` alone: imports are slow."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
    app.callback(epilog=EXIT_CODES)(menu)
    for name, (module, attribute, words) in COMMANDS.items():
        found = getattr(importlib.import_module(module), attribute) if name == chosen else not_called
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, help=words)
        else:
            app.command(name=name, help=words)(found)
    return app


def main() -> None:
    """Run the `tamga` command."""
    if wrong := slip(sys.argv[1:]):
        typer.echo(wrong, err=True)
        sys.exit(2)
    chosen = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    try:
        gathered(chosen)(prog_name="tamga")
    except SettingsError as error:
        typer.echo(f"{error}", err=True)
        sys.exit(2)
    except Exception as error:
        if (sentence := unanswered(error)) is None:
            raise
        typer.echo(sentence, err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
