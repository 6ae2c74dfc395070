"""What the pages have in common: names in the reader's language, sentences, the parts of a case's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from services.grants.domain.application import Application
from services.grants.domain.mainline import main_line, position
from services.grants.domain.pack import BUDGET, DOCUMENTS, Call
from services.grants.handlers.base import Frame, roles_on
from services.grants.handlers.deciding import chain
from services.grants.handlers.holding import holds
from services.grants.handlers.moving import OFFER, PARTS_OF_ACTS, facts_for
from services.grants.pages.guide import turn
from services.grants.pages.tabs import groups_of, links
from services.grants.storage.near import near
from shared.database import UnitOfWork
from shared.errors import InvalidError
from shared.forms import rows_of, shown
from shared.i18n import current_zone, translate
from shared.money import Money
from shared.web.forms import rule_of
from shared.web.identity import Identity
from shared.web.pages import render
from shared.workflow import Move
from shared.workflow.model import say
from shared.workflow.requirements import ASKED, Sentence, missing

HOLDERS = {
    "applicant": "Applicant",
    "officer": "Officer",
    "reviewer": "Reviewers",
    "programme_manager": "Programme manager",
    "finance_officer": "Finance officer",
}


# What somebody looks for, typed into the search of the page's top.
Words = Annotated[str, Query(max_length=200)]


def show(request: Request, template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
    """Return a page; `say` names things of a pack in the reader's language."""
    locale = request.state.locale

    def in_language(names: Mapping[str, str] | None) -> str:
        return say(names or {}, locale)

    known: dict[str, Any] = {
        "say": in_language,
        "holders": HOLDERS,
        "refused_file": None,
        "chosen_kind": "",
        "rows_of": rows_of,
    }
    known |= {"pausing": (), "form_parts": (), "asked": None}
    return render(request, template, status_code=status_code, **(known | context))


def back(path: str) -> RedirectResponse:
    """Return the answer to a form that did its work: go and look."""
    return RedirectResponse(path, status_code=303)


def money_in(field: str, text: str, currency: str) -> Money | None:
    """Return a typed amount, None for nothing typed; raises InvalidError that names the field."""
    if not text.strip():
        return None
    try:
        return Money.model_validate({"amount": text, "currency": currency})
    except ValidationError as error:
        raise InvalidError({field: rule_of(error.errors()[0])}) from error


def case_path(reference: str, part: str = "") -> str:
    """Return the address of a case's page, or of a part of it."""
    return f"/grants/applications/{reference}{'/' + part if part else ''}"


def spoken(frame: Frame, sentence: str, locale: str) -> str:
    """Return a sentence of the engine with the names of documents and checklists instead of their ids."""
    if not isinstance(sentence, Sentence):
        return sentence
    if sentence.names:
        return say(sentence.names, locale)
    params = {key: _figure(frame, key, value, locale) for key, value in sentence.params.items()}
    return translate("grants", sentence.message, params, locale=locale)


def _figure(frame: Frame, key: str, value: Any, locale: str) -> Any:
    if key == "next_role":
        return translate("grants", HOLDERS.get(value, value), locale=locale)
    return named(frame, value, locale) if key in {"id", "type"} else value


def named(frame: Frame, name: str, locale: str) -> str:
    """Return the name of a kind of document or of a checklist."""
    known = {item.type: item.name for item in frame.call.documents}
    known |= {key: item.name for key, item in frame.pack.checklists.items()}
    return say(known.get(name, {"en": name}), locale)


def part_names(call: Call, locale: str) -> dict[str, str]:
    """Return the names of the parts of an application that can be asked for again, in the form's order."""
    own = {BUDGET: "Budget", DOCUMENTS: "Documents"}
    names = {section.id: say(section.name, locale) for section in call.sections}
    return names | {part: translate("grants", name, locale=locale) for part, name in own.items()}


class CasePage:
    """What every part of a case's page shows: facts, stages, tabs and what can be done."""

    def __init__(self, request: Request, uow: UnitOfWork, who: Identity, application: Application) -> None:
        self.request, self.who, self.application = request, who, application
        self.connection = uow.connection
        around = near(uow.connection, application, who.user)
        self.frame, self.reviews, self.award = Frame(uow.connection, application, around), around.reviews, around.award
        current_zone.set(self.frame.calendar.zone)
        self.roles = roles_on(who, application)
        self.inside = "applicant" not in self.roles
        self.held = holds(uow.connection, who, application, self.frame, around)
        self.facts = facts_for(who, application, self.frame, self.reviews, self.award, held=self.held)
        self.moves = self.frame.workflow.moves(application.stage, self.roles, self.facts)

    @property
    def barred(self) -> str | None:
        """Return why this reader judges nothing in the case, in their language."""
        found = next((one for held in self.held.values() for one in held if one.code.startswith("conflict-")), None)
        return self._spoken(found) if found else None

    def stage_name(self, stage: str) -> str:
        """Return a stage's name for this reader: the applicant's own, or staff's."""
        return self.frame.workflow.label(stage, self.request.state.locale, public=not self.inside)

    def context(self, here: str) -> dict[str, Any]:
        """Return what `case_base.html` needs."""
        application, names = self.application, self._stage_names()
        return {
            "application": application,
            "award": self.award,
            "call": self.frame.call,
            "inside": self.inside,
            "roles": self.roles,
            "stage_name": self.stage_name(application.stage),
            "stage_names": [name for name, _ in names],
            "stage_now": next(index for index, (_, now) in enumerate(names) if now),
            **self._tabs(here),
            "base": case_path(application.id),
            "open_moves": [move for move in self._own_moves() if move.allowed],
            "blocked": [(move, self._needs(move)) for move in self._own_moves() if not move.allowed],
            "draft": application.stage == self.frame.workflow.initial,
            "may_offer": any(move.id == OFFER and move.allowed for move in self.moves),
            "turn": turn(self),
            "days": self._days(),
            "conflict": None,
            "barred": self.barred,
            "chain": chain(self.who, application, self.frame) if self.inside else None,
            "decisions": self.frame.pack.decisions,
            "move_names": self._move_names(),
            "asked": shown(self.frame.call.form, application.answers),
            "pausing": {name for stage in self.frame.workflow.stages if stage.sla for name in stage.sla.pauses_in},
            "form_parts": list(part_names(self.frame.call, self.request.state.locale).items()),
        }

    def _move_names(self) -> dict[str, str]:
        return {item.id: say(item.name, self.request.state.locale) for item in self.frame.workflow.transitions}

    def _stage_names(self) -> list[tuple[str, bool]]:
        """Return the main line as the reader knows it, and where the case is: stages of one name are one step."""
        line = main_line(self.frame.workflow)
        now = position(self.application, line)
        steps: list[tuple[str, bool]] = []
        for index, stage in enumerate(line):
            name = self.stage_name(stage)
            if steps and steps[-1][0] == name:
                steps[-1] = (name, steps[-1][1] or index == now)
            else:
                steps.append((name, index == now))
        return steps

    def _own_moves(self) -> list[Move]:
        """Return the moves of the page's buttons, those that end the case last."""
        shown = [move for move in self.moves if move.id not in PARTS_OF_ACTS]
        return sorted(shown, key=lambda move: self.frame.workflow.stage(move.transition.to).terminal)

    def _days(self) -> int:
        moment = self.request.app.state.clock()
        return self.application.turn(self.frame.workflow, self.frame.calendar, moment).days_used

    def _tabs(self, here: str) -> dict[str, Any]:
        application, inside = self.application, self.inside
        scores = "finance_officer" not in self.roles
        groups = groups_of(
            application,
            self.frame.call,
            self.reviews,
            self.award,
            inside=inside,
            scores=scores,
            closes=bool(self.frame.pack.closeout.items),
            assesses=any(item.assesses for item in self.frame.pack.checklists_of(self.frame.call)),
            appeals=self._appealable(),
        )
        locale = self.request.state.locale
        return links(groups, here, case_path(application.id), lambda word: translate("grants", word, locale=locale))

    def _appealable(self) -> bool:
        """Return whether the case is or was where an appeal takes it up again."""
        rules = self.frame.pack.closeout.appeals
        sources = [move.sources for move in self.frame.workflow.transitions if rules and move.id == rules.move]
        ends = {stage for found in sources for stage in found}
        return bool(self.application.submitted_at) and any(done.to_stage in ends for done in self.application.history)

    def _needs(self, move: Move) -> list[tuple[bool, str]]:
        """Return (done, sentence) of each thing that a blocked move requires."""
        done = [
            (True, self._requirement(name))
            for name in move.transition.requires
            if name not in ASKED and missing(name, move.id, self.facts) is None
        ]
        return done + [(False, self._spoken(sentence)) for sentence in move.blocked_by]

    def _spoken(self, sentence: str) -> str:
        return spoken(self.frame, sentence, self.request.state.locale)

    def _named(self, name: str) -> str:
        return named(self.frame, name, self.request.state.locale)

    def _requirement(self, requirement: str) -> str:
        name, _, parameter = requirement.partition(":")
        locale = self.request.state.locale
        return translate("grants", _FULFILLED[name], {"name": self._named(parameter)}, locale=locale)


_FULFILLED = {
    "document": "Document: %(name)s",
    "checklist": "Checklist: %(name)s",
    "reviews": "Reviews: %(name)s",
    "no_exclusion_hits": "No open hit on an exclusion list",
    "no_open_conflicts": "No open conflict of interest",
    "four_eyes": "Another person did the step before",
    "authority": "Within delegated authority",
    "approvals": "The approvals before this one",
    "step_up": "Identity confirmed",
}
