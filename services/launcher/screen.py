"""What `tamga run` says: a line per step, the table at the end, one sentence when it can't go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from rich.console import Console
from rich.table import Table


class Screen:
    """Lines of progress; colour and a turning sign only on a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.began = time.monotonic()
        self.stopping: float | None = None

    @contextmanager
    def step(self, words: str, *, meanwhile: str = "") -> Iterator[list[str]]:
        """Show one step, as `meanwhile` until it is done; append to the given list what shall then stand behind it."""
        began, details = time.monotonic(), list[str]()
        # Few turns a second: the terminal may be at the other end of a thin line.
        turning = self.console.status(meanwhile or words, refresh_per_second=4) if self.console.is_terminal else None
        try:
            with turning or nullcontext():
                yield details
        except BaseException:
            self.console.print(f"[red]✘[/] {words}")
            raise
        took = time.monotonic() - began
        behind = f" [dim]{', '.join(details)}[/]" if details else ""
        self.console.print(f"[green]✔[/] {words}{behind} [dim]{took:.1f} s[/]")

    def ending(self, name: str) -> AbstractContextManager[list[str]]:
        """Show that a process is ending, and when it has; the first of them says what goes on."""
        if self.stopping is None:
            self.stopping = time.monotonic()
            self.say(
                "Stopping: what is under way is finished first; Ctrl-C once more ends web, work and relay at once."
            )
        return self.step(f"{name} has ended", meanwhile=f"{name} is ending")

    def stopped(self) -> None:
        """Say that everything has ended, and how long that took."""
        took = "" if self.stopping is None else f" after {time.monotonic() - self.stopping:.1f} s"
        self.say(f"Stopped{took}. The data are kept.")

    def say(self, words: str) -> None:
        """Print a line."""
        self.console.print(words)

    def refuse(self, sentence: str) -> None:
        """Say in one sentence why it can't go on, and nothing else."""
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]{sentence}[/]")

    def ready(self, url: str, health: dict[str, str], memory: int) -> None:
        """Print where it is and how each part is."""
        table = Table(show_edge=False)
        table.add_column("part")
        table.add_column("health")
        for part, state in health.items():
            table.add_row(part, f"[green]{state}[/]" if state == "ok" else f"[red]{state}[/]")
        self.console.print(f"\n[bold]Tamga is ready: {url}[/]\n")
        self.console.print(table)
        self.console.print(f"[dim]ready after {time.monotonic() - self.began:.1f} s, {memory} MB of memory[/]")

    def people(self, people: list[dict[str, Any]], file: str) -> None:
        """Print who can sign in; passwords only when they were made just now."""
        self.console.print()
        if not people:
            self.console.print(f"Sign in as one of the people in {file} (it is readable by you alone).")
            return
        table = Table(title="Sign in as", title_justify="left", title_style="bold", show_edge=False)
        for column in ("role", "e-mail", "password"):
            table.add_column(column, no_wrap=True)
        for person in people:
            table.add_row(", ".join(person["roles"]).replace("_", " "), person["email"], person["password"])
        # On a narrow terminal a line may wrap, but no password is ever cut short.
        Console(file=self.console.file, width=max(self.console.width, 120), highlight=False).print(table)
        self.console.print(f"[dim]Shown this once; kept in {file}, readable by you alone.[/]")
