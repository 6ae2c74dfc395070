"""Publishing agreements as open data: records, the two formats they are written in, their rules, what was published."""

from services.grants.domain.publishing import giving, iati, iati_rules
from services.grants.domain.publishing.draft import Difference, Draft, Entry, Rates, Totals, converted, flat, totals
from services.grants.domain.publishing.node import Node
from services.grants.domain.publishing.problems import Format, Problem
from services.grants.domain.publishing.publication import (
    Invalid,
    LeftOut,
    Publication,
    Statement,
    Stored,
    may_publish,
    stated_facts,
)
from services.grants.domain.publishing.records import Measured, Party, Record, Result, of_award, of_cofinancing

__all__ = [
    "Difference",
    "Draft",
    "Entry",
    "Format",
    "Invalid",
    "LeftOut",
    "Measured",
    "Node",
    "Party",
    "Problem",
    "Publication",
    "Rates",
    "Record",
    "Result",
    "Statement",
    "Stored",
    "Totals",
    "converted",
    "flat",
    "giving",
    "iati",
    "iati_rules",
    "may_publish",
    "of_award",
    "of_cofinancing",
    "stated_facts",
    "totals",
]
