"""`make up` when something does not come up: what it says, how soon, and that Docker's own words stay out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.compose import up

DOCKER = """#!/bin/sh
case "$*" in
  "compose up"*) echo " Container house-loans-api-1  Starting"; cat {folder}/said
    [ -e {folder}/refuse ] && exit 1; exec sleep 3600 ;;
  "compose ps --all --quiet"*) echo 1f2e ;;
  "compose ps"*) cat {folder}/ps 2>/dev/null ;;
  "compose logs"*) echo "zoneinfo.ZoneInfoNotFoundError: 'No time zone found with key Skopje'" ;;
  inspect*) echo "no answer on 8400" ;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a Docker that says something and then waits."""
    (tmp_path / "docker").write_text(DOCKER.format(folder=tmp_path))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_a_part_that_others_wait_for_ends_the_waiting_and_is_named_with_its_last_line(
    docker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Docker would wait for an hour: it is ended, and what the check saw and the part said last is the sentence."""
    (docker / "said").write_text("dependency failed to start: container house-loans-api-1 is unhealthy\n")
    (docker / "ps").write_text('{"Service": "loans-api", "State": "running", "Health": "unhealthy"}')
    with pytest.raises(up.StartError) as refused:
        up.start(docker, 300)
    assert str(refused.value) == (
        "loans-api unhealthy: no answer on 8400; zoneinfo.ZoneInfoNotFoundError: 'No time zone found with key Skopje'"
        " (all of it: make logs s=loans-api)"
    )
    assert "Container" not in "".join(capfd.readouterr())


def test_dockers_own_refusal_is_passed_on_when_no_part_is_ill(docker: Path) -> None:
    """What it said last, without what moves a cursor, where there is no container to name."""
    (docker / "said").write_text("\x1b[2KError response from daemon: port is already allocated\n")
    (docker / "refuse").touch()
    with pytest.raises(up.StartError, match=r"^Error response from daemon: port is already allocated$"):
        up.start(docker, 300)
