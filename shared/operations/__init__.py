"""How everything is: one look for the operator, shown by `tamga status` and by the page of operations alike."""

from shared.operations.gathering import Look, Sources, look
from shared.operations.lines import Line
from shared.operations.telling import told

__all__ = ["Line", "Look", "Sources", "look", "told"]
