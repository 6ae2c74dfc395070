"""The parcel for whoever helps, in its parts: inside a process, and around the containers."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.monitoring import parcel
from services import __main__ as tamga
from shared.operations import bundle
from shared.operations.bundle import Section


def broken() -> str:
    """Fail as a client does that was given a password in an address."""
    raise ConnectionError("no answer from amqp://loans:s3cret@broker//")


def test_a_section_that_fails_says_so_and_the_others_are_there() -> None:
    """Why it failed is told without the password, and JSON is cut as text is."""
    sections = [
        Section("a.txt", "", broken),
        Section("b.json", "", lambda: {"smtp_password": "x", "to": "a@b.example"}),
    ]
    content, sizes = bundle.parcel_of(sections)
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        texts = {name: opened.read(name).decode() for name in opened.namelist()}
    assert texts["a.txt"] == "Not to be had: ConnectionError: no answer from amqp://(hidden)@broker//\n"
    assert json.loads(texts["b.json"]) == {"smtp_password": "(hidden)", "to": "(e-mail)"}
    assert sizes == {name: len(text) for name, text in texts.items()}


def test_a_log_brings_its_end(tmp_path: Path) -> None:
    """The last 2,000 lines, none of them without end."""
    log = tmp_path / "web.log"
    log.write_text("".join(f"line {number}\n" for number in range(3000)) + "x" * 10_000 + "\n")
    lines = bundle.last_lines(log).splitlines()
    assert (len(lines), lines[0], len(lines[-1])) == (2000, "line 1001", 4000)


def test_a_parcel_is_its_owners_and_writes_over_nothing(tmp_path: Path) -> None:
    """Nobody else can read it; a second one of the same name is refused."""
    file = tmp_path / "parcel.zip"
    bundle.created(file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        bundle.created(file)


def test_without_a_running_tamga_there_is_a_parcel_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lists what it will have, and each part that can't be had says so."""
    monkeypatch.setenv("TAMGA_HOME", str(tmp_path))
    monkeypatch.setenv("TAMGA_SMTP_URL", "smtp://me:s3cret@mail.example")
    file = tmp_path / "parcel.zip"
    done = CliRunner().invoke(tamga.gathered("support-bundle"), ["support-bundle", str(file)])
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(file) as opened:
        names, environment = opened.namelist(), opened.read("environment.json").decode()
    assert {"versions.json", "status.json", "topology.json"} <= set(names)
    assert all(name in done.output for name in names)
    assert "s3cret" not in environment


def test_what_the_machine_says_is_cut_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every container's log is there, without addresses and passwords; what can't be asked says so."""

    def asked(command: tuple[str, ...]) -> tuple[int, bytes]:
        if "--services" in command:
            return 0, b"database\ngrants-api\n"
        if "exec" in command:
            return 1, b"no such container, said postgresql://grants:s3cret@database"
        return 0, b"to ana@firm.example" if "logs" in command else b"fine"

    monkeypatch.setattr(parcel, "asked", asked)
    monkeypatch.setattr(parcel, "ROOT", tmp_path)
    (tmp_path / ".env").touch()
    file = tmp_path / "parcel.zip"
    assert parcel.main([str(file)]) == 0
    with zipfile.ZipFile(file) as opened:
        texts = {name: opened.read(name).decode() for name in opened.namelist()}
    assert texts["log/grants-api.log"] == "to (e-mail)"
    assert texts["machine/doctor.txt"] == "fine"
    assert "s3cret" not in texts["inside.txt"]
    assert parcel.main([str(file)]) == 2
