"""What services give to the home page: figures that lead to a list, and cases with their state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A count and the list behind it. `label` is a gettext id; `tone` colours a count above nought."""

    label: str
    count: int
    href: str
    tone: str = ""


@dataclass(frozen=True)
class Line:
    """A case: its reference, what it is called, where it is, and how it stands in the reader's words."""

    reference: str
    title: str
    href: str
    state: str
    tone: str = ""
