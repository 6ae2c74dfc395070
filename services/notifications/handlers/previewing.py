"""What people would get if something happened now: by the very rules and words that write the letters themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.notifications import storage
from services.notifications.domain.audience import Person
from services.notifications.domain.delivery import Delivery
from services.notifications.domain.ruleset import Channel
from services.notifications.handlers.deciding import Telling
from services.notifications.policy import POLICY
from services.notifications.rendering import LetterError, choose, fields_named
from shared.database import UnitOfWork
from shared.errors import InvalidError, NotFoundError
from shared.events import Envelope
from shared.events.envelope import Body
from shared.web.forms import invalid
from shared.web.identity import Identity

PREVIEW = "notifications.letter.preview"
# Words of the one who acts that a letter may carry: what can still be changed before it goes out.
WORDS = ("reason", "comment")


class Draft(BaseModel):
    """An event that has not happened: its type, the case, what it would say, and in which role it would be done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]+){2}$", max_length=80)]
    case: Annotated[str, Field(max_length=80)]
    role: Annotated[str, Field(max_length=40)] = ""
    data: dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """A letter as it would go out; `because` says why it would not, `words` which of the actor's words it carries."""

    letter: Delivery
    because: str
    words: list[str]


@dataclass
class _Previewing(Telling):
    """One rule's say about an event that has not happened: everything is decided, and nothing kept."""

    shown: list[Shown] = field(default_factory=list)

    def dispatch(self, delivery: Delivery, channel: Channel, person: Person) -> None:
        because = "" if channel == "inbox" else "no_address" if not person.email else ""
        if channel == "email" and person.email and self.muted(person):
            because = "muted"
        _, text = choose(self.rules, self.rules.letters[self.rule.letter], person.locale)
        named = fields_named(text.text) | fields_named(text.subject)
        self.shown.append(Shown(delivery, because, [name for name in WORDS if name in named]))


def preview(uow: UnitOfWork, who: Identity, draft: Draft) -> list[Shown]:
    """Return the letters that the rules in force would write now, each as its reader would get it.

    Who stands where in the case is taken from what is known here of it, never from the draft, so nobody learns more
    about people than the case's own letters say. Raises NotFoundError for a case of another's programme.
    """
    POLICY.require(PREVIEW, who)
    known = next(iter(storage.decisions_of_case(uow.connection, draft.case, 1)), None)
    if known is None or known["programme"] not in who.programmes:
        raise NotFoundError("There is no such case")
    POLICY.role_for(PREVIEW, who, programme=known["programme"])
    before = Envelope.model_validate(known["envelope"])
    envelope = before.model_copy(
        update={
            "id": uow.ids(),
            "type": draft.type,
            "time": uow.now(),
            "outcome": "success",
            "body": Body(data=draft.data, actor=who.actor(draft.role or None), parties=before.body.parties),
        }
    )
    programme = storage.rules_in_force(uow.connection, known["programme"])
    if programme is None:
        return []
    found: list[Shown] = []
    try:
        for rule in programme.rules.matching(envelope.type, envelope.data):
            telling = _Previewing(uow, envelope, rule, programme.rules, programme.name)
            telling.address()
            found += telling.shown
    except ValidationError as error:
        raise invalid(error) from error
    except LetterError as error:
        raise InvalidError({"data": str(error)}) from error
    return found
