"""Where a process's settings come from: the environment, and secrets that lie in files."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from shared.settings import Settings, SettingsError, load


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a process that knows nothing yet."""
    monkeypatch.setenv("TAMGA_HOME", str(tmp_path / "home"))
    (tmp_path / "secrets").mkdir()
    return tmp_path


def _keep(home: Path, name: str, content: str) -> Path:
    file = home / "secrets" / name
    file.write_text(content)
    return file


def test_a_container_knows_only_the_services_whose_secrets_it_was_given(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Host names and the files in TAMGA_SECRETS make the URLs; without a service's password there is no URL of it."""
    _keep(home, "grants_database_password", "db pa/ss\n")
    _keep(home, "grants_broker_password", "brok@r")
    _keep(home, "loans_owner_password", "owner")
    monkeypatch.setenv("TAMGA_SECRETS", str(home / "secrets"))
    monkeypatch.setenv("TAMGA_DATABASE_HOST", "database")
    monkeypatch.setenv("TAMGA_BROKER_HOST", "broker")
    known = load()
    assert known.database_urls == {"grants": "postgresql+psycopg://tamga_grants:db%20pa%2Fss@database/tamga_grants"}
    assert known.amqp_urls == {"grants": "amqp://grants:brok%40r@broker//"}
    assert known.owner_database_urls == {"loans": "postgresql+psycopg://tamga_loans_owner:owner@database/tamga_loans"}
    with pytest.raises(SettingsError, match="no database is known for loans"):
        known.database_url("loans")


def test_of_several_hosts_every_one_is_known(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a cluster each node is in the broker's URL with the password, and whichever database server takes changes."""
    _keep(home, "grants_database_password", "db")
    _keep(home, "grants_broker_password", "mq")
    _keep(home, "broker_admin_password", "top")
    monkeypatch.setenv("TAMGA_SECRETS", str(home / "secrets"))
    monkeypatch.setenv("TAMGA_DATABASE_HOST", "one,two")
    monkeypatch.setenv("TAMGA_BROKER_HOST", "a,b,c")
    monkeypatch.setenv("TAMGA_AMQP_ADMIN_URL", "amqp://chief@a//;amqp://chief@b//")
    known = load()
    url = make_url(known.database_url("grants"))
    assert url.password == "db"
    _, given = PGDialect_psycopg().create_connect_args(url)  # type: ignore[no-untyped-call]
    assert given["host"] == "one,two"
    assert url.query["target_session_attrs"] == "read-write"
    assert known.amqp_url("grants") == "amqp://grants:mq@a//;amqp://grants:mq@b//;amqp://grants:mq@c//"
    assert known.amqp_admin_url == "amqp://chief:top@a//;amqp://chief:top@b//"


def test_a_named_file_gives_a_given_url_its_password(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of one's own is named by its URL, its password by a file; a password in the URL itself stays."""
    file = _keep(home, "elsewhere", "hidden\n")
    monkeypatch.setenv("TAMGA_AUDIT_DATABASE_URL", "postgresql+psycopg://log@db.example.org:5433/log")
    monkeypatch.setenv("TAMGA_AUDIT_DATABASE_PASSWORD_FILE", str(file))
    monkeypatch.setenv("TAMGA_AMQP_ADMIN_URL", "amqp://watch@mq.example.org//")
    monkeypatch.setenv("TAMGA_AMQP_ADMIN_PASSWORD_FILE", str(file))
    monkeypatch.setenv("TAMGA_SMTP_URL", "smtp://mailer:own@mail.example.org:587?starttls")
    monkeypatch.setenv("TAMGA_SMTP_PASSWORD_FILE", str(file))
    known = load()
    assert known.database_url("audit") == "postgresql+psycopg://log:hidden@db.example.org:5433/log"
    assert known.amqp_admin_url == "amqp://watch:hidden@mq.example.org//"
    assert known.smtp_url == "smtp://mailer:own@mail.example.org:587?starttls"


def test_a_secret_that_is_not_there_is_one_sentence_with_the_cure(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was promised and is missing stops the process, and says which one and what to do."""
    monkeypatch.setenv("TAMGA_GRANTS_DATABASE_PASSWORD_FILE", str(home / "secrets" / "none"))
    with pytest.raises(SettingsError, match=r"^TAMGA_GRANTS_DATABASE_PASSWORD_FILE: .*none can't be read .*make init"):
        load()


@pytest.mark.parametrize(
    ("content", "state"),
    [("", "is empty"), (" \n", "is empty"), ("change-me", "is a placeholder"), ("<the password>", "is a placeholder")],
)
def test_a_secret_that_nobody_has_made_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, content: str, state: str
) -> None:
    """A process does not start with an empty secret or with a placeholder; a mail server may ask for none."""
    _keep(home, "smtp_password", "")
    monkeypatch.setenv("TAMGA_SECRETS", str(home / "secrets"))
    monkeypatch.setenv("TAMGA_SMTP_URL", "smtp://relay@mail.example.org")
    assert load().smtp_url == "smtp://relay@mail.example.org"
    _keep(home, "postgres_password", content)
    monkeypatch.setenv("TAMGA_DATABASE_ADMIN_URL", "postgresql+psycopg://postgres@database/postgres")
    with pytest.raises(SettingsError, match=f"^TAMGA_SECRETS: .*postgres_password {state}: delete it and run `make"):
        load()


def test_processes_elsewhere_tell_their_figures_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `tamga run` writes down for one machine can be given for several."""
    monkeypatch.setenv("TAMGA_METRICS_URLS", '{"watch": "http://watch:9400/metrics"}')
    assert load().metrics_urls == {"watch": "http://watch:9400/metrics"}


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://tamga.example.org:443", "https://tamga.example.org"),
        ("http://tamga.example.org:80", "http://tamga.example.org"),
        ("https://localhost:8443", "https://localhost:8443"),
        ("https://tamga.example.org", "https://tamga.example.org"),
    ],
)
def test_the_address_is_as_a_browser_says_it(given: str, origin: str) -> None:
    """A browser leaves its scheme's own port out of Origin; with it every form would seem to come from elsewhere."""
    assert Settings(base_url=given).base_url == origin


def test_our_own_processes_may_reach_the_pages_elsewhere() -> None:
    """Inside, the pages have another name than the one that people know."""
    assert Settings(base_url="https://tamga.example.org").own_url == "https://tamga.example.org"
    assert Settings(inside_url="http://proxy:8480/").own_url == "http://proxy:8480"


def test_a_secret_that_is_closed_to_us_names_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """In containers the file is made readable in the folder secrets; nothing says that `make init` would help."""

    def read(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("TAMGA_IN_CONTAINERS", "yes")
    monkeypatch.setenv("TAMGA_GRANTS_DATABASE_PASSWORD_FILE", "/run/secrets/grants_database_password")
    monkeypatch.setattr(Path, "read_text", read)
    with pytest.raises(SettingsError, match=r"`chmod 444 secrets/grants_database_password`$"):
        load()
