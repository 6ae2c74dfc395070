"""An audit sample that nobody can choose: drawn on a page, with all that somebody needs to draw it again by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from services.audit import labels, sample_views, views
from services.audit.asking import kinds
from services.audit.domain.sampling import SamplingError
from services.audit.handlers import sampling
from services.audit.handlers.certificates import Asked
from services.audit.handlers.sampling import Sample, Wanted
from services.audit.pages.explorer import keys_of, teller
from services.audit.storage import search
from services.audit.working_paper import facts, working_paper
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.web.dependencies import Uow, allowed
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
DRAW = allowed("audit.sample.draw")
SHOWN = 200  # of a larger sample the page shows the first; the working paper has all
SIZE = 25
# As the handler calls a field, as the form does.
_FIELDS = {"to": "until", "mus": "programme"}
Word = Annotated[str, Field(max_length=200)]


class SampleQuery(BaseModel):
    """What to draw, as it stands in the address: days as year-month-day, numbers as they were typed."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    programme: Word = ""
    since: Word = ""
    until: Word = ""
    size: Word = ""
    by: Word = "chance"  # chance | amount
    kind: Word = ""
    strata: Word = "programme"
    checkpoint: Word = ""

    def wanted(self, zone: str) -> Wanted:
        """Return what is asked for; raises InvalidError that names every field that is wrong."""
        wrong: dict[str, str] = {}
        asked = Asked(self.programme, self._day("since", wrong), self._day("until", wrong), zone)
        size, checkpoint = self._number("size", wrong), self._number("checkpoint", wrong) if self.checkpoint else None
        if self.by not in ("chance", "amount"):
            wrong["by"] = Rule("is none of %(expected)s", expected="chance, amount")
        if self.kind and self.kind not in kinds():
            wrong["kind"] = Rule("there is no such act; a service's acts are grants.*, say")
        if wrong:
            raise InvalidError(wrong)
        return Wanted(asked, size, self.kind, self.by == "amount", checkpoint, self.strata)

    def _day(self, name: str, wrong: dict[str, str]) -> date:
        try:
            day = date.fromisoformat(getattr(self, name))
        except ValueError:
            wrong[name] = Rule("is not a date: write year-month-day")
            return date.min
        if not 1900 <= day.year <= 9000:  # the last days that a date can be have no neighbour
            wrong[name] = Rule("is not a date: write year-month-day")
        return day

    def _number(self, name: str, wrong: dict[str, str]) -> int:
        value = getattr(self, name)
        if not (value.isascii() and value.isdigit() and len(value) <= 15):
            wrong[name] = Rule("is not a whole number")
            return 1
        return int(value)


Asking = Annotated[SampleQuery, Query()]


def _drawn(request: Request, query: SampleQuery, uow: UnitOfWork, through: str) -> tuple[Wanted, Sample]:
    wanted = query.wanted(request.app.state.settings.time_zone)
    try:
        return wanted, sampling.draw(uow, keys_of(request), wanted, through=through)
    except InvalidError as error:
        raise InvalidError({_FIELDS.get(name, name): rule for name, rule in error.fields.items()}) from error
    except NotFoundError as error:
        if wanted.checkpoint is None:
            raise ConflictError("No state of the log has been signed yet") from error
        raise InvalidError({"checkpoint": Rule("There is no such checkpoint")}) from error
    except SamplingError as error:
        raise ConflictError("This can't be sampled so: %(why)s", why=str(error)) from error


def _last_month(today: date) -> SampleQuery:
    """Return the form as it opens: of the month before this one."""
    until = today.replace(day=1) - timedelta(days=1)
    return SampleQuery(since=until.replace(day=1).isoformat(), until=until.isoformat(), size=str(SIZE))


@router.get("/sample", dependencies=[DRAW])
def sample(request: Request, query: Asking, uow: Uow) -> HTMLResponse:
    """Show the form and the sample that it asks for; what is wrong comes back as it was typed, with the rule."""
    told: dict[str, Any] = {"made": None, "errors": {}, "conflict": None}
    if query.since or query.until or query.size:
        try:
            wanted, made = _drawn(request, query, uow, "page")
            told |= _shown(request, uow, wanted, made)
        except InvalidError as error:
            told["errors"] = error.fields
        except ConflictError as error:
            told["conflict"] = error
    else:
        query = _last_month(uow.now().date())
    status = 422 if told["errors"] else 409 if told["conflict"] else 200
    about = {"query": query, "asked": request.url.query, "labels": labels, "most": sampling.MOST}
    return render(request, "sample.html", status_code=status, **about, **told)


def _shown(request: Request, uow: UnitOfWork, wanted: Wanted, made: Sample) -> dict[str, Any]:
    shown = made.drawn[:SHOWN]
    rows = {row.leaf_index: row for row in search.brief(uow.connection, [one.item.leaf for one in shown])}
    say = teller(request)
    return {
        "made": made,
        "wanted": wanted,
        "lines": [(one, views.act(rows[one.item.leaf], say)) for one in shown],
        "strata": sample_views.strata(made, wanted.strata),
        "money": sample_views.money(made) if wanted.by_amount else None,
        "recipe": sample_views.recipe(made),
        "again": sample_views.again(wanted, made),
    }


@router.get("/sample.csv", dependencies=[DRAW])
def paper(request: Request, query: Asking, uow: Uow) -> Response:
    """Give the working paper: a line for each item that was drawn, with room for what was found."""
    wanted, made = _drawn(request, query, uow, "file")
    name = f"sample-{wanted.asked.since}-{wanted.asked.until}-{wanted.size}-at-{made.checkpoint.size}.csv"
    named = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(working_paper(facts(wanted, made)), media_type="text/csv; charset=utf-8", headers=named)
