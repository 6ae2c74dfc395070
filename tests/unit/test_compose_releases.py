"""Which release may follow which, and how `.env` comes to name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.compose import environment, releases, upgrade
from deploy.compose.engine import Engine
from deploy.compose.facts import Facts

WELL = {"portal-api": "healthy", "prepare": "done"}


def facts(running: dict[str, str]) -> Facts:
    """Return a machine on which these containers are."""
    return Facts(engine=Engine("ready"), running=running)


@pytest.mark.parametrize(
    ("running", "here", "target", "words"),
    [
        (WELL, "0.1.0", "0.2.0", ""),
        (WELL, "0.9.0", "0.10.0", ""),
        (WELL, "0.1.0", "0.1.0-rc2", ""),
        (WELL, "0.10.0", "0.9.0", "0.10.0 runs and 0.9.0 is older"),
        (WELL, "", "0.1.0", "make init, then make up"),
        ({}, "0.1.0", "0.2.0", "`make up` starts 0.1.0"),
        (WELL | {"broker": "unhealthy"}, "0.1.0", "0.2.0", "broker unhealthy: mend what runs first"),
        (WELL | {"prepare": "ended with 1"}, "0.1.0", "0.2.0", "prepare ended with 1: mend"),
        (WELL | {"audit-api": "starting"}, "0.1.0", "0.2.0", "audit-api starting: mend"),
    ],
)
def test_a_release_follows_what_is_older_and_well(running: dict[str, str], here: str, target: str, words: str) -> None:
    """By numbers, not letters; nothing ill, nothing stopped, nothing newer is upgraded, and the sentence says which."""
    found = upgrade.refusal(facts(running), here, target)
    assert words in found
    assert bool(found) is bool(words)


SERVICES = [
    "audit-api",
    "audit-worker",
    "backup",
    "broker",
    "database",
    "grants-api",
    "grants-relay",
    "prepare",
    "proxy",
]


def test_who_reads_is_replaced_before_who_writes_and_back_in_the_other_order() -> None:
    """Servers first, either way; pages one service after the other; what only prepares is not replaced at all."""
    there = upgrade.waves(SERVICES)
    assert there == [
        ("Servers", [["database", "broker"]]),
        ("Workers", [["audit-worker"]]),
        ("Relays", [["grants-relay"]]),
        ("Pages", [["audit-api"], ["grants-api"]]),
        ("The rest", [["backup"], ["proxy"]]),
    ]
    assert upgrade.waves(SERVICES, back=True) == [there[0], *reversed(there[1:4]), there[4]]
    assert upgrade.waves(["audit-api"]) == [("Pages", [["audit-api"]])]


@pytest.mark.parametrize("back", [False, True])
def test_the_signer_is_there_before_those_who_ask_it(back: bool) -> None:
    """New workers and pages find the log's signer, in either direction."""
    order = [name for name, _ in upgrade.waves([*SERVICES, "signer"], back=back)]
    assert order[:2] == ["Servers", "Signer"]


def test_releases_between_can_be_left_out_unless_they_stop_using_something() -> None:
    """What is taken away must be unused by what runs; of several steps the furthest is named."""
    contracts = [
        {"service": "grants", "revision": "0006", "since": "0.2.0"},
        {"service": "loans", "revision": "0007", "since": "0.3.0"},
    ]
    assert upgrade.too_far(contracts, "0.3.0", "0.4.0") == ""
    assert upgrade.too_far([], "0.1.0", "0.4.0") == ""
    found = upgrade.too_far(contracts, "0.1.0", "0.4.0")
    assert "loans (version 0007)" in found
    assert found.endswith("upgrade to 0.3.0 first, then to 0.4.0.")


def test_images_follow_the_version_where_they_bear_it(tmp_path: Path) -> None:
    """Registries and ports in names stay; an image of another kind of version is not touched."""
    here = releases.Release(
        tmp_path,
        {
            "TAMGA_VERSION": "0.1.0",
            "TAMGA_APP_IMAGE": "registry.example.org:5000/tamga/app:0.1.0",
            "TAMGA_PROXY_IMAGE": "caddy:2.10.0",
            "TAMGA_GRAFANA_IMAGE": "grafana:10.1.0",
        },
    )
    assert releases.next_after(here, "0.2.0").values == {
        "TAMGA_VERSION": "0.2.0",
        "TAMGA_APP_IMAGE": "registry.example.org:5000/tamga/app:0.2.0",
        "TAMGA_PROXY_IMAGE": "caddy:2.10.0",
        "TAMGA_GRAFANA_IMAGE": "grafana:10.1.0",
    }
    with pytest.raises(
        releases.ReleaseError, match=r"TAMGA_APP_IMAGE=app@sha256:1 in \.env does not end with :0\.1\.0"
    ):
        releases.next_after(releases.Release(tmp_path, here.values | {"TAMGA_APP_IMAGE": "app@sha256:1"}), "0.2.0")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("# mine\nTAMGA_VERSION=0.1.0\nOTHER='a b'\n", "# mine\nTAMGA_VERSION=0.2.0\nOTHER='a b'\n"),
        ("export TAMGA_VERSION = 0.1.0 # now\nA=1", "TAMGA_VERSION=0.2.0\nA=1"),
        ("TAMGA_VERSION=1\nTAMGA_VERSION=2\n", "TAMGA_VERSION=0.2.0\nTAMGA_VERSION=0.2.0\n"),
        (
            "#TAMGA_VERSION=0.1.0\nTAMGA_VERSION_OLD=1\n",
            "#TAMGA_VERSION=0.1.0\nTAMGA_VERSION_OLD=1\nTAMGA_VERSION=0.2.0\n",
        ),
        ("", "\nTAMGA_VERSION=0.2.0\n"),
    ],
)
def test_the_environment_file_changes_in_nothing_else(text: str, after: str) -> None:
    """The line is replaced wherever it stands, or added; comments and other variables are as they were."""
    assert releases.replaced(text, {"TAMGA_VERSION": "0.2.0"}) == after
    assert environment.read(after)["TAMGA_VERSION"] == "0.2.0"


def test_what_is_no_release_is_none(tmp_path: Path) -> None:
    """A missing file, an empty one and one of something else: there is nothing to go back to."""
    folder = tmp_path / releases.FOLDER
    folder.mkdir()
    for content in ("", "{}", "nonsense"):
        (folder / releases.FORMER).write_text(content)
        assert releases.stored(tmp_path, releases.FORMER) is None
    assert releases.stored(tmp_path, releases.RUNNING) is None
