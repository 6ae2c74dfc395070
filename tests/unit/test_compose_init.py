"""The first start: what `make init` makes, what it never touches, and what it refuses."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from deploy.compose import ed25519, environment, files, init, questions, secret_files

COMPOSE = """
services:
  app:
    image: ${TAMGA_APP_IMAGE:?run "make init" first}  # not ${COMMENTED:?out}
    environment: {TZ: "${TAMGA_TIME_ZONE:?run make init}", PRICE: "$${NOT_OURS}", LEVEL: "${TAMGA_LOG_LEVEL:-INFO}"}
secrets:
  one: {file: ./secrets/grants_database_password}
  two:
    file: "./secrets/grafana_password"
"""
# Of RFC 8032, section 7.1: private and public keys.
VECTORS = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    ),
)
ANSWERS = {
    "TAMGA_DOMAIN": "grants.example.org",
    "TAMGA_SMTP_URL": "smtp://mailer:p%40ss@mail.example.org:587?starttls",
    "TAMGA_TIME_ZONE": "Europe/Skopje",
    "TAMGA_OPERATOR_EMAIL": "oleg@example.org",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a checkout with a compose file."""
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.4.0"\n')
    return tmp_path


def content(root: Path) -> dict[str, bytes]:
    """Return every file under a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_public_half_is_that_of_the_standard() -> None:
    """RFC 8032's first three test vectors come out, and what the portal's own library computes for a new key."""
    for seed, public in VECTORS:
        assert ed25519.public_half(bytes.fromhex(seed)).hex() == public
    for _ in range(20):
        private = ed25519.new_private()
        key = load_pem_private_key(private.encode(), None)
        ours = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        assert ed25519.public_of(private) == ours


@pytest.mark.parametrize("pem", ["", "secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_another_key_is_no_ed25519_key(pem: str) -> None:
    """Text, an empty file and a key of another kind are refused."""
    with pytest.raises(ValueError, match="is not"):
        ed25519.public_of(pem)


def test_everything_is_made_at_the_first_start(root: Path) -> None:
    """All answers are in .env without any secret; every secret is there, differs from all others, and is whole."""
    made, kept = init.write(root, ANSWERS | {"TAMGA_DOMAIN": "Grants.Example.org"})
    names = secret_files.wanted(["grafana_password"])
    assert set(made) == {".env", *names}
    assert kept == []
    values = environment.read((root / ".env").read_text())
    assert {name: values[name] for name in ("TAMGA_DOMAIN", "TAMGA_TIME_ZONE")} == {
        name: ANSWERS[name] for name in ("TAMGA_DOMAIN", "TAMGA_TIME_ZONE")
    }
    assert values["TAMGA_SMTP_URL"] == "smtp://mailer@mail.example.org:587?starttls"
    assert values["TAMGA_MAIL_FROM"] == "Tamga <no-reply@grants.example.org>"
    assert values["TAMGA_APP_IMAGE"] == "tamga/app:1.4.0"
    assert values["COMPOSE_FILE"] == "docker-compose.yml:deploy/outbound/mail.yml"
    assert set(environment.needs(COMPOSE).required) <= {name for name, value in values.items() if value}
    assert secret_files.problems(root / "secrets", names) == {}
    assert (root / "secrets/smtp_password").read_text() == "p@ss"
    secrets = {name: (root / "secrets" / name).read_text() for name in names}
    assert len(set(secrets.values())) == len(names)
    assert not any(secret in (root / ".env").read_text() for secret in secrets.values())
    load_pem_public_key(secrets["identity_key.pem"].encode())


def test_rights_keep_others_out_and_let_containers_read(root: Path) -> None:
    """The folder is the owner's alone, whatever the umask; files in it can be read by a container's user."""
    before = os.umask(0o002)
    try:
        init.write(root, ANSWERS)
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / "secrets").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (root / "secrets").iterdir()} == {0o444}
    assert secret_files.open_to_others(root / "secrets") == []
    (root / "secrets").chmod(0o755)
    (root / "secrets/backup_key").chmod(0o666)
    assert len(secret_files.open_to_others(root / "secrets")) == 2


def test_a_second_start_changes_nothing(root: Path) -> None:
    """Run again with other answers, not one byte differs, and everything is said to be kept."""
    init.write(root, ANSWERS)
    before = content(root)
    made, kept = init.write(root, {"TAMGA_DOMAIN": "other.example.org", "TAMGA_SMTP_URL": ""})
    assert made == []
    assert set(kept) == {".env", *secret_files.wanted(["grafana_password"])}
    assert content(root) == before


def test_only_what_is_missing_is_filled_in(root: Path) -> None:
    """A variable of the operator's, a comment, and a secret stay; an empty required variable gets its value."""
    (root / ".env").write_text("# mine\nTAMGA_APP_IMAGE=\nTAMGA_TIME_ZONE='Asia/Almaty'\nEXTRA=\"a b\"\n")
    (root / "secrets").mkdir(mode=0o700)
    (root / "secrets/backup_key").write_text("kept-as-it-is-whatever-it-is-4711")
    made, kept = init.write(root, {"TAMGA_DOMAIN": "x.example"})
    text = (root / ".env").read_text()
    assert text.startswith("# mine\nTAMGA_APP_IMAGE=tamga/app:1.4.0\nTAMGA_TIME_ZONE='Asia/Almaty'\nEXTRA=\"a b\"\n")
    assert (root / "secrets/backup_key").read_text() == "kept-as-it-is-whatever-it-is-4711"
    assert "backup_key" in kept
    assert "postgres_password" in made


def test_an_interrupted_start_leaves_whole_files_and_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a secret is written leaves no part of it; the next start keeps what was made before it."""
    synced, calls = os.fsync, []

    def interrupted(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 5:
            raise KeyboardInterrupt
        synced(handle)

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        init.write(root, ANSWERS)
    monkeypatch.undo()
    before = content(root / "secrets")
    assert len(before) == 4
    assert not [path for path in (root / "secrets").iterdir() if path.suffix == ".new"]
    assert not (root / ".env").exists()
    init.write(root, ANSWERS)
    assert before.items() <= content(root / "secrets").items()
    assert secret_files.problems(root / "secrets", secret_files.NAMES) == {}


def test_the_public_half_is_never_left_without_its_key(root: Path) -> None:
    """A lost signing key is not made anew behind everybody's back: one sentence says what to do, nothing is made."""
    init.write(root, ANSWERS)
    (root / "secrets/signing_key.pem").unlink()
    (root / "secrets/backup_key").unlink()
    with pytest.raises(secret_files.SecretError, match=r"signing_key\.pem is gone.*put it back from your copy"):
        init.write(root, ANSWERS)
    assert not (root / "secrets/backup_key").exists()


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("postgres_password", "", "is empty"),
        ("postgres_password", "  \n", "is empty"),
        ("postgres_password", "changeme-changeme-changeme-now", "is a placeholder"),
        ("postgres_password", "<the password of the database>", "is a placeholder"),
        ("postgres_password", "your-secret-goes-in-here-please", "is a placeholder"),
        ("postgres_password", "abababababababababababababab", "is a placeholder"),
        ("postgres_password", "Tr0ub4dor&3", "is too short (11 letters of at least 24)"),
        ("postgres_password", "first line of a text\nand another one", "has more than one line"),
        ("signing_key.pem", "no key", "is not a PEM file with one private key"),
        ("identity_key.pem", "no key", "is not a public Ed25519 key as PEM"),
        ("identity_key.pem", ed25519.public_of(ed25519.new_private()), "does not belong to signing_key.pem"),
    ],
)
def test_a_bad_secret_is_found(root: Path, name: str, text: str, problem: str) -> None:
    """Each kind of secret that would not do is named with what is wrong with it, and no other is."""
    init.write(root, ANSWERS)
    (root / "secrets" / name).unlink()
    (root / "secrets" / name).write_text(text)
    assert secret_files.problems(root / "secrets", secret_files.NAMES) == {name: problem}


def test_two_secrets_that_are_the_same_are_found(root: Path) -> None:
    """One leaked password must not open two doors; a missing one is told as missing."""
    init.write(root, ANSWERS)
    first, second, third = (root / "secrets" / f"{name}_owner_password" for name in ("portal", "grants", "loans"))
    second.unlink()
    second.write_text(first.read_text())
    third.unlink()
    assert secret_files.problems(root / "secrets", secret_files.NAMES) == {
        "grants_owner_password": "is the same as portal_owner_password",
        "loans_owner_password": "is missing",
    }


def test_at_most_four_questions_are_asked_until_the_answers_will_do() -> None:
    """A wrong answer is asked for again with the reason; an empty line takes what is offered."""
    asked = questions.questions()
    given = iter(
        ["not a host!", "Grants.Example.org", "http://mail", "", "Nowhere/City", "UTC", "me", "me@example.org"]
    )
    said: list[str] = []
    found = questions.ask(asked, lambda _words: next(given), said.append)
    assert len(asked) == 4
    assert list(found.values()) == ["Grants.Example.org", "", "UTC", "me@example.org"]
    assert [line.strip() for line in said] == [
        "not a host! is no host name, such as grants.example.org.",
        "http://mail is no address of a mail server, such as smtp://mail.example.org:25.",
        "Nowhere/City is no time zone that this machine knows, such as Europe/Skopje.",
        "me is no e-mail address.",
    ]


def test_unattended_the_environment_answers_and_a_wrong_answer_is_one_sentence(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --yes nothing is asked; what can't be used is named, with exit code 1 and nothing made."""
    before = content(root)
    monkeypatch.setenv("TAMGA_DOMAIN", "https://grants")
    assert init.main(["--yes"], root) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("TAMGA_DOMAIN=https://grants is no host name")
    assert "\n" not in said
    assert content(root) == before
    monkeypatch.setenv("TAMGA_DOMAIN", "grants.example.org")
    assert init.main(["--yes"], root) == 0
    said = capsys.readouterr().out
    assert "backup_key to a safe place" in " ".join(said.split())
    assert not any((root / "secrets" / name).read_text() in said for name in ("backup_key", "postgres_password"))
    assert max(map(len, said.splitlines())) <= 80 + len(str(root))


def test_a_value_that_no_env_file_can_carry_is_refused() -> None:
    """Spaces and signs are quoted and come back as they were; a quotation mark or a second line is refused."""
    for value in ("Tamga <no-reply@x>", "a#b $c", "", 'with "marks"'):
        assert environment.read(f"A={environment.quoted(value)}\n") == {"A": value}
    for value in ("it's", "two\nlines"):
        with pytest.raises(ValueError, match="one line"):
            environment.quoted(value)


def test_what_a_compose_file_asks_for_is_read_from_its_text() -> None:
    """Required and optional variables and secret files are found; comments and escaped dollars are not."""
    found = environment.needs(COMPOSE)
    assert found.required == {"TAMGA_APP_IMAGE": 'run "make init" first', "TAMGA_TIME_ZONE": "run make init"}
    assert found.optional == {"TAMGA_LOG_LEVEL": "INFO"}
    assert found.secrets == ["grafana_password", "grants_database_password"]


def test_overlays_count_when_they_are_chosen_and_their_secrets_are_made_in_any_case(root: Path) -> None:
    """`COMPOSE_FILE` says what runs; a file of settings that happens to speak of services is no compose file."""
    (root / "deploy").mkdir()
    (root / "deploy/extra.yml").write_text(
        "services:\n  x:\n    image: ${EXTRA_IMAGE:?run make init}\nsecrets:\n  y: {file: ./secrets/extra_password}\n"
    )
    (root / "deploy/panels.yml").write_text("services:\n- title: ${NOT_OURS:?}\n")
    assert [path.name for path in environment.every_compose_file(root)] == ["docker-compose.yml", "extra.yml"]
    assert [path.name for path in environment.chosen_compose_files(root, {})] == ["docker-compose.yml"]
    chosen = environment.chosen_compose_files(root, {"COMPOSE_FILE": "docker-compose.yml:deploy/extra.yml"})
    assert "EXTRA_IMAGE" in environment.needs(environment.compose_text(chosen)).required
    made, _ = init.write(root, {"TAMGA_DOMAIN": "x.example"})
    assert "extra_password" in made
    assert environment.read((root / ".env").read_text())["COMPOSE_FILE"] == "docker-compose.yml"


def test_of_two_who_make_a_file_at_once_one_wins(tmp_path: Path) -> None:
    """The second finds the first one's file and leaves it."""
    assert files.add(tmp_path / "one", "first", 0o444) is True
    assert files.add(tmp_path / "one", "second", 0o444) is False
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert (tmp_path / "one").read_text() == "first"
