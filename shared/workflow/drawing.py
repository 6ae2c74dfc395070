"""Draws a workflow as SVG that needs nothing else: no fonts, no scripts, no style sheets.

The main line of stages runs down the middle; stages beside it stand to the left, ends other than the good
one to the right. Moves to those ends and moves backward run along rails, so that lines cross at right
angles only; what a line means is in its tooltip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.workflow.model import Stage, Workflow

WIDTH, HEIGHT, STEP, RAIL, PORT, LABELS = 172, 46, 92, 15, 9, 70
FONT = "system-ui, sans-serif"
# Fill and border by holder; the words in the box are always dark, so that it reads on any ground.
COLOURS = {
    "applicant": ("#fdf0d5", "#b7791f"),
    "officer": ("#e3eefb", "#2b6cb0"),
    "reviewer": ("#ece6f7", "#6b46c1"),
    "programme_manager": ("#e1f3ec", "#277a5b"),
    "finance_officer": ("#fbe6ec", "#b03060"),
    "finance_partner": ("#e2f2f5", "#2c7a8c"),
}
TIP = (
    '<defs><marker id="wf-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#7a828e"/></marker></defs>'
)
END = ("#eceef1", "#7a828e")


@dataclass
class Edge:
    """All moves from one stage to another."""

    source: str
    to: str
    names: list[str]


@dataclass
class Layout:
    """Where everything stands: `x`, `y` are the middle of a stage's box."""

    main: list[str]
    left: list[str]
    right: list[str]
    x: dict[str, int] = field(default_factory=dict)
    y: dict[str, int] = field(default_factory=dict)
    width: int = 0
    height: int = 0
    rails_left: int = 0
    rails_right: int = 0


def _ranks(workflow: Workflow) -> dict[str, int]:
    """Return each open stage's longest way from the initial one over moves that go forward in the document."""
    order = {stage.id: place for place, stage in enumerate(workflow.stages)}
    ranks = {workflow.initial: 0}
    for stage in workflow.stages:
        for move in workflow.leaving(stage.id):
            forward = order[move.to] > order[stage.id] and not workflow.stage(move.to).terminal
            if forward and stage.id in ranks:
                ranks[move.to] = max(ranks.get(move.to, 0), ranks[stage.id] + 1)
    return ranks


def main_line(workflow: Workflow) -> list[str]:
    """Return the longest forward way, and after it the good end: the first terminal stage of the document."""
    ranks = _ranks(workflow)
    ends = [stage.id for stage in workflow.stages if stage.terminal]
    before_end = [move.sources for move in workflow.transitions if ends and move.to == ends[0]]
    finish = [stage for sources in before_end for stage in sources if stage in ranks]
    line = [max(finish or list(ranks), key=lambda stage: ranks[stage])]
    while line[0] != workflow.initial:
        into = [
            source for move in workflow.transitions if move.to == line[0] for source in move.sources if source in ranks
        ]
        earlier = [source for source in into if ranks[source] == ranks[line[0]] - 1]
        line.insert(0, earlier[0])
    return line + ends[:1]


def _layout(workflow: Workflow, edges: list[Edge]) -> Layout:
    main = main_line(workflow)
    beside = [stage for stage in workflow.stages if stage.id not in main]
    left = [stage.id for stage in beside if not stage.terminal]
    right = [stage.id for stage in beside if stage.terminal]
    plan = Layout(main, left, right)
    order = {stage: place for place, stage in enumerate(main)}
    plan.rails_left = sum(1 for edge in edges if _backward(edge, order))
    plan.rails_right = len(right) + sum(1 for edge in edges if edge.source in right)
    spine = (WIDTH + 40 if left else 0) + plan.rails_left * RAIL + WIDTH // 2 + 30
    for place, stage in enumerate(main):
        plan.x[stage], plan.y[stage] = spine, 40 + place * STEP + HEIGHT // 2
    for stage in left:
        near = [order[edge.source] for edge in edges if edge.to == stage and edge.source in order]
        plan.x[stage], plan.y[stage] = WIDTH // 2 + 10, _free(plan, left, 40 + (min(near, default=0) + 0.5) * STEP)
    for stage in right:
        near = [order[edge.source] for edge in edges if edge.to == stage and edge.source in order]
        middle = sum(near) / len(near) if near else 0
        plan.x[stage] = spine + WIDTH + LABELS + 18 + plan.rails_right * RAIL
        plan.y[stage] = _free(plan, right, 40 + (middle + 0.5) * STEP)
    plan.width = (max(plan.x.values())) + WIDTH // 2 + 12
    plan.height = max(plan.y.values()) + HEIGHT + 44
    return plan


def _free(plan: Layout, column: list[str], wanted: float) -> int:
    """Return the height nearest below `wanted` at which no other box of the column is."""
    place = int(wanted) + HEIGHT // 2
    taken = sorted(plan.y[stage] for stage in column if stage in plan.y)
    for other in taken:
        if abs(other - place) < HEIGHT + 14:
            place = other + HEIGHT + 14
    return place


def _backward(edge: Edge, order: dict[str, int]) -> bool:
    return edge.source in order and edge.to in order and order[edge.to] != order[edge.source] + 1


def _edges(workflow: Workflow, locale: str) -> list[Edge]:
    found: dict[tuple[str, str], Edge] = {}
    for move in workflow.transitions:
        for source in move.sources:
            edge = found.setdefault((source, move.to), Edge(source, move.to, []))
            edge.names.append(move.name.get(locale) or move.name.get("en", move.id))
    return list(found.values())


def svg(workflow: Workflow, locale: str = "en", current: str | None = None, *, public: bool = False) -> str:
    """Return the workflow as an SVG picture in which the stage `current` is marked.

    With `public` stages bear the names that the applicant reads.
    """
    edges = _edges(workflow, locale)
    plan = _layout(workflow, edges)
    title = escape((workflow.name or {}).get(locale) or (workflow.name or {}).get("en") or workflow.workflow)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {plan.width} {plan.height}" width="{plan.width}"'
        f' height="{plan.height}" role="img" aria-labelledby="wf-title" font-family="{FONT}" font-size="13">'
    )
    parts = [
        head,
        f'<title id="wf-title">{title}</title>',
        TIP,
        *_lines(plan, edges),
        *(_box(plan, stage, workflow.label(stage.id, locale, public=public), current) for stage in workflow.stages),
        *_legend(plan, workflow),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(plan: Layout, stage: Stage, label: str, current: str | None) -> str:
    fill, border = COLOURS.get(stage.holder or "", END) if not stage.terminal else END
    here = stage.id == current
    x, y = plan.x[stage.id] - WIDTH // 2, plan.y[stage.id] - HEIGHT // 2
    ring = f'<rect x="{x - 5}" y="{y - 5}" width="{WIDTH + 10}" height="{HEIGHT + 10}" rx="13" fill="none"'
    mark = f'{ring} stroke="{border}" stroke-width="3"/>' if here else ""
    box = f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="9" fill="{fill}" stroke="{border}"/>'
    lines = _wrapped(label)
    first = plan.y[stage.id] + 4 - 8 * (len(lines) - 1)
    words = "".join(
        f'<text x="{plan.x[stage.id]}" y="{first + 16 * place}" text-anchor="middle" fill="#1c2430"'
        f' font-weight="{700 if here else 400}">{escape(line)}</text>'
        for place, line in enumerate(lines)
    )
    return f'<g data-stage="{stage.id}">{mark}{box}{words}</g>'


def _wrapped(label: str, most: int = 23) -> list[str]:
    if len(label) <= most:
        return [label]
    words, lines = label.split(), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) + 1 > most and len(lines) == 1:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return [line if len(line) <= most + 2 else line[: most + 1] + "…" for line in lines]


def _lines(plan: Layout, edges: list[Edge]) -> Iterator[str]:
    order = {stage: place for place, stage in enumerate(plan.main)}
    back_rail = 0
    exits = {stage: place for place, stage in enumerate(plan.right)}
    out_rail = len(plan.right)
    for edge in edges:
        names = " · ".join(edge.names)
        if _backward(edge, order):
            yield _rail(plan, edge, names, -1, back_rail)
            back_rail += 1
        elif edge.to in exits:
            yield _rail(plan, edge, names, 1, exits[edge.to])
        elif edge.source in exits:
            yield _rail(plan, edge, names, 1, out_rail)
            out_rail += 1
        elif edge.source in order and edge.to in order:
            yield from _down(plan, edge, names)
        else:
            yield _beside(plan, edge, names)


def _path(d: str, names: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<path d="{d}" fill="none" stroke="#7a828e" stroke-width="1.3"{dash} marker-end="url(#wf-tip)">'
        f"<title>{escape(names)}</title></path>"
    )


def _down(plan: Layout, edge: Edge, names: str) -> Iterator[str]:
    x, y1, y2 = plan.x[edge.source], plan.y[edge.source] + HEIGHT // 2, plan.y[edge.to] - HEIGHT // 2
    yield _path(f"M{x} {y1}V{y2}", names)
    yield (f'<text x="{x + 8}" y="{y2 - 12}" font-size="11" fill="currentColor" opacity=".75">{escape(names)}</text>')


def _rail(plan: Layout, edge: Edge, names: str, side: int, rail: int) -> str:
    """Return a line out of one side of a box, along a rail, into a box: beside the main line or at its right."""
    spine = plan.x[plan.main[0]]
    x = spine + side * (WIDTH // 2 + (LABELS if side > 0 else 22) + rail * RAIL)
    shift = (rail % 4) * PORT - 13
    y1, y2 = plan.y[edge.source] + shift, plan.y[edge.to] + (shift if edge.source in plan.right else 0)
    if edge.source in plan.right or edge.to in plan.main:
        y2 = plan.y[edge.to] + shift
    start = plan.x[edge.source] + (-1 if edge.source in plan.right else side) * WIDTH // 2
    end = plan.x[edge.to] + (-1 if edge.to in plan.right else side) * WIDTH // 2
    turn = 6 if y2 > y1 else -6
    if abs(y2 - y1) < 12:
        return _path(f"M{start} {y1}H{end}", names)
    into, out = (6 if x > start else -6), (6 if end > x else -6)
    bends = f"M{start} {y1}H{x - into}Q{x} {y1} {x} {y1 + turn}V{y2 - turn}Q{x} {y2} {x + out} {y2}H{end}"
    return _path(bends, names, dashed=edge.to in plan.main)


def _beside(plan: Layout, edge: Edge, names: str) -> str:
    """Return the line between the main line and a stage to its left; both ways keep apart."""
    leaving = edge.to in plan.left
    shift = -8 if leaving else 8
    side, main = (edge.to, edge.source) if leaving else (edge.source, edge.to)
    x1, y1 = plan.x[main] - WIDTH // 2, plan.y[main] + shift
    x2, y2 = plan.x[side] + (shift * 2), plan.y[side]
    edge_y = y2 - HEIGHT // 2 if y1 < y2 else y2 + HEIGHT // 2
    points = f"M{x1} {y1}H{x2}V{edge_y}" if leaving else f"M{x2} {edge_y}V{y1}H{x1}"
    return _path(points, names, dashed=not leaving)


def _legend(plan: Layout, workflow: Workflow) -> Iterator[str]:
    holders = dict.fromkeys(stage.holder for stage in workflow.stages if stage.holder and not stage.terminal)
    x, y = 12, plan.height - 22
    for holder in holders:
        fill, border = COLOURS.get(holder, END)
        yield f'<rect x="{x}" y="{y}" width="12" height="12" rx="3" fill="{fill}" stroke="{border}"/>'
        words = holder.replace("_", " ")
        yield f'<text x="{x + 17}" y="{y + 10}" font-size="11" fill="currentColor">{escape(words)}</text>'
        x += 34 + 7 * len(words)
