"""What `make backup`, `make restore` and `make drill` ask of Docker: tried on one that writes down what it hears."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.compose import keeping

DOCKER = """#!/bin/sh
case "$*" in
  info*) echo '{{"ServerVersion": "27.3.1"}}'; exit 0 ;;
  "compose version"*) echo 2.29.7; exit 0 ;;
esac
echo "$*" >> {folder}/heard
case "$*" in
  *"backup list"*) echo '[{{"file": "/var/lib/tamga/backups/tamga-1-20260101T000000Z.backup"}}]' ;;
  *" cat /var"*) printf content ;;
  *" sh -c"*) cat > {folder}/taken ;;
esac
exit "$(cat {folder}/code 2>/dev/null || echo 0)"
"""
NAME = "tamga-1-20260101T000000Z.backup"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a Docker that writes down what it is asked."""
    (tmp_path / "docker").write_text(DOCKER.format(folder=tmp_path))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def heard(docker: Path) -> list[str]:
    """Return what was asked."""
    return (docker / "heard").read_text().splitlines()


def test_a_backup_is_made_and_copied_out(docker: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The copy has its name when all of it is there; without a folder nothing is copied."""
    assert keeping.main(["backup", "--to", str(docker / "usb")], root=docker) == 0
    assert (docker / "usb" / NAME).read_text() == "content"
    assert [file.name for file in (docker / "usb").iterdir()] == [NAME]
    assert f"Copied to {docker / 'usb' / NAME}" in capsys.readouterr().out
    assert keeping.main(["backup"], root=docker) == 0
    assert heard(docker)[-1] == "compose exec -T backup tamga backup create"


def test_a_file_of_this_machine_is_taken_in_and_restored(docker: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Servers first, then the file as the container's own user, then the restore with what else was asked for."""
    file = docker / NAME
    file.write_bytes(b"sealed")
    assert keeping.main(["restore", "--file", str(file), "--replace"], root=docker) == 0
    assert (docker / "taken").read_bytes() == b"sealed"
    first, _, last = heard(docker)
    assert first == "compose up --detach --wait database broker"
    assert last == f"compose run -T --rm --no-deps backup tamga restore /var/lib/tamga/backups/{NAME} --replace"
    assert "make up" in capsys.readouterr().out


def test_refusals_are_sentences(docker: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file named, servers that do not come up, a folder that can't be written; the command's own code is kept."""
    assert keeping.main(["restore"], root=docker) == 1
    (docker / "usb").touch()
    assert keeping.main(["backup", "--to", str(docker / "usb")], root=docker) == 1
    (docker / "code").write_text("2")
    assert keeping.main(["restore", "--file", "x"], root=docker) == 1
    assert keeping.main(["drill", "--file", f"backups/{NAME}"], root=docker) == 2
    said = capsys.readouterr().err
    for words in ("Say which backup", "Can't write to", "do not come up: make logs s=database"):
        assert words in said
    assert heard(docker)[-1] == f"compose exec -T backup tamga drill /var/lib/tamga/backups/{NAME}"


def test_without_docker_the_cure_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Docker is not there or does not run, each command says so, as `make doctor` does, and begins nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    said = list[str]()
    monkeypatch.setattr(keeping, "refuse", said.append)
    assert {keeping.main([command, "--file", "x"], root=tmp_path) for command in ("backup", "restore", "drill")} == {1}
    (tmp_path / "docker").write_text("#!/bin/sh\necho Cannot connect to the Docker daemon >&2; exit 1")
    (tmp_path / "docker").chmod(0o755)
    assert keeping.main(["drill"], root=tmp_path) == 1
    assert ["is not installed" in one for one in said] == [True, True, True, False]
    assert "is not running (Cannot connect" in said[-1]
