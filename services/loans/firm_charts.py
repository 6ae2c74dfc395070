"""Charts of a firm as SVG without script: bars by year, parts of a whole by year, and a diagnostic by section."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal

from markupsafe import Markup

Number = Callable[[Decimal, int], str]
_WIDTH, _HIGH, _BASE = 300, 84, 112
_BAR = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="3" fill="{}"><title>{}</title></rect>')


def _text(x: object, y: object, words: str, anchor: str = "middle", fill: str = "currentColor") -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}" fill="{}">{}</text>').format(x, y, anchor, fill, words)


def _svg(width: int, height: int, label: str, parts: list[Markup], size: int = 12) -> Markup:
    frame = Markup('<svg viewBox="0 0 {} {}" width="100%" role="img" aria-label="{}"><g font-size="{}">{}</g></svg>')
    return frame.format(width, height, label, size, Markup().join(parts))


def year_bars(entries: Sequence[tuple[str, Decimal]], label: str, number: Number, places: int = 0) -> Markup:
    """Return a standing bar for each (year, value from zero); the newest in the accent colour."""
    if not entries:
        return Markup()
    top = max(*(value for _, value in entries), Decimal(1))
    step = Decimal(_WIDTH) / len(entries)
    wide = min(step - 8, Decimal(64))
    parts = []
    for index, (year, value) in enumerate(entries):
        middle, high = step * index + step / 2, max(value / top * _HIGH, Decimal(1))
        tone = "var(--accent)" if index == len(entries) - 1 else "var(--soft)"
        said = number(value, places)
        parts += [
            _BAR.format(middle - wide / 2, _BASE - high, wide, high, tone, f"{year}: {said}"),
            _text(f"{middle:.0f}", f"{_BASE - high - 5:.0f}", said),
            _text(f"{middle:.0f}", _BASE + 16, year, fill="var(--soft)"),
        ]
    told = ", ".join(f"{year} {number(value, places)}" for year, value in entries)
    return _svg(_WIDTH, _BASE + 24, f"{label}: {told}", parts)


def share_bars(entries: Sequence[tuple[str, Decimal]], label: str, number: Number) -> Markup:
    """Return a lying bar of 100 per cent for each (name, per cent), filled as far as the share goes."""
    parts = []
    for index, (name, share) in enumerate(entries):
        top, said = index * 40, f"{number(share, 0)} %"
        parts += [
            _text(0, top + 14, name, "start"),
            _text(_WIDTH, top + 14, said, "end"),
            _BAR.format(0, top + 20, _WIDTH, 10, "var(--line)", name),
            _BAR.format(0, top + 20, max(share / 100 * _WIDTH, Decimal(1)), 10, "var(--accent)", f"{name}: {said}"),
        ]
    told = ", ".join(f"{name} {number(share, 0)} %" for name, share in entries)
    return _svg(_WIDTH, max(len(entries) * 40, 1), f"{label}: {told}", parts) if entries else Markup()


def radar(
    points: Sequence[tuple[str, Decimal, Decimal | None]], label: str, names: tuple[str, str], number: Number
) -> Markup:
    """Return the scores of sections, each (name, now, before) from 0 to 1, on rays from the middle; before is dashed.

    With fewer than three sections there is no area to see: they become lying bars.
    """
    told = ", ".join(f"{name} {number(now * 100, 0)} %" for name, now, _ in points)
    if len(points) < _LEAST_RAYS:
        return share_bars([(name, now * 100) for name, now, _ in points], label, number)
    angles = [2 * math.pi * index / len(points) - math.pi / 2 for index in range(len(points))]
    parts = [_outline(angles, [step / 4] * len(points), "none", "var(--line)", "") for step in range(1, 5)]
    befores = [before for _, _, before in points if before is not None]
    if len(befores) == len(points):
        parts.append(_outline(angles, [float(item) for item in befores], "none", "var(--warn)", "5 4"))
    parts.append(_outline(angles, [float(now) for _, now, _ in points], "var(--accent)", "var(--accent)", ""))
    for angle, (name, now, _) in zip(angles, points, strict=True):
        parts += _ray_words(angle, name, f"{number(now * 100, 0)} %")
    if befores:
        line = Markup('<path d="M{} 280h22" stroke="{}" stroke-width="2" stroke-dasharray="{}" fill="none"/>')
        for left, tone, dashes, words in (
            (60, "var(--accent)", "none", names[0]),
            (180, "var(--warn)", "5 4", names[1]),
        ):
            parts += [line.format(left, tone, dashes), _text(left + 28, 285, words, "start")]
    return _svg(_WIDE, 294, f"{label}: {told}", parts, 14)


def _ray_words(angle: float, name: str, said: str) -> list[Markup]:
    """Return a section's name and score at the end of its ray; a long name stands in two lines."""
    x, y = _at(angle, 1.16)
    side = math.cos(angle)
    anchor = "middle" if abs(side) < _UPRIGHT else "start" if side > 0 else "end"
    head, _, tail = name.partition(" ") if len(name) > _LONG else (name, "", "")
    lines = [(head, "currentColor"), *([(tail, "currentColor")] if tail else []), (said, "var(--soft)")]
    top = y - (16 * (len(lines) - 1) if math.sin(angle) < -_UPRIGHT and anchor == "middle" else 0)
    return [
        _text(f"{x:.0f}", f"{top + 16 * index:.0f}", text, anchor, tone) for index, (text, tone) in enumerate(lines)
    ]


_LEAST_RAYS, _UPRIGHT, _LONG, _WIDE = 3, 0.3, 14, 400
_RADIUS, _MIDDLE = 84, (200, 132)


def _at(angle: float, share: float) -> tuple[float, float]:
    return _MIDDLE[0] + math.cos(angle) * _RADIUS * share, _MIDDLE[1] + math.sin(angle) * _RADIUS * share


def _outline(angles: Sequence[float], shares: Sequence[float], fill: str, stroke: str, dashes: str) -> Markup:
    """Return the area that those shares span on their rays."""
    corners = " ".join(
        f"{x:.1f},{y:.1f}" for x, y in (_at(angle, share) for angle, share in zip(angles, shares, strict=True))
    )
    shape = Markup(
        '<polygon points="{}" fill="{}" fill-opacity=".18" stroke="{}" stroke-width="1.6" stroke-dasharray="{}"/>'
    )
    return shape.format(corners, fill, stroke, dashes)
