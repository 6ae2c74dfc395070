"""A panel over the reviewed applications of a call: how they rank, what is recommended, and its frozen record."""

from services.grants.domain.panel.ranking import Candidate, Line, Ranking, Scored, ranked
from services.grants.domain.panel.session import Member, Panel, Proposal, replayed

__all__ = ["Candidate", "Line", "Member", "Panel", "Proposal", "Ranking", "Scored", "ranked", "replayed"]
