"""The form of a report: narrative, indicators, explanations; it keeps every word, on its own and when told."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData

from services.grants.domain.merging import digest
from services.grants.domain.reporting.checking import Setting
from services.grants.handlers.reporting import reviewing, writing
from services.grants.pages.common import back, show
from services.grants.pages.form import Posted
from services.grants.pages.reports.common import ReportPage, path_of, to
from shared.database import UnitOfWork
from shared.errors import InvalidError, Rule
from shared.forms import shown
from shared.web.dependencies import Uow, Who, allowed
from shared.web.errors import partial
from shared.web.identity import Identity
from shared.web.kept import keeps_words

router = APIRouter(prefix="/reports/{report_id}")
_PREFIXES = {"a": "answers", "i": "entries", "v": "explanations"}


def _read(fields: FormData) -> tuple[writing.SaveReport, dict[str, str], str]:
    """Return what the form says, the digests of what it was filled from, and the button that was pressed."""
    written: dict[str, dict[str, str]] = {kind: {} for kind in _PREFIXES.values()}
    for name, value in fields.multi_items():
        prefix, _, rest = name.partition(".")
        if prefix in _PREFIXES and rest:
            written[_PREFIXES[prefix]][rest] = str(value).replace("\r\n", "\n").strip()
    go = str(fields.get("go", ""))
    verb, _, place = go.partition(":")
    if verb == "drop":
        gone = place.replace(":", ".") + "."
        written["answers"] |= {name: "" for name in written["answers"] if name.startswith(gone)}
    try:
        base = json.loads(str(fields.get("base", "{}")))
        version = int(str(fields.get("version", "")))
    except ValueError as error:
        raise InvalidError({"version": "is not a whole number"}) from error
    known = {str(k): str(v) for k, v in base.items()} if isinstance(base, dict) else {}
    return writing.SaveReport.model_validate({"version": version, **written}), known, go


def _form(page: ReportPage, **more: Any) -> HTMLResponse:
    report, setting = page.report, page.setting
    texts = more.pop("texts", {kind: getattr(report, kind) for kind in writing.KINDS})
    context: dict[str, Any] = {
        "texts": texts,
        "asked": shown(setting.rules.questions, texts["answers"]),
        "answers": texts["answers"],
        "states": [state for state in setting.lines_of(report) if state.explain] if setting.rules.financial else [],
        "stands": {item.id: setting.stands(item) for item in setting.indicators},
        "version": report.version,
        "base_marks": json.dumps(writing.marks(setting, report)),
        "saved": False,
        "more": "",
    }
    return page.show("form.html", "form", **(context | more))


@router.get("/form", dependencies=[allowed("grants.report.write")])
def form(  # noqa: PLR0917 - the address's parts beside what every route has
    request: Request, report_id: str, who: Who, uow: Uow, saved: bool = False, more: str = ""
) -> Response:
    """Show the form; of a report that was handed in, its page."""
    page = ReportPage(request, uow, who, reviewing.seen(uow, who, report_id))
    if not page.report.open or not page.own:
        return to(report_id)
    return _form(page, saved=saved, more=more)


@router.post("/form", dependencies=[allowed("grants.report.write")])
@keeps_words
def save(request: Request, report_id: str, fields: Posted, who: Who, uow: Uow) -> Response:
    """Keep what the form says; what can't be kept comes back as it was typed, with what is wrong with it."""
    command, base, go = _read(fields)
    kept = writing.save_what_fits(uow, who, report_id, command, base)
    wrong = kept.wrong | {
        name: Rule("another window wrote “%(text)s”; save again to keep yours", text=pair[1][:200])
        for name, pair in kept.merged.clashes.items()
    }
    uow.flush()
    if partial(request):
        return _saved(request, uow, kept, command, base, wrong)
    if wrong:
        return _again(request, uow, who, kept, command, wrong)
    if go == "check":
        return to(report_id)
    verb, _, place = go.partition(":")
    query = f"form?saved=true{'&more=' + place if verb == 'add' and place.isidentifier() else ''}"
    return back(path_of(report_id, query))


def _again(  # noqa: PLR0917 - what the page needs
    request: Request,
    uow: UnitOfWork,
    who: Identity,
    kept: writing.Kept,
    command: writing.SaveReport,
    wrong: dict[str, str],
) -> HTMLResponse:
    """Show the form as it was typed; saved once more, it keeps what it says."""
    page = ReportPage(request, uow, who, kept.report)
    texts = {kind: getattr(kept.report, kind) | given for kind, given in command.written().items()}
    for name in kept.merged.theirs:
        kind, _, rest = name.partition(".")
        texts[kind][rest] = getattr(kept.report, kind).get(rest, "")
    status = 409 if kept.merged.clashes else 422
    return _form(page, texts=texts, errors=wrong, status_code=status)


def _saved(  # noqa: PLR0917 - what the answer says
    request: Request,
    uow: UnitOfWork,
    kept: writing.Kept,
    command: writing.SaveReport,
    base: dict[str, str],
    wrong: dict[str, str],
) -> HTMLResponse:
    """Answer the form's own saving: it goes on from what it shows, but for what another window changed."""
    shows = {
        f"{kind}.{name}": digest(text)
        for kind, given in command.written().items()
        for name, text in given.items()
        if not kept.merged.keeps(f"{kind}.{name}")
    }
    context: dict[str, Any] = {"stale": None, "errors": wrong, "clashes": [], "labels": _labels(kept.setting, request)}
    context |= {"version": kept.report.version, "at": uow.now(), "base_marks": json.dumps(base | shows)}
    return show(request, "form_saved.html", **context)


def _labels(setting: Setting, request: Request) -> dict[str, str]:
    locale = request.state.locale
    found = {f"answers.{n}": q.label.get(locale, n) for n, q in setting.rules.questions.questions.items()}
    return found | {
        f"entries.{item.id}.{slot}": item.name.get(locale, item.id)
        for item in setting.indicators
        for slot in (*item.slots, "ids", "note")
    }
