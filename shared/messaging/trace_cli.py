"""`tamga events trace`: what one act set off, drawn for a terminal or told as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine

from shared.messaging import causation
from shared.messaging.causation import APPLIED, Act, Consumers, Effect, Step
from shared.messaging.printing import NO_ANSWER

_WIDTH = 24  # characters of the bar
_WIDE = 100  # columns of a terminal that has room for bars
_EIGHTHS = "▏▎▍▌▋▊▉█"
_STATES = {APPLIED: "green", causation.PARKED: "yellow", causation.IN_FLIGHT: "cyan", "quarantined": "red"}
_NOTHING = (
    "Nothing is known of {asked}: it is no correlation id, event id, trace id or case reference here, or its events"
    " are older than what is kept."
)


def trace(engines: Mapping[str, Engine], consumers: Consumers, asked: str, *, newest: int, as_json: bool) -> None:
    """Print the newest acts that `asked` stands for; exits with 2 when there is none."""
    ids = causation.find(engines, asked)
    acts = causation.acts(engines, consumers, ids[-newest:] if newest else ids)
    left_out = len(ids) - len(acts)
    if as_json:
        told = {"asked": asked, "left_out": left_out, "acts": [act.as_json() for act in acts]}
        typer.echo(json.dumps(told, default=str, ensure_ascii=False, indent=2))
    elif acts:
        _print(Console(), acts, left_out)
    else:
        typer.echo(_NOTHING.format(asked=asked), err=True)
    if not acts:
        raise typer.Exit(NO_ANSWER)


def _print(console: Console, acts: Sequence[Act], left_out: int) -> None:
    if left_out > 0:
        console.print(f"[dim]{left_out} earlier acts are left out; --newest 0 shows all.[/]\n")
    for act in acts:
        for line in _heading(act):
            console.print(line, soft_wrap=True)
        console.print(_table(act, bars=console.width >= _WIDE))
        console.print()


def _heading(act: Act) -> Iterator[str]:
    first, took = act.steps[0], duration(causation.milliseconds(act.started_at, act.ended_at))
    who = first.actor["role"] or first.actor["kind"] or "somebody"
    what = first.action or first.type
    yield f"[bold]{escape(what)}[/] by {escape(who)}"
    yield f"{_moment(act.started_at)}, {took} to the last effect"
    yield f"[dim]correlation {act.correlation_id}[/]"
    for trace_id in dict.fromkeys(step.trace_id for step in act.all() if step.trace_id):
        yield f"[dim]trace {trace_id}[/]"
    if letters := ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in act.letters().items()):
        yield f"Letters: {escape(letters)}"
    if missing := ", ".join(f"{count} {state}" for state, count in act.open().items()):
        yield f"[yellow]Not done yet: {escape(missing)}[/]"


def _table(act: Act, *, bars: bool) -> Table:
    table = Table("Event and its effects", box=None, header_style="dim", pad_edge=False)
    table.add_column("About", no_wrap=bars, max_width=30 if bars else 20)
    table.add_column("After", no_wrap=True, justify="right")
    if bars:
        table.add_column("", no_wrap=True, min_width=_WIDTH)
    for prefix, under, step in _rows(act.steps, ""):
        after = duration(causation.milliseconds(act.started_at, step.recorded_at))
        drawn = [_bar(act.started_at, act.ended_at, step.recorded_at, step.ended_at)] if bars else []
        table.add_row(f"{prefix}{_name(step)}", escape(_about(step)), f"+{after}", *drawn)
        for line in _fate(step):
            table.add_row(f"[dim]{under}[/]{line}")
    return table


def _rows(steps: Sequence[Step], before: str) -> Iterator[tuple[str, str, Step]]:
    for number, step in enumerate(steps):
        last = number == len(steps) - 1
        here = f"{before}{'└╴' if last else '├╴'}"
        below = f"{before}{'  ' if last else '│ '}"
        yield f"[dim]{here}[/]", f"{below}{'│ ' if step.because else '  '}", step
        yield from _rows(step.because, below)


def _name(step: Step) -> str:
    return f"[red]{step.type} refused[/]" if step.outcome == "refused" else step.type


def _about(step: Step) -> str:
    if step.letter:
        told = ("channel", "state", "because", "code")
        facts = [str(step.letter[name]).replace("_", " ") for name in told if name in step.letter]
        attempt = step.letter.get("attempt") or 1
        return ", ".join(facts + ([f"attempt {attempt}"] if attempt > 1 else []))
    return step.case or step.entity


def _fate(step: Step) -> Iterator[str]:
    if step.published_at is None:
        why = f": {step.held_reason}" if step.held_reason else ""
        until = f", waits until {_moment(step.waits_until)}" if step.waits_until else ""
        yield f"[yellow]not published yet{escape(why)}{until}[/]"
    well = [effect for effect in step.effects if effect.state == APPLIED]
    if well:
        yield "[dim]→ " + ", ".join(f"{item.consumer} {duration(item.milliseconds or 0)}" for item in well) + "[/]"
    for effect in step.effects:
        if effect.state != APPLIED:
            yield f"[{_STATES.get(effect.state, 'dim')}]→ {effect.consumer}: {escape(_words(effect))}[/]"


def _words(effect: Effect) -> str:
    parts = [effect.state]
    if effect.attempts:
        parts.append(f"{effect.attempts} attempts" if effect.attempts > 1 else "1 attempt")
    if effect.until:
        parts.append(f"next {_moment(effect.until)}")
    if effect.why:
        parts.append(effect.why.splitlines()[0][:160])
    return ", ".join(parts)


def _bar(start: datetime, end: datetime, begun: datetime, done: datetime) -> str:
    """Return where on the act's time an event and its effects lie."""
    whole = max((end - start).total_seconds(), 1e-6)
    first = (begun - start).total_seconds() / whole * _WIDTH
    length = max((done - begun).total_seconds() / whole * _WIDTH, 0.125)
    blank = min(int(first), _WIDTH - 1)
    full, part = divmod(round(length * 8), 8)
    return (
        " " * blank + "█" * min(full, _WIDTH - blank) + (_EIGHTHS[part - 1] if part and blank + full < _WIDTH else "")
    )


def duration(milliseconds: float) -> str:
    """Return a length of time as people say it: 12 ms, 3.4 s, 2 min, 5 h, 3 d."""
    seconds = milliseconds / 1000
    for limit, unit, size, form in (
        (1, "ms", 0.001, ".0f"),
        (60, "s", 1, ".1f"),
        (3600, "min", 60, ".0f"),
        (48 * 3600, "h", 3600, ".0f"),
    ):
        if seconds < limit:
            return f"{seconds / size:{form}} {unit}"
    return f"{seconds / 86400:.0f} d"


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else ""
