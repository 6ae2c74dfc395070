"""Who speaks and who hears, as a picture that needs nothing else: no fonts, no scripts, no style sheets.

Publishers stand at the left, the exchange in the middle, queues at the right with a row for each binding. A line is
coloured by whose events it carries. Words in boxes are dark on light ground, words beside them take the page's colour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from shared.events.catalogue.model import Card, Catalogue
from shared.messaging.wire import EXCHANGE

Say = Callable[[str], str]
FONT, INK, LINE = "system-ui, sans-serif", "#1c2430", "#7a828e"
# Fill and border of a service, in the order of the cards.
COLOURS = (
    ("#fdf0d5", "#b7791f"),
    ("#e3eefb", "#2b6cb0"),
    ("#e1f3ec", "#277a5b"),
    ("#fbe6ec", "#b03060"),
    ("#ece6f7", "#6b46c1"),
)
WIDTH, LEFT, RIGHT, ROW, HEAD, GAP, TOP = 860, 200, 270, 24, 46, 18, 16
BAR, BAR_X = 96, 350


def svg(catalogue: Catalogue, say: Say = str) -> str:
    """Return the picture; `say` translates its few words."""
    hearing = [card for card in catalogue.cards if card.queues]
    heights = [HEAD + ROW * len(card.bindings) + 8 for card in hearing]
    height = TOP + sum(heights) + GAP * len(heights)
    step = (height - TOP) / len(catalogue.cards)
    middles = {card.service: TOP + step * (place + 0.5) for place, card in enumerate(catalogue.cards)}
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" aria-labelledby="ev-title ev-desc" font-family="{FONT}" font-size="13">'
    )
    bar = f'<rect x="{BAR_X}" y="{TOP}" width="{BAR}" height="{height - TOP - GAP}" rx="9" fill="#eceef1"'
    parts = [
        opening,
        f'<title id="ev-title">{escape(say("Who publishes and who hears"))}</title>',
        f'<desc id="ev-desc">{escape(" ".join(sentences(catalogue, say)))}</desc>',
        f'{bar} stroke="{LINE}"/>',
        _text(BAR_X + BAR // 2, TOP + 24, EXCHANGE, anchor="middle", bold=True),
        _text(BAR_X + BAR // 2, TOP + 42, say("topic exchange"), anchor="middle", size=11),
    ]
    for card in catalogue.cards:
        parts += _speaker(catalogue, card, middles[card.service], say)
    top = TOP
    for card, tall in zip(hearing, heights, strict=True):
        parts += _queue(catalogue, card, top, tall, say)
        top += tall + GAP
    return "\n".join([*parts, "</svg>"]) + "\n"


def sentences(catalogue: Catalogue, say: Say = str) -> Iterator[str]:
    """Yield the picture in words, a sentence a service that hears."""
    for card in catalogue.cards:
        if card.queues:
            yield f"{card.service} {say('hears')} {', '.join(key for _, key in card.bindings)}."


def mermaid(catalogue: Catalogue) -> str:
    """Return the picture as a Mermaid flow chart."""
    lines = ["flowchart LR", f"    {EXCHANGE}{{{{{EXCHANGE}: topic exchange}}}}"]
    counted = [(card.service, len(catalogue.of(card.service))) for card in catalogue.cards]
    lines += [f"    {service}[{service}] -->|{number} events| {EXCHANGE}" for service, number in counted]
    for queue, keys in [pair for card in catalogue.cards for pair in card.queues.items()]:
        name = queue.replace(".", "_")
        lines.append(f'    {EXCHANGE} -->|"{"<br>".join(keys)}"| queue_{name}[(queue {queue})]')
    return "\n".join(lines) + "\n"


def _speaker(catalogue: Catalogue, card: Card, middle: float, say: Say) -> Iterator[str]:
    fill, border = _colours(catalogue, card.service)
    x, y = 10, middle - HEAD / 2
    yield f'<path d="M{x + LEFT} {middle}H{BAR_X}" fill="none" stroke="{border}" stroke-width="2"/>'
    yield f'<path d="M{BAR_X - 8} {middle - 4}L{BAR_X} {middle}L{BAR_X - 8} {middle + 4}z" fill="{border}"/>'
    yield f'<rect x="{x}" y="{y}" width="{LEFT}" height="{HEAD}" rx="9" fill="{fill}" stroke="{border}"/>'
    yield _text(x + 12, middle - 3, card.service, bold=True)
    yield _text(x + 12, middle + 14, f"{say('publishes')}: {len(catalogue.of(card.service))}", size=11)
    words = f"{card.service}.#"
    yield (
        f'<text x="{(x + LEFT + BAR_X) // 2}" y="{middle - 6}" text-anchor="middle" font-size="11"'
        f' fill="currentColor">{words}</text>'
    )


def _queue(catalogue: Catalogue, card: Card, top: int, tall: int, say: Say) -> Iterator[str]:
    fill, border = _colours(catalogue, card.service)
    x = WIDTH - RIGHT - 10
    yield f'<rect x="{x}" y="{top}" width="{RIGHT}" height="{tall}" rx="9" fill="{fill}" stroke="{border}"/>'
    yield _text(x + 16, top + 20, card.service, bold=True)
    yield _text(x + 16, top + 37, f"{say('acts on')}: {len(catalogue.heard(card.service))}", size=11)
    for place, (queue, key) in enumerate(card.bindings):
        y = top + HEAD + ROW * place + ROW // 2
        _, colour = _colours(catalogue, key.split(".")[0])
        yield f'<path d="M{BAR_X + BAR} {y}H{x}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield f'<path d="M{x - 8} {y - 4}L{x} {y}L{x - 8} {y + 4}z" fill="{colour}"/>'
        words = key if queue == card.service else f"{key} → {queue}"
        yield _text(x + 16, y + 4, words, size=12)


def _colours(catalogue: Catalogue, service: str) -> tuple[str, str]:
    names = [card.service for card in catalogue.cards]
    return COLOURS[names.index(service) % len(COLOURS)] if service in names else ("#eceef1", LINE)


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, bold: bool = False) -> str:
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{INK}"{weight}>{escape(words)}</text>'
    )
