"""Finding what is wrong with a programme's rules before anybody is told anything by them."""

from __future__ import annotations

from pydantic import BaseModel

from services.notifications.domain.audience import BY_EVENT, PARTIES
from services.notifications.domain.ruleset import Letter, Rule, RuleSet
from services.notifications.rendering import COMMON_FIELDS, LetterError, fields_named, known_locale
from shared.events import Event, event_types


class Finding(BaseModel):
    """One thing wrong with the rules; an error keeps them from being adopted, a warning does not."""

    where: str
    problem: str
    error: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


def lint(rules: RuleSet) -> list[Finding]:
    """Return everything that is wrong with the rules; an empty list when nothing is."""
    known = {name: model for (name, _), model in sorted(event_types().items())}
    findings: list[Finding] = _languages(rules)
    findings += _doubled(rules)
    for rule in rules.rules:
        findings += _rule(rule, rules, known.get(rule.event))
    used = {rule.letter for rule in rules.rules}
    for name, letter in rules.letters.items():
        findings += _letter(name, letter, rules)
        if name not in used:
            findings.append(Finding(where=f"letter {name}", problem="no rule sends it", error=False))
    return findings


def _languages(rules: RuleSet) -> list[Finding]:
    names = {*rules.languages, *rules.fallback, *(item for chain in rules.fallback.values() for item in chain)}
    unknown = sorted(name for name in names if not known_locale(name))
    findings = [Finding(where="languages", problem=f"unknown language {name}") for name in unknown]
    for category, content in rules.categories.items():
        missing = [language for language in rules.languages if language not in content.name]
        findings += [Finding(where=f"category {category}", problem=f"no name in {language}") for language in missing]
    return findings


def _doubled(rules: RuleSet) -> list[Finding]:
    seen = [rule.id for rule in rules.rules]
    return [
        Finding(where=f"rule {name}", problem="defined twice")
        for name in sorted({x for x in seen if seen.count(x) > 1})
    ]


def _rule(rule: Rule, rules: RuleSet, event: type[Event] | None) -> list[Finding]:
    problems = [
        f"unknown party {name}; known: {', '.join(sorted(PARTIES))}, {BY_EVENT}"
        for name in rule.to
        if name not in PARTIES and name != BY_EVENT
    ]
    if rule.letter not in rules.letters:
        problems.append(f"unknown letter {rule.letter}")
    if rule.category not in rules.categories:
        problems.append(f"unknown category {rule.category}")
    findings = [Finding(where=f"rule {rule.id}", problem=problem) for problem in problems]
    if event is None:
        return [*findings, Finding(where=f"rule {rule.id}", problem=f"no event is called {rule.event}", error=False)]
    findings += [
        Finding(where=f"rule {rule.id}", problem=f"{rule.event} has no field {name}")
        for name in rule.when
        if name not in event.model_fields
    ]
    if rule.links and "referral_id" not in event.model_fields:
        findings.append(Finding(where=f"rule {rule.id}", problem=f"{rule.event} is of no referral: no links"))
    return findings + _fields(rule, rules, event)


def _fields(rule: Rule, rules: RuleSet, event: type[Event]) -> list[Finding]:
    allowed = COMMON_FIELDS | event.model_fields.keys()
    sources = {f"rule {rule.id}": [rule.link]}
    letter = rules.letters.get(rule.letter)
    for language, text in letter.texts.items() if letter else ():
        sources[f"letter {rule.letter} ({language})"] = [
            *(text.subject, text.text, rules.greeting.get(language, ""), rules.signature.get(language, ""))
        ]
    findings = []
    for where, texts in sources.items():
        for source in texts:
            try:
                unknown = sorted(fields_named(source) - allowed)
            except LetterError as error:
                findings.append(Finding(where=where, problem=str(error)))
                continue
            findings += [Finding(where=where, problem=f"unknown field {name} for {rule.event}") for name in unknown]
    return findings


def _letter(name: str, letter: Letter, rules: RuleSet) -> list[Finding]:
    where = f"letter {name}"
    missing = [language for language in rules.languages if language not in letter.texts]
    extra = [language for language in letter.texts if not known_locale(language)]
    return [
        *(Finding(where=where, problem=f"no translation into {language}") for language in missing),
        *(Finding(where=where, problem=f"unknown language {language}") for language in extra),
    ]
