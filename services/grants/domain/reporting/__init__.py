"""Reports of a grant: when they are due, what they say of costs and results, and how they are judged."""

from services.grants.domain.reporting.costs import Agreed, Cost, CostEntry, Frame, LineState, cost_problems
from services.grants.domain.reporting.report import Report
from services.grants.domain.reporting.results import Count, Figure, Target
from services.grants.domain.reporting.schedule import Planned, planned

__all__ = [
    "Agreed",
    "Cost",
    "CostEntry",
    "Count",
    "Figure",
    "Frame",
    "LineState",
    "Planned",
    "Report",
    "Target",
    "cost_problems",
    "planned",
]
