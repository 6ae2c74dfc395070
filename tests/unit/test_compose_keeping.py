"""What `make backup`, `make restore` and `make drill` ask of Docker: tried on one that writes down what it hears."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.compose import keeping, secret_files

DOCKER = """#!/bin/sh
case "$*" in
  info*) echo '{{"ServerVersion": "27.3.1"}}'; exit 0 ;;
  "compose version"*) echo 2.29.7; exit 0 ;;
esac
echo "$*" >> {folder}/heard
case "$*" in
  *"backup list"*) echo '[{{"file": "/var/lib/tamga/backups/tamga-1-20260101T000000Z.backup"}}]' ;;
  *" cat /var"*) printf content ;;
  *" test -f "*) cat {folder}/trouble >&2 2>/dev/null; [ -e {folder}/kept ]; exit ;;
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
    (docker / "usb").mkdir()
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
    (docker / "usb" / NAME).mkdir(parents=True)
    assert keeping.main(["backup", "--to", str(docker / "usb")], root=docker) == 1
    (docker / "kept").touch()
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


def test_a_folder_that_is_not_there_is_refused_before_a_backup_is_made(
    docker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a disk that is not mounted the copy would land on this very machine: nothing is asked of Docker."""
    assert keeping.main(["backup", "--to", str(docker / "usb")], root=docker) == 1
    assert f"There is no folder {docker / 'usb'}: mount its disk" in capsys.readouterr().err
    assert not (docker / "usb").exists()
    assert not (docker / "heard").exists()


def test_a_backup_that_is_nowhere_is_refused_before_the_servers_start(
    docker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Looked for on this machine, then in the volume; one that is in the volume is restored."""
    assert keeping.main(["restore", "--file", "nonsense"], root=docker) == 1
    assert "nonsense is no file here, nor in the volume of backups: make tamga c='backup list'" in (
        capsys.readouterr().err
    )
    assert heard(docker) == ["compose run --rm --no-deps -T backup test -f /var/lib/tamga/backups/nonsense"]
    (docker / "trouble").write_text("Error response from daemon: no such image\n")
    assert keeping.main(["restore", "--file", "nonsense"], root=docker) == 1
    assert "can't be looked into: Error response from daemon: no such image" in capsys.readouterr().err
    (docker / "trouble").unlink()
    (docker / "kept").touch()
    assert keeping.main(["restore", "--file", NAME], root=docker) == 0
    assert heard(docker)[-1].endswith(f"tamga restore /var/lib/tamga/backups/{NAME}")


def test_a_restore_looks_at_the_key_and_the_other_secrets_first(
    docker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key that is missing or closed to the containers, another secret that is: each with its cure, nothing begun."""
    (docker / "docker-compose.yml").write_text("secrets:\n  backup_key: {file: ./secrets/backup_key}\n")
    folder = docker / "secrets"
    names = secret_files.wanted([])
    secret_files.complete(folder, names)
    (docker / "kept").touch()
    for spoilt, cure in (
        ("chmod 600 secrets/backup_key", "the containers can't read backup_key"),
        ("rm -f secrets/erlang_cookie", "Secrets: missing: erlang_cookie: make init"),
        ("rm -f secrets/backup_key", "secrets/backup_key is missing: put your copy of the key there"),
    ):
        subprocess.run(["sh", "-c", spoilt], cwd=docker, check=True)
        assert keeping.main(["restore", "--file", NAME], root=docker) == 1
        said = capsys.readouterr().err
        assert cure in said
    assert "chmod 444 secrets/backup_key" in said
    assert not (docker / "heard").exists()
