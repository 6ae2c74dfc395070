"""The dossier of a case: whole, checkable file by file, and no more than its asker may see."""

from __future__ import annotations

import hashlib
import io
import json
import tracemalloc
import zipfile
from typing import Any

import pytest
from grants_world import PDF, Case, Person, World
from sqlalchemy import text

from services.grants.handlers.dossier import Dossier, pack
from shared.testing.clock import MONDAY
from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def unpacked(person: Person, case: Case) -> tuple[dict[str, bytes], Any]:
    """Ask for the dossier, check every line of SHA256SUMS, and return its files and its manifest."""
    answer = person.request("POST", f"/api{case.path}/dossier")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    sums = dict(reversed(line.split("  ", 1)) for line in files["SHA256SUMS"].decode().splitlines())
    assert {name: hashlib.sha256(files[name]).hexdigest() for name in sums} == sums
    assert files.keys() - sums.keys() == {"SHA256SUMS"}
    return files, json.loads(files["manifest.json"])


@pytest.mark.english
def test_a_dossier_is_whole_and_the_asking_is_on_record(world: World) -> None:
    """Every part is there, every hash is right, and the record has the manifest's own hash beside who asked."""
    case = Case(world).in_review("reviewer_one", "reviewer_two")
    case.declare("reviewer_one", conflict=True, nature="My cousin works there")
    files, manifest = unpacked(world.officer, case)
    assert manifest["asked_by"] == "Goran Ristov"
    assert manifest["left_out"] == []
    assert PDF in files.values()
    assert b"My cousin" in files["conflicts-of-interest.json"]
    assert b"operators" in files["answers/version-1.json"]
    assert b"Declared" in files["index.html"] or b"Conflict of interest declared" in files["index.html"]
    digest = hashlib.sha256(files["manifest.json"]).hexdigest()
    with world.engine.connect() as connection:
        query = text(
            "SELECT body->'data'->>'what' FROM outbox WHERE type = 'grants.record.viewed' ORDER BY row DESC LIMIT 1"
        )
        assert connection.execute(query).scalar_one() == f"dossier {digest}"


def test_a_dossier_has_what_its_asker_may_see(world: World) -> None:
    """Finance gets no reviews, the applicant nothing of the programme's own, a stranger nothing at all."""
    case = Case(world).submitted()
    world.officer.api("POST", f"{case.path}/notes", text="Between us", audience="staff")
    files, manifest = unpacked(world.finance, case)
    assert "reviews.json" not in files
    assert manifest["left_out"] == ["Reviews: they are not for your role"]
    files, manifest = unpacked(world.applicant, case)
    assert not any(b"Between us" in content for content in files.values())
    assert {"tasks.json", "decisions.json", "reviews.json"} & files.keys() == set()
    assert world.msme.request("POST", f"/api{case.path}/dossier").status_code == 404
    assert world.reviewer_one.request("POST", f"/api{case.path}/dossier").status_code == 403


def test_the_archive_is_made_with_flat_memory() -> None:
    """Forty documents of a megabyte each are sent while hardly more than one of them is in memory."""
    big = bytes(range(256)) * 4096
    files = {f"documents/{number}": (str(number), len(big)) for number in range(40)}
    tracemalloc.start()
    sent = sum(len(piece) for piece in pack(Dossier("BSO-1", MONDAY, {}, files), lambda _: bytes(big)))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sent > 0
    assert most < 4 * len(big)
