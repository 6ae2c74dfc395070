"""Co-financing in Russian: every word of its pages, and every sentence by which it refuses something."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_dir

from services.grants.domain import match
from shared import i18n

GRANTS = Path(__file__).parents[2] / "services" / "grants"
DOMAIN = [GRANTS / "domain" / f"{name}.py" for name in ("match", "terms", "contribution", "cofinancing")]
OPTIONS = {"trim_blocks": "true", "newstyle_gettext": "true", "silent": "false", "extensions": "jinja2.ext.do"}


def on_pages() -> Iterator[str]:
    """Yield what the templates say."""
    methods = [("**.html", "jinja2.ext:babel_extract")]
    found = extract_from_dir(str(GRANTS / "templates" / "cofinancing"), methods, {"**.html": OPTIONS})
    yield from (message for _, _, message, _, _ in found if isinstance(message, str))


def in_refusals() -> Iterator[str]:
    """Yield the sentences of rules and errors."""
    yield from (match._CASH_FIRST, match._PLAN, match._MATCH)
    for path in DOMAIN:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and node.func.id.endswith(("Rule", "Error")):
                    yield str(first.value)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "said":
                yield str(ast.literal_eval(node.value)) if isinstance(node.value, ast.Constant) else ""


def test_every_word_has_its_russian() -> None:
    """No page of co-financing and no refusal is said in English to a Russian reader."""
    catalogue = i18n.catalogue("grants", "ru")
    words = {word for word in (*on_pages(), *in_refusals()) if word}
    assert len(words) > 150
    assert [word for word in sorted(words) if catalogue.gettext(word) == word] == []
