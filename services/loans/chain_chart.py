"""An agreement of three as a picture: who stands where, and which goods and money flow between them. No script."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

_WIDTH, _HEIGHT = 380, 268
_LONGEST = 21


@dataclass(frozen=True)
class Flow:
    """An arrow's words: what flows, and how much of it; the sum may be empty."""

    word: str
    sum: str = ""


def _box(x: int, y: int, role: str, name: str) -> Markup:
    short = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
    return Markup(
        '<g><title>{}: {}</title><rect x="{}" y="{}" width="146" height="46" rx="8" fill="var(--card)"'
        ' stroke="var(--accent)" stroke-width="1.5"/><text x="{}" y="{}" text-anchor="middle" font-size="11"'
        ' fill="var(--soft)">{}</text><text x="{}" y="{}" text-anchor="middle" font-weight="600">{}</text></g>'
    ).format(role, name, x, y, x + 73, y + 17, role, x + 73, y + 35, short)


def _arrow(path: str, *, dashed: bool = False) -> Markup:
    dash = Markup(' stroke-dasharray="5 4"') if dashed else Markup()
    return Markup('<path d="{}" stroke="var(--accent)" stroke-width="2" fill="none" marker-end="url(#tip)"{}/>').format(
        path, dash
    )


def _words(x: int, y: int, anchor: str, flow: Flow) -> Markup:
    said = Markup('<text x="{}" y="{}" text-anchor="{}" fill="var(--soft)" font-size="11">{}</text>').format(
        x, y, anchor, flow.word
    )
    if not flow.sum:
        return said
    return said + Markup('<text x="{}" y="{}" text-anchor="{}" font-weight="600">{}</text>').format(
        x, y + 15, anchor, flow.sum
    )


def triangle(sides: dict[str, tuple[str, str]], flows: dict[str, Flow], label: str) -> Markup:
    """Return the picture; `sides` are (role, name) of buyer, bank and supplier.

    `flows` are goods and net between supplier and lead firm, kept from the lead firm to the bank, lent from the bank.
    """
    parts = [
        Markup(
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6"'
            ' orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="var(--accent)"/></marker></defs>'
        ),
        _arrow("M168 216L134 54", dashed=True),  # goods
        _arrow("M112 54L146 216"),  # what is paid
        _arrow("M152 28H226"),  # what is kept back
        _arrow("M258 52L228 216"),  # what is lent
        _box(4, 4, *sides["buyer"]),
        _box(230, 4, *sides["bank"]),
        _box(117, 218, *sides["supplier"]),
        _words(4, 104, "start", flows["net"]),
        _words(4, 158, "start", flows["goods"]),
        _words(195, 78, "middle", flows["kept"]),
        _words(376, 130, "end", flows["lent"]),
    ]
    frame = Markup(
        '<svg viewBox="0 0 {} {}" width="100%" height="300" role="img" aria-label="{}">'
        '<g font-size="12" fill="currentColor">{}</g></svg>'
    )
    return frame.format(_WIDTH, _HEIGHT, label, Markup().join(parts))


def bar(share: float, label: str, tone: str) -> Markup:
    """Return a lying bar that is full at one."""
    wide = max(0, min(round(share * 200), 200))
    return Markup(
        '<svg viewBox="0 0 200 10" width="100%" height="10" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect width="200" height="10" rx="3" fill="var(--line)"/>'
        '<rect width="{}" height="10" rx="3" fill="{}"/></svg>'
    ).format(label, wide, tone)
