"""`tamga topology`: what is declared against what stands on the broker. Composed where services are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import amqp
import typer
from rich.markup import escape
from rich.table import Table

from shared.messaging import drift
from shared.messaging.drift import Broker, BrokerAPIError, Difference, DropRefusedError
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, AsJson, console, print_json

_COLOURS = {"missing": "red", "differs": "yellow", "superfluous": "cyan"}
Consumers = Callable[[], Mapping[str, tuple[str, ...]]]


def build(broker: Callable[[], Broker], consumers: Consumers) -> typer.Typer:
    """Return the command group; its parts are asked for only when a command needs them."""
    group = typer.Typer(no_args_is_help=True, help="The broker: what is declared and what stands there.")

    @group.command("diff")
    def diff(as_json: AsJson = False) -> None:
        """Show what the broker lacks, has otherwise, or has besides; the exit code is 1 when anything differs."""
        found = _or_exit(lambda: drift.diff(broker(), consumers()))
        if as_json:
            print_json({"equal": not found, "differences": [change.as_json() for change in found]})
        else:
            _show(found, "The broker stands as declared.")
        if found:
            raise typer.Exit(BAD_NEWS)

    @group.command("apply")
    def apply(
        prune: Annotated[bool, typer.Option("--prune", help="Remove bindings that this release lacks.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Declare what is missing and set permissions; queues and messages always stay."""
        done = _or_exit(lambda: drift.apply(broker(), consumers()))
        gone = _or_exit(lambda: drift.prune(broker(), consumers())) if prune else []
        left = _or_exit(lambda: drift.diff(broker(), consumers()))
        if as_json:
            parts = {"done": done, "removed": gone, "left": left}
            print_json({name: [change.as_json() for change in part] for name, part in parts.items()})
            return
        for change in (*done, *gone):
            verb = "Removed" if change.state == "superfluous" else "Set"
            console.print(f"{verb} {change.thing[0]} {escape(change.name)}")
        _show(left, "The broker stands as declared.")

    @group.command("drop")
    def drop(
        queue: str,
        with_messages: Annotated[bool, typer.Option("--with-messages", help="Lose what is in it.")] = False,
    ) -> None:
        """Delete a queue that no card declares, if it is empty."""
        lost = _or_exit(lambda: drift.drop(broker(), consumers(), queue, with_messages=with_messages))
        typer.echo(f"Deleted {queue} with {lost} messages.")

    return group


def _or_exit(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except (BrokerAPIError, DropRefusedError) as error:
        typer.echo(str(error), err=True)
    except amqp.PreconditionFailed as error:
        typer.echo(f"The broker has it otherwise and can't change it in place: {error.reply_text}", err=True)
    except (amqp.AMQPError, OSError) as error:
        typer.echo(f"The broker does not answer: {error}", err=True)
    raise typer.Exit(NO_ANSWER)


def _show(found: list[Difference], nothing: str) -> None:
    if not found:
        console.print(nothing)
        return
    table = Table("State", "Kind", "Name", "Live instead of declared", box=None, header_style="bold")
    for change in found:
        state = f"[{_COLOURS[change.state]}]{change.state}[/]"
        table.add_row(state, change.thing[0], escape(change.name), escape(change.why()))
    console.print(table)
