"""What an applicant does: start, write, attach, take away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping

from services.grants.domain.application import Application, BudgetLine, Document
from services.grants.domain.form import (
    LOCKED,
    asked_problems,
    check_draft,
    draft_problems,
    eligibility,
    locked,
    problems,
)
from services.grants.domain.merging import TITLE, Merged, merge, owner, texts
from services.grants.domain.pack import BUDGET, DOCUMENTS, Call, Pack
from services.grants.handlers.base import Command, Frame, act_as, application_for, pack_of
from services.grants.policy import POLICY
from services.grants.storage import reads
from services.grants.storage.tables import applications
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule, StaleVersionError
from shared.forms import Judged, tidy
from shared.web.identity import Identity
from shared.workflow import Workflow

START, WRITE = "grants.application.start", "grants.application.write"


class StartApplication(Command):
    """An organisation begins an application to a call."""

    call: str


class SaveAnswers(Command):
    """What the form says now. `version` is that of the application the form was filled from."""

    version: int
    title: str = ""
    answers: dict[str, str] = {}
    budget: list[BudgetLine] = []


def start(uow: UnitOfWork, who: Identity, command: StartApplication) -> Application:
    """Start a draft under the present version of the programme's pack."""
    role = POLICY.role_for(START, who)
    if who.organisation is None:
        raise ForbiddenError("Your account belongs to no organisation; ask the programme office to add it")
    found = reads.find_calls(uow.connection, command.call[:80])
    if not found:
        raise NotFoundError("There is no such call")
    pack = pack_of(uow.connection, found[0]["programme"], found[0]["pack_version"])
    call, by = pack.call(command.call), act_as(uow, role)
    if not call.is_open(uow.now().astimezone(ZoneInfo(pack.calendar.zone))):
        raise ConflictError("This call is not open")
    name = _eligible_name(uow, who.organisation, call.eligibility.kinds, who.organisation_name)
    application = Application.start(
        id=uow.next_reference(call.reference_prefix),
        call_title=call.name.get("en", call.call),
        workflow=pack.workflows[call.workflow],
        programme=found[0]["programme"],
        call=call.call,
        pack_version=found[0]["pack_version"],
        organisation=who.organisation,
        organisation_name=name,
        started_by=by.id,
        started_at=uow.now(),
        currency=call.currency,
    )
    return applications(uow).add(application)


def for_others(connection: Connection, organisation: str | None, kinds: tuple[str, ...]) -> ForbiddenError | None:
    """Return why an organisation can't apply to a call for these kinds, or None."""
    known = reads.find_organisation(connection, organisation) if organisation else None
    if not kinds or (known is not None and known["kind"] in kinds):
        return None
    return ForbiddenError("This call is for other kinds of organisation: %(kinds)s", kinds=", ".join(kinds))


def _eligible_name(uow: UnitOfWork, organisation: str, kinds: tuple[str, ...], otherwise: str | None) -> str:
    if refusal := for_others(uow.connection, organisation, kinds):
        raise refusal
    known = reads.find_organisation(uow.connection, organisation)
    return str(known["name"]) if known else otherwise or organisation


def save(uow: UnitOfWork, who: Identity, reference: str, command: SaveAnswers) -> Application:
    """Keep what the form says; a form older than the application gets what changed since, by whom."""
    application, frame = _opened(uow, who, reference, command)
    answers = tidy(frame.call.form, command.answers)
    check_draft(frame.call, command.title, command.answers, command.budget)
    if wrong := _locked(application, frame, command, command.budget):
        raise InvalidError(wrong)
    application.save(title=command.title, answers=answers, budget=command.budget)
    return application


def _locked(application: Application, frame: Frame, command: SaveAnswers, budget: list[BudgetLine]) -> dict[str, str]:
    if application.stage == frame.workflow.initial:
        return {}
    wrong = locked(frame.call, application, command.answers, command.title)
    fixed = BUDGET not in application.asked and budget != application.budget
    return wrong | ({"budget": LOCKED} if fixed else {})


@dataclass(frozen=True)
class Kept:
    """What became of a posted form: {field: rule} of what stays as it was stored, and what another form changed."""

    application: Application
    wrong: dict[str, str]
    merged: Merged


def save_what_fits(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    command: SaveAnswers,
    unreadable: dict[str, str],
    *,
    base: dict[str, str] | None = None,
) -> Kept:
    """Keep each answer that can be kept; the others stay as they were stored.

    `unreadable` is what of the form could not even be read. The budget is kept as a whole or not at all. `base` has
    the digests of what the form was filled from: with it, a form older than the draft is merged field by field.
    """
    application, frame = _opened(uow, who, reference, command, merging=base is not None)
    call = frame.call
    unread = any(name.startswith("budget") for name in unreadable)
    budget = application.budget if unread else command.budget
    merged = _merged(call, application, command, budget, base or {})
    budget = application.budget if merged.keeps(BUDGET) else budget
    title = application.title if merged.keeps(TITLE) else command.title
    answers = {name: text for name, text in command.answers.items() if not merged.keeps(owner(call.form, name))}
    fitting = command.model_copy(update={"title": title, "answers": answers})
    wrong = unreadable | draft_problems(call, title, answers, budget)
    wrong |= _locked(application, frame, fitting, budget)
    application.save(
        title=application.title if "title" in wrong else title,
        answers=tidy(call.form, {name: text for name, text in answers.items() if f"answers.{name}" not in wrong}),
        budget=application.budget if any(name.startswith("budget") for name in wrong) else budget,
    )
    return Kept(application, wrong, merged)


def _merged(
    call: Call, application: Application, command: SaveAnswers, budget: list[BudgetLine], base: dict[str, str]
) -> Merged:
    posted = {owner(call.form, name) for name in command.answers} | {TITLE, BUDGET}
    mine = texts(call, command.title, command.answers, budget)
    stored = texts(call, application.title, application.answers, application.budget)
    return merge({name: text for name, text in mine.items() if name in posted}, stored, base)


def changed_last(uow: UnitOfWork, reference: str) -> RowMapping:
    """Return who changed an application last before this act, and when."""
    return reads.last_change(uow.connection, reference)


def _opened(
    uow: UnitOfWork, who: Identity, reference: str, command: SaveAnswers, *, merging: bool = False
) -> tuple[Application, Frame]:
    """Return the draft that a form may be saved into, by this person; refuses an older form that can't be merged."""
    application, role = application_for(uow, who, WRITE, reference)
    if application.version != command.version and not merging:
        raise _changed_since(uow, application, command)
    frame = Frame(uow.connection, application)
    _must_be_writable(application, frame)
    act_as(uow, role)
    return application, frame


def _changed_since(uow: UnitOfWork, application: Application, command: SaveAnswers) -> Exception:
    """Return the refusal of a form filled from an older version: {field: [yours, theirs]} of what differs."""
    stored = reads.last_change(uow.connection, application.id)
    theirs: dict[str, Any] = {f"answers.{name}": application.answers.get(name, "") for name in command.answers}
    theirs |= {"title": application.title, "budget": [line.model_dump(mode="json") for line in application.budget]}
    yours: dict[str, Any] = {f"answers.{name}": text for name, text in command.answers.items()}
    yours |= {"title": command.title, "budget": [line.model_dump(mode="json") for line in command.budget]}
    return StaleVersionError(
        expected=command.version,
        current=application.version,
        by=stored["updated_by_name"],
        at=stored["updated_at"],
        changes={name: [yours[name], theirs[name]] for name in yours if yours[name] != theirs[name]},
    )


def _must_be_writable(application: Application, frame: Frame) -> None:
    if not writable(application, frame.workflow):
        raise ConflictError("The application is handed in; it can't be rewritten")


def writable(application: Application, workflow: Workflow) -> bool:
    """Return whether anything of the form is open: all of a draft, later what an information request asked for."""
    return application.stage == workflow.initial or bool(application.asked)


def _may_attach(application: Application) -> bool:
    """Return whether it is the applicant's turn: while writing, when asked, and with a grant's evidence."""
    return application.holder == "applicant" and (not application.asked or DOCUMENTS in application.asked)


def attach(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    *,
    store: DocumentStore,
    kind: str,
    name: str,
    content: BinaryIO,
    version: int | None = None,
) -> Document:
    """Check, store and attach a document."""
    application, role = application_for(uow, who, WRITE, reference, expected=version)
    frame = Frame(uow.connection, application)
    if not _may_attach(application):
        raise ConflictError("It is not your turn: documents can't be added at this stage")
    kinds = [item.type for item in frame.call.documents]
    if kind not in kinds:
        raise InvalidError({"kind": Rule("must be one of: %(names)s", names=", ".join(kinds))})
    stored = store.put(name, content)
    by = act_as(uow, role)
    document = Document(
        id=str(uow.ids()),
        kind=kind,
        **stored.model_dump(),
        added_by=by.id,
        added_by_name=by.name,
        added_at=uow.now(),
    )
    application.attach(document)
    return document


def detach(uow: UnitOfWork, who: Identity, reference: str, document_id: str, version: int | None = None) -> Application:
    """Take a document out of a draft."""
    application, role = application_for(uow, who, WRITE, reference, expected=version)
    _must_be_writable(application, Frame(uow.connection, application))
    if application.asked and DOCUMENTS not in application.asked:
        raise ConflictError("The documents were not asked for; they stay as they are")
    act_as(uow, role)
    application.detach(document_id)
    return application


def missing(uow: UnitOfWork, application: Application, pack: Pack) -> dict[str, str]:
    """Return what keeps the application from being handed in now."""
    now = uow.now().astimezone(ZoneInfo(pack.calendar.zone))
    check = asked_problems if application.asked else problems
    return check(pack.call(application.call), application, now)


def judged(uow: UnitOfWork, application: Application, pack: Pack) -> list[Judged]:
    """Return how it stands with the call's rules of eligibility, by what is written and known now."""
    organisation = reads.find_organisation(uow.connection, application.organisation)
    return eligibility(pack.call(application.call), application, organisation)
