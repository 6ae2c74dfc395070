"""Pages of the editor that say what a call counts: reports, indicators, sums of the form, exclusion lists."""

from __future__ import annotations

from services.portal.domain.call_fields import ROW_ID, Field, Part
from services.portal.domain.form_asks import ASKED

_ID = Field("id", "Id", hint=ROW_ID)
_NAME = Field("name", "Title", "names", required=True)
_REPORTS = Part(
    "reports",
    "Reports",
    (
        Field("call.reporting.every_months", "A report every … months", "whole", "Nothing: the final report alone."),
        Field("call.reporting.within_days", "Days to hand it in", "whole", "After its period; usually 30."),
        Field("call.reporting.final_within_days", "Days to hand in the final one", "whole", "Usually 60."),
        Field(
            "call.reporting.remind",
            "Days of reminders",
            "numbers",
            "-14, -3, 1: before (less than 0) and after it is due.",
        ),
        Field("call.reporting.review_days", "Days to judge a report", "whole", "Working days; usually 10."),
        Field("call.reporting.answer_days", "Days to answer questions", "whole", "Working days; usually 10."),
        Field("call.reporting.financial", "Costs are reported", "switch", choices="usually_yes"),
        Field(
            "call.reporting.variance_percent",
            "A line may differ by, %",
            "decimal",
            "Beyond that it must be explained; usually 20.",
        ),
        Field("call.reporting.proof_required", "Each cost needs a document", "switch", choices="usually_no"),
        Field(
            "call.reporting.two_reviewers",
            "Who decides costs may not accept the report",
            "switch",
            choices="usually_no",
        ),
        Field("call.reporting.overdue_blocks_payment", "A late report holds payments", "switch", choices="usually_yes"),
        Field("call.reporting.narrative", "Questions are answered in words", "switch", choices="usually_yes"),
        Field(
            "call.reporting.form",
            "Questions of the report",
            "asks",
            columns=ASKED,
            add="Add a question",
        ),
        Field(
            "call.reporting.documents",
            "Kinds of proof",
            "rows",
            columns=(_ID, _NAME),
            add="Add a document",
        ),
        Field(
            "call.reporting.ineligible",
            "Why a cost is not accepted",
            "rows",
            columns=(_ID, _NAME),
            add="Add a reason",
        ),
    ),
    "While all of this page is empty, no reports are asked for.",
)
_DIMENSION = Field(
    "disaggregation",
    "Broken down by",
    "rows",
    "The parts of each add up to the whole.",
    columns=(_ID, _NAME, Field("parts", "Its parts", "lines", required=True)),
    add="Add a breakdown",
)
_INDICATORS = Part(
    "indicators",
    "Indicators",
    (
        Field(
            "call.indicators",
            "Indicators",
            "rows",
            "What reports count.",
            columns=(
                _ID,
                _NAME,
                Field("unit", "Unit", "names", required=True),
                Field("measure", "What it is", "choice", "Usually a number.", choices="measures"),
                Field("periods", "Over the periods", "choice", "Usually added up.", choices="periods"),
                Field("decimals", "Decimals", "whole"),
                Field("baseline", "Value at the beginning", "decimal"),
                Field("target", "Target of each grant", "decimal"),
                Field("target_field", "Or the answer that is the target", "choice", choices="numeric"),
                _DIMENSION,
            ),
            add="Add an indicator",
        ),
    ),
)
_SUMS = Part(
    "sums",
    "Sums of the form",
    (
        Field(
            "call.form.x-sums",
            "Sums",
            "rows",
            "What must be equal when an application is handed in.",
            columns=(
                _ID,
                Field("text", "The rule in words", "names", required=True),
                Field("left", "These together", "choices", required=True, choices="numbers"),
                Field("right", "are as much as these together", "choices", required=True, choices="numbers"),
            ),
            add="Add a sum",
        ),
    ),
)
_LISTS = Part(
    "lists",
    "Exclusion lists",
    (
        Field("call.exclusion.threshold", "Likeness from which a person looks", "whole", "From 70 to 100; usually 88."),
        Field("call.exclusion.blocks", "What waits while a hit is undecided", "choices", choices="moves"),
        Field(
            "call.exclusion.subjects",
            "Who is looked for beside the applicant",
            "rows",
            columns=(
                Field("field", "The answer that names somebody", "choice", required=True, choices="answers"),
                Field("as", "Who that is", hint="A word such as partner or owner."),
            ),
            key="field",
            add="Add an answer",
        ),
    ),
)
RESULTS = (_REPORTS, _INDICATORS, _SUMS, _LISTS)
