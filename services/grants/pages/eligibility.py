"""May we apply? The call's rules, judged from answers that nobody keeps, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData

from services.grants.domain.pack import Call
from services.grants.handlers import listing
from services.grants.pages.common import show
from services.grants.pages.posted import posted
from shared.forms import Choice, Criterion, Judged, Question, judge, words
from shared.i18n import said, translate
from shared.web.dependencies import Reader, allowed
from shared.workflow.model import say

router = APIRouter(prefix="/calls/{call}/check")
PUBLIC = [allowed("grants.call.check")]
MAX_ANSWER = 200
RESULTS = {"passed": "Passed", "failed": "Not passed", "open": "Not judged yet"}


@router.get("", dependencies=PUBLIC)
def ask(request: Request, call: str, connection: Reader) -> HTMLResponse:
    """Ask what the rules of the call are judged from; whoever comes may ask, signed in or not."""
    found, _pack = listing.call_seen(connection, call)
    return _page(request, found, {})


@router.post("", dependencies=PUBLIC)
def answer(request: Request, call: str, form: Annotated[FormData, Depends(posted)], connection: Reader) -> HTMLResponse:
    """Say of each rule whether it is passed. The answers come in the body, so that no log and no address has them."""
    found, _pack = listing.call_seen(connection, call)
    given = {name.removeprefix("a."): str(text)[:MAX_ANSWER] for name, text in form.items() if name.startswith("a.")}
    return _page(request, found, given)


def _page(request: Request, call: Call, given: Mapping[str, str]) -> HTMLResponse:
    rules = judge(call.eligibility.rules, call.form, given) if given else []
    told_rules = told(request, call, rules)
    return show(
        request,
        "call_check.html",
        call=call,
        questions=_questions(call),
        words=words,
        answers=given,
        rules=told_rules,
        failed=sum(1 for item in rules if item.result == "failed"),
        unanswered=sum(1 for item in told_rules if item["result"] == "open" and item["needs"]),
    )


def _questions(call: Call) -> list[Question]:
    """Return what has to be asked, each question once."""
    asked = [item.question(call.form) for item in call.eligibility.rules]
    return list({question.id: question for question in asked if question is not None}.values())


def told(request: Request, call: Call, judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return each rule with how it stands: {text, result, label, given, needs}, in the reader's words."""
    rules, locale = {rule.id: rule for rule in call.eligibility.rules}, request.state.locale
    return [_told(call, rules[item.rule], item, locale) for item in judged if item.rule in rules]


def _told(call: Call, rule: Criterion, item: Judged, locale: str) -> dict[str, Any]:
    question = rule.question(call.form)
    options = question.options if question else ()
    named = _named(rule, options, locale)
    return {
        "text": say(rule.text, locale),
        "result": item.result,
        "label": translate("grants", RESULTS[item.result], locale=locale),
        "given": next((say(option.name, locale) for option in options if option.id == item.given), _figure(item.given)),
        "needs": said("grants", named.needs()) if rule.source else "",
    }


def _named(rule: Criterion, options: Sequence[Choice], locale: str) -> Criterion:
    """Return the rule with the names of its choices instead of their ids."""
    names = {option.id: say(option.name, locale) for option in options}
    return rule.model_copy(update={"any_of": tuple(names.get(item, item) for item in rule.any_of)})


def _figure(given: str) -> str:
    """Return an answer as it was given; a number as the reader's language writes it."""
    try:
        number = Decimal(given)
    except InvalidOperation:
        return given
    return translate("grants", "%(number)s", {"number": number}) if number.is_finite() else given
