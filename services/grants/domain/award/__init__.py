"""An award: the agreement that both sides sign, its milestones, and the tranches paid against them."""

from services.grants.domain.award.parts import MAX_MILESTONES, Milestone, Plan, Side, Signature, Tranche
from services.grants.domain.award.payments import Award

__all__ = ["MAX_MILESTONES", "Award", "Milestone", "Plan", "Side", "Signature", "Tranche"]
