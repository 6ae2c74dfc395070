"""A certificate of completeness on paper, in both languages of the house, with its signed note attached."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from services.audit.domain.certificate import Certificate
from shared.i18n import LOCALES, translate


def as_pdf(made: Certificate, note: str) -> bytes:
    """Return the certificate as PDF: a page for each language."""
    blocks = [_block(made, note, locale) for locale in LOCALES]
    title = f"{made.origin} {made.since} – {made.until}"
    moment = datetime.fromisoformat(made.made_at)
    from shared.printing import agreement_document  # noqa: PLC0415 - twelve megabytes for whoever prints

    return agreement_document(
        title, made.origin, blocks, made.facts() | {"note": note}, moment, attachment="certificate.json"
    )


def _block(made: Certificate, note: str, locale: str) -> dict[str, Any]:
    say = partial(translate, "audit", locale=locale)
    head = ("Service", "Events", "Of the programme", "Positions", "Missing", "Late", "Manifests", "State")
    rows = [
        [
            line.source,
            f"{line.events}",
            f"{line.of_programme}",
            f"{line.first} – {line.last}",
            f"{line.missing}",
            f"{line.late}",
            f"{line.sound} / {line.manifests}",
            say("complete") if line.complete else say("not complete"),
        ]
        for line in made.sources
    ]
    verdict = "Nothing is missing from this period." if made.complete else "This period is not complete."
    pairs = [
        [say("Verdict"), say(verdict)],
        [say("Programme"), made.programme or say("all programmes")],
        [say("Period"), f"{made.since} – {made.until} ({made.zone})"],
        [say("Log"), made.origin],
        [say("Entries under the checkpoint"), f"{made.size}"],
        [say("Made"), f"{made.made_at} · {made.by}"],
    ]
    table = {"title": say("Services"), "head": [say(name) for name in head], "rows": rows, "align": list("lrrrrrrl")}
    return {
        "lang": locale,
        "letterhead": ["Tamga", made.origin],
        "foot": say("Check it: tamga audit certificate --check FILE"),
        "heading": say("Certificate of completeness"),
        "pairs": pairs,
        "tables": [table],
        "texts": [{"title": say("Signed note"), "text": _folded(note)}],
        "page": say("Page"),
        "sign": [say("The file certificate.json is attached; the signature is over the note in it.")],
    }


def _folded(note: str, width: int = 92) -> str:
    """Return long lines in pieces that fit on paper."""
    lines = [line[at : at + width] for line in note.split("\n") for at in range(0, max(1, len(line)), width)]
    return "\n".join(lines)
