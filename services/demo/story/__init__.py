"""The story: a grant from call to closeout, a co-financing, a loan, a second programme, and the record of it all."""

from services.demo.stage import Stage
from services.demo.story import audit, cofinancing, delivery, grant, loan, opening, startup

# How many acts the story has, for the progress bar; a test compares it with the story.
ACTS = 214


def tell(stage: Stage) -> None:
    """Act the whole story on `stage`; raises DemoError where something is not as it should be."""
    chamber = grant.tell(stage)
    delivery.pay(chamber)
    firm = cofinancing.tell(stage)
    msme = loan.tell(stage)
    delivery.finish(chamber)
    opening.tell(stage)
    start_up = startup.tell(stage)
    audit.tell(stage, [chamber.reference, firm, msme, start_up])
