"""What of a call is edited where, as data: pages of fields, how each is read from a form and written into one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "text",
    "names",
    "long_names",
    "day",
    "time",
    "whole",
    "decimal",
    "money",
    "flag",
    "choice",
    "choices",
    "list",
    "lines",
    "source",
    "lists",
    "rows",
]


@dataclass(frozen=True)
class Field:
    """One thing that is asked; `path` is where it stands in the draft, in rows that of a column in its row."""

    path: str
    label: str
    kind: Kind = "text"
    hint: str = ""
    required: bool = False
    choices: str = ""  # the list of what can be chosen, see `pages/call_choices.py`
    columns: tuple[Field, ...] = ()
    folded: bool = False  # of columns: rarely needed
    key: str = "id"  # of rows: the member by which a row is known
    add: str = ""  # of rows: what the button says that adds one


@dataclass(frozen=True)
class Part:
    """A page of the editor."""

    id: str
    name: str
    fields: tuple[Field, ...]
    hint: str = ""


_ROW_ID = "Small letters, digits and _; left empty, it is made from the name."
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
                "call.budget_lines",
                "Categories of the budget",
                "rows",
                columns=(
                    Field("id", "Id", hint=_ROW_ID),
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
                    Field("id", "Id", hint=_ROW_ID),
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
                    Field("id", "Id", hint=_ROW_ID),
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
                    Field("type", "Id", hint=_ROW_ID),
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
                    Field("id", "Id", hint=_ROW_ID),
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
)
QUESTIONS = "questions"
BY_ID = {part.id: part for part in PARTS}


def get(content: Any, path: str) -> Any:
    """Return what stands at a dotted path, None when nothing does."""
    for name in path.split("."):
        if isinstance(content, Mapping):
            content = content.get(name)
        elif isinstance(content, list) and name.isdigit() and int(name) < len(content):
            content = content[int(name)]
        else:
            return None
    return content


def put(content: dict[str, Any], path: str, value: Any) -> None:
    """Set a value at a dotted path of mappings; nothing (None) takes the member out, and what is empty then."""
    first, _, rest = path.partition(".")
    if rest:
        inner = content.get(first)
        inner = dict(inner) if isinstance(inner, Mapping) else {}
        put(inner, rest, value)
        value = inner or None
    if value is None:
        content.pop(first, None)
    else:
        content[first] = value


def places(part: Part, content: Mapping[str, Any]) -> Iterator[tuple[str, str, int | None]]:
    """Yield (path of an input, its label, number of its row from 1) of everything on a page."""
    for field in part.fields:
        yield field.path, field.label, None
        for index, _ in enumerate(get(content, field.path) or [] if field.kind == "rows" else []):
            yield f"{field.path}.{index}", field.label, index + 1
            for column in field.columns:
                yield f"{field.path}.{index}.{column.path}", column.label, index + 1


def placed(part: Part, content: Mapping[str, Any], wrong: Mapping[str, str]) -> dict[str, str]:
    """Return {path of an input on this page: rule}: each problem at the nearest input around its place."""
    known = {path for path, _, _ in places(part, content)}
    found: dict[str, str] = {}
    for place, rule in wrong.items():
        path = place.replace(".field", ".source").replace(".fact", ".source") if ".rules." in place else place
        while path and path not in known:
            path = path.rpartition(".")[0]
        if path:
            found.setdefault(path, rule)
    return found


def part_of(place: str) -> str:
    """Return the page on which a problem is mended; nothing for what no page edits."""
    if place == "call.form" or place.startswith("call.form."):
        return QUESTIONS
    fits = [(len(f.path), part.id) for part in PARTS for f in part.fields if f"{place}.".startswith(f"{f.path}.")]
    if not fits and place.startswith("call."):
        fits = [(1, part.id) for part in PARTS for f in part.fields if f.path.startswith(f"{place}.")]
    return max(fits)[1] if fits else ""
