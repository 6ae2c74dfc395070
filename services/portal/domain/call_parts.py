"""What of a call is edited where, as data: pages of fields, how each is read from a form and written into one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from services.portal.domain.call_fields import ROW_ID, Field, Part, get
from services.portal.domain.call_results import RESULTS
from services.portal.domain.form_asks import ask_place, asks_of

PARTS = (
    Part(
        "texts",
        "Name and texts",
        (
            Field("call.name", "Title", "names", required=True),
            Field("call.summary", "What it is for", "long_names", required=True),
            Field("call.activity", "Activity of the programme", "choice", choices="activities"),
            Field(
                "call.reference_prefix", "First letters of references", hint="BSO makes BSO-2026-0001.", required=True
            ),
            Field(
                "call.expertise", "What reviewers should know", "list", "Words between commas; the rule prefers such."
            ),
        ),
    ),
    Part(
        "window",
        "When it is open",
        (
            Field("call.opens_on", "Opens on", "day", "From the first minute of that day.", required=True),
            Field("call.closes_on", "Closes on", "day", "Nothing: open until the money is committed."),
            Field(
                "call.closes_at",
                "Closes at",
                "time",
                "Of the last day; nothing: at its end. 17:00 takes nothing any more at 17:00.",
            ),
            Field("call.duration_months.min", "Months of a project, at least", "whole"),
            Field("call.duration_months.max", "Months of a project, at most", "whole"),
        ),
    ),
    Part(
        "money",
        "Money",
        (
            Field("call.ceiling.currency", "Currency", required=True),
            Field("call.budget", "Budget of the call", "money"),
            Field("call.ceiling", "One application may ask for at most", "money", required=True),
            Field("call.floor", "One application may ask for at least", "money"),
            Field("call.budget_rows.min", "Lines of a budget, at least", "whole"),
            Field("call.budget_rows.max", "Lines of a budget, at most", "whole"),
            Field(
                "call.partners.max", "Partners beside the applicant, at most", "whole", "Nothing: none may take part."
            ),
            Field("call.partners.minimum_lead_share_pct", "Stays with the applicant, at least, %", "decimal"),
            Field(
                "call.budget_lines",
                "Categories of the budget",
                "rows",
                columns=(
                    Field("id", "Id", hint=ROW_ID),
                    Field("name", "Title", "names", required=True),
                    Field("max_percent", "At most, % of the grant", "decimal"),
                ),
                add="Add a category",
            ),
            Field(
                "call.milestones",
                "Milestones from which an agreement starts",
                "rows",
                "Their parts of the award add up to 100 %.",
                columns=(
                    Field("id", "Id", hint=ROW_ID),
                    Field("name", "Title", "names", required=True),
                    Field("percent", "Part of the award, %", "decimal", required=True),
                ),
                add="Add a milestone",
            ),
        ),
    ),
    Part(
        "eligibility",
        "Who may apply",
        (
            Field("call.eligibility.kinds", "Kinds of organisation", "choices", "None: every kind.", choices="kinds"),
            Field(
                "call.eligibility.rules",
                "Rules",
                "rows",
                "A rule judged from nothing is for the screening officer to confirm.",
                columns=(
                    Field("id", "Id", hint=ROW_ID),
                    Field("text", "The rule in words", "names", required=True),
                    Field("source", "Judged from", "source", choices="sources"),
                    Field("any_of", "Answers that pass", "list", "Ids between commas; or a number, below."),
                    Field("at_least", "At least", "decimal"),
                    Field("at_most", "At most", "decimal"),
                    Field("ask", "The question to ask", "names", folded=True),
                    Field("options", "Its answers", "lines", folded=True),
                ),
                add="Add a rule",
            ),
        ),
    ),
    Part(
        "documents",
        "Documents",
        (
            Field(
                "call.documents",
                "Documents that applicants add",
                "rows",
                columns=(
                    Field("type", "Id", hint=ROW_ID),
                    Field("name", "Title", "names", required=True),
                    Field("required", "Needed to hand in", "flag"),
                ),
                key="type",
                add="Add a document",
            ),
        ),
    ),
    Part(
        "scoring",
        "Scoring",
        (
            Field("call.reviewers_needed", "Reviewers of each application", "whole", required=True),
            Field("scoring.max", "Each criterion is scored from 0 to", "whole", required=True),
            Field("scoring.threshold", "Points of 100 needed", "decimal", required=True),
            Field(
                "scoring.max_spread",
                "Two reviews may differ by",
                "decimal",
                "Points of 100; beyond that somebody moderates.",
            ),
            Field("scoring.comment_required", "Each score needs a comment", "flag"),
            Field(
                "scoring.criteria",
                "Criteria",
                "rows",
                columns=(
                    Field("id", "Id", hint=ROW_ID),
                    Field("weight", "Weight", "decimal", required=True),
                    Field("name", "Title", "names", required=True),
                    Field("help", "What reviewers ask themselves", "names"),
                    Field(
                        "judges",
                        "Questions beside it",
                        "list",
                        "Ids between commas; also budget, documents.",
                        choices="judges",
                    ),
                ),
                add="Add a criterion",
            ),
        ),
    ),
    Part(
        "workflow",
        "Workflow",
        (
            Field("call.workflow", "Workflow", "choice", required=True, choices="workflows"),
            Field("call.checklists", "Checklists", "lists", choices="checklists"),
        ),
    ),
    *RESULTS,
)
QUESTIONS, SUMS = "questions", "call.form.x-sums"
BY_ID = {part.id: part for part in PARTS}


def rows_at(field: Field, value: Any) -> list[Mapping[str, Any]]:
    """Return the rows that stand in a field, questions of a JSON Schema as rows too."""
    if field.kind == "asks":
        return list(asks_of(value))
    return [row for row in value or [] if isinstance(row, Mapping)] if field.kind == "rows" else []


def places(part: Part, content: Mapping[str, Any]) -> Iterator[tuple[str, str, int | None]]:
    """Yield (path of an input, its label, number of its outer row from 1) of everything on a page."""
    for field in part.fields:
        yield field.path, field.label, None
        for index, row in enumerate(rows_at(field, get(content, field.path))):
            yield f"{field.path}.{index}", field.label, index + 1
            yield from _columns(field, row, f"{field.path}.{index}", index + 1)


def _columns(field: Field, row: Mapping[str, Any], place: str, number: int) -> Iterator[tuple[str, str, int | None]]:
    for column in field.columns:
        path = f"{place}.{column.path}"
        yield path, column.label, number
        for index, inner in enumerate(rows_at(column, row.get(column.path))):
            yield f"{path}.{index}", column.label, number
            yield from _columns(column, inner, f"{path}.{index}", number)


def placed(part: Part, content: Mapping[str, Any], wrong: Mapping[str, str]) -> dict[str, str]:
    """Return {path of an input on this page: rule}: each problem at the nearest input around its place."""
    known = {path for path, _, _ in places(part, content)}
    found: dict[str, str] = {}
    for place, rule in wrong.items():
        path = place.replace(".field", ".source").replace(".fact", ".source") if ".rules." in place else place
        path = asked(part, content, path)
        inside = next((one for one, _, _ in places(part, content) if one.startswith(f"{path}.")), "")
        while path and path not in known:
            path = path.rpartition(".")[0]
        if path := path or inside:
            found.setdefault(path, rule)
    return found


def asked(part: Part, content: Mapping[str, Any], place: str) -> str:
    """Return the input of a place in a JSON Schema whose questions are edited as rows."""
    for field in part.fields:
        if field.kind == "asks" and place.startswith(f"{field.path}."):
            return ask_place(get(content, field.path), field.path, place)
    return place


def part_of(place: str) -> str:
    """Return the page on which a problem is mended; nothing for what no page edits."""
    if place == "call.form" or (place.startswith("call.form.") and not f"{place}.".startswith(f"{SUMS}.")):
        return QUESTIONS
    fits = [(len(f.path), part.id) for part in PARTS for f in part.fields if f"{place}.".startswith(f"{f.path}.")]
    if not fits and place.startswith("call."):
        fits = [(1, part.id) for part in PARTS for f in part.fields if f.path.startswith(f"{place}.")]
    return max(fits)[1] if fits else ""
