"""The story: a grant, a co-financing, a loan, and the record of all of it."""

from services.demo.stage import Stage
from services.demo.story import audit, cofinancing, grant, loan

# How many acts the story has, for the progress bar; a test compares it with the story.
ACTS = 113


def tell(stage: Stage) -> None:
    """Act the whole story on `stage`; raises DemoError where something is not as it should be."""
    chamber = grant.tell(stage)
    firm = cofinancing.tell(stage)
    msme = loan.tell(stage)
    audit.tell(stage, [chamber, firm, msme])
