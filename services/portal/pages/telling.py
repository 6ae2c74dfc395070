"""Places in a call as people read them: "Documents, 2: Name" instead of call.documents.1.name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.portal.domain.call_fields import get
from services.portal.domain.call_parts import PARTS, asked, places
from shared.i18n import said


def labelled(place: str, content: Mapping[str, Any]) -> str:
    """Return the label of the input nearest to a place, with the number of its row."""
    known = {path: (label, row) for part in PARTS for path, label, row in places(part, content)}
    path = next((found for part in PARTS if (found := asked(part, content, place)) != place), place)
    while path and path not in known:
        path = path.rpartition(".")[0]
    if not path:
        return _question(place, content)
    label, row = known[path]
    owner = next((field for part in PARTS for field in part.fields if path.startswith(f"{field.path}.")), None)
    if owner is None or row is None:
        return said("portal", label)
    return f"{said('portal', owner.label)}, {row}" + (
        f": {said('portal', label)}" if path != f"{owner.path}.{row - 1}" else ""
    )


def _question(place: str, content: Mapping[str, Any]) -> str:
    """Return a question of the form by its own name where there is one."""
    parts = place.split(".")
    if parts[:3] == ["call", "form", "properties"] and len(parts) > 3:
        names = get(content, ".".join(parts[:4]) + ".x-label") or {}
        return f"{next(iter(names.values()), parts[3])} ({'.'.join(parts[3:])})"
    if parts[:3] == ["call", "form", "x-sections"]:
        return said("portal", "Sections of the form")
    return said("portal", "Questions of the form") if parts[:2] == ["call", "form"] else place
