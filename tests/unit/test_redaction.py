"""What identifies a person or lets somebody in is cut out of any text."""

from __future__ import annotations

import json
import logging

import pytest
import structlog
from pydantic import BaseModel, ValidationError

from shared.observability import configure_logging
from shared.redaction import HIDDEN, redact, redacted

KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ\n-----END PRIVATE KEY-----"
LEAKS = [
    ("no letter to ana.canary@firm.example today", "ana.canary"),
    ("postgresql+psycopg://grants:s3cr3t-canary@database:5432/grants", "s3cr3t-canary"),
    ("amqp://loans:p%40ss@broker//", "p%40ss"),
    ("paid to MK07 2501 2000 0058 984", "2501"),
    ("paid to MK07250120000058984", "250120000058984"),
    ("call +389 70 123-456 first", "123-456"),
    ("Authorization: Bearer abcdefgh12345678", "abcdefgh"),
    ("key tmg_Zk3x0canary_-9 was used", "canary"),
    ("cookie: tamga=Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5", "Q2FuYXJ5"),
    ("cookie: __Host-tamga=Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5", "Q2FuYXJ5"),
    ("x-tamga-identity eyJhbGciOiJFZERTQSJ9.eyJ1c2VyIjoiYSJ9.c2ln", "eyJ1c2VyIjoiYSJ9"),
    ('{"password": "hunter2"}', "hunter2"),
    ("password=hunter2&x=1", "hunter2"),
    (f"the key is {KEY}", "MC4CAQAw"),
    ("DETAIL:  Key (name, email)=(Ana Canary, x) already exists.", "Ana Canary"),
    ("DETAIL:  Failing row contains (1, Ana Canary, null).", "Ana Canary"),
    (
        "(psycopg.errors.X) no\n[SQL: INSERT]\n[parameters: {'name': 'Ana Canary', 'a': ['b']}]\n(Background)",
        "Ana Canary",
    ),
]


@pytest.mark.parametrize(("text", "leak"), LEAKS)
def test_it_is_cut_out(text: str, leak: str) -> None:
    """Addresses, accounts, phones, passwords, keys, and the values that databases quote."""
    assert leak in text
    assert leak not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T07:34:33.074981+00:00 BSO-2026-0001 019aa9c2-7d51-7c55-b6ce-2b5a9be39e0a",
        'tamga_http_requests_total{method="GET",route="/grants/",status="2xx"} 7.0',
        "http://127.0.0.1:8477/grants/applications/BSO-2026-0001",
        "grants.application.submitted 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ],
)
def test_what_explains_a_failure_stays(text: str) -> None:
    """References, ids, times, routes, traces."""
    assert redact(text) == text


def test_values_named_like_secrets_are_hidden_at_any_depth() -> None:
    """Whatever they look like; the name of a file that holds one stays, and so does what is empty."""
    value = {"signing_key_file": "/run/x.pem", "a": [{"smtp_password": "x"}], "cookie": "", "keys": {"a": "b"}, "n": 1}
    found = redacted(value)
    assert found == {
        "signing_key_file": "/run/x.pem",
        "a": [{"smtp_password": HIDDEN}],
        "cookie": "",
        "keys": HIDDEN,
        "n": 1,
    }


class Form(BaseModel):
    """Something that a person fills in."""

    amount: int


def test_a_log_quotes_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither an error's words nor its traceback bring what somebody typed into a log, by our logger or another's."""
    before, kept, typed = logging.getLogger().handlers[:], structlog.get_config(), "Ana Canary"
    try:
        configure_logging("unit")
        try:
            Form.model_validate({"amount": typed})
        except ValidationError as error:
            structlog.get_logger().exception("ours", error=repr(error), facts=[{"email": "a"}])
            logging.getLogger("theirs").exception("to %s", f"{typed[4:]}@firm.example")
        said = capsys.readouterr().err
    finally:
        logging.getLogger().handlers[:] = before
        structlog.configure(**kept)  # the library's own default draws tracebacks for seconds, in every test after
    lines = [json.loads(line) for line in said.splitlines()]
    assert len(lines) == 2
    assert all("ValidationError" in line["exception"] for line in lines)
    assert "anary" not in said
    assert lines[0]["facts"] == [{"email": HIDDEN}]
