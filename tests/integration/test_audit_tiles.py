"""The published log: its tiles are checked by a program that shares nothing with ours, its proofs by rule."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from audit_log import act, take_in
from fastapi import FastAPI
from sqlalchemy import Engine, text
from tlog_scales import signing, tiles
from tlog_scales.reader import TilesReader
from tlog_scales.tlog import Checkpoint

from services.audit.application import create_app
from services.audit.handlers.signing import sign_checkpoint
from services.audit.keys import Keys
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

SIZE = 700  # two whole tiles, and a part of a third
KEPT = 300


class Partner:
    """What the independent reader asks for the log's files: GET over the API, nothing else."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def get(self, *path: str) -> bytes | None:
        answer = self.browser.get("/tlog/" + "/".join(path))
        return answer.content if answer.status_code == 200 else None


@pytest.fixture(scope="module")
def written(stand: Stand) -> Engine:
    """Give a log in several batches, which no test may touch."""
    engine = stand.database("audit")
    for start, end in ((1, KEPT + 1), (KEPT + 1, SIZE + 1)):
        take_in(engine, [act(n) for n in range(start, end)])
    return engine


@pytest.fixture
def engine(stand: Stand, written: Engine) -> Engine:
    """Give a copy of that log, to do anything to."""
    return stand.copy(written, "audit")


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> FastAPI:
    """Give the app over that log, signed."""
    settings = web_settings(home=tmp_path)
    with engine.begin() as connection:
        sign_checkpoint(connection, Keys.of(settings))
    return create_app(settings, engine=engine, key=KEY)


def checked(app: FastAPI, reader: TilesReader) -> Checkpoint:
    """Return the checkpoint, after the other program found its signature to be the log's key's."""
    checkpoint = reader.get_checkpoint()
    verifier = Keys.of(app.state.settings).verifier
    [found] = signing.VkeySet(signing.Vkey.from_string(verifier.encode())).verify(checkpoint.signatures, checkpoint)
    assert found[0].name == verifier.name
    return checkpoint


def test_another_program_verifies_the_published_log(app: FastAPI) -> None:
    """From the tiles alone an independent reader comes to the signed root, and every proof it makes there holds."""
    reader = TilesReader(Partner(Browser(app, person("finance_partner"))))
    checkpoint = checked(app, reader)
    assert (checkpoint.size, reader.calculate_root_hash()) == (SIZE, checkpoint.root_hash)
    reader.get_consistency_proof(KEPT, SIZE).check(reader.mth(0, KEPT), checkpoint.root_hash)


def test_another_program_verifies_every_entry_for_an_auditor(app: FastAPI) -> None:
    """The bundles of entries have the leaves that the tiles have the hashes of, first to last."""
    reader = TilesReader(Partner(Browser(app, person("auditor"))))
    checkpoint = checked(app, reader)
    for index in (0, 255, 256, 511, 512, SIZE - 1):
        leaf = reader.get_entry(index)
        reader.get_inclusion_proof(index, SIZE).check(tiles.leaf_hash(leaf), checkpoint.root_hash)


def test_the_proofs_that_we_give_hold_for_another_program(app: FastAPI) -> None:
    """A consistency proof of the API is the very one that an independent reader makes out of the tiles."""
    browser = Browser(app, person("finance_partner"))
    reader = TilesReader(Partner(browser))
    reader.get_checkpoint()
    for old, new in ((1, SIZE), (256, 512), (KEPT, SIZE), (SIZE, SIZE), (511, 699)):
        told = browser.json("GET", f"/api/consistency?from={old}&to={new}").json()
        theirs = reader.get_consistency_proof(old, new)
        assert [bytes.fromhex(item) for item in told["path"]] == theirs.node_hashes, (old, new)
        assert bytes.fromhex(told["from_root"]) == reader.mth(0, old)
        assert bytes.fromhex(told["to_root"]) == reader.mth(0, new)
        assert (told["checkpoint"] is not None) is (new == SIZE)


def test_without_an_end_the_proof_leads_to_the_newest_checkpoint(app: FastAPI) -> None:
    """A partner who has one old size alone gets the proof up to what is signed, with the signature."""
    told = Browser(app, person("finance_partner")).json("GET", f"/api/consistency?from={KEPT}").json()
    assert told["to"] == SIZE
    assert told["checkpoint"].split("\n")[1] == str(SIZE)


@pytest.mark.parametrize(
    ("asked", "field", "rule"),
    [
        ("from=0", "from", "at least 1"),
        ("from=-3", "from", "at least 1"),
        ("from=2&to=1", "from", "at most 1"),
        (f"from=1&to={SIZE + 1}", "to", f"at most {SIZE}"),
        (f"from={SIZE + 1}", "from", f"at most {SIZE}"),
        ("from=x", "from", ""),
        ("from=1&to=1e3", "to", ""),
        ("from=9223372036854775808", "from", ""),
        ("", "from", ""),
    ],
)
@pytest.mark.english
def test_sizes_that_no_proof_is_about_name_the_field(app: FastAPI, asked: str, field: str, rule: str) -> None:
    """Every wrong size is refused with the field and the rule that it breaks."""
    answer = Browser(app, person("auditor")).json("GET", f"/api/consistency?{asked}")
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert rule in error["rule"]


@pytest.mark.english
def test_a_tile_that_is_none_is_refused_and_one_to_come_is_not_found(app: FastAPI) -> None:
    """A malformed name is told from a tile that the log has not grown to."""
    browser = Browser(app, person("auditor"))
    wrong = browser.json("GET", "/tlog/tile/0/1")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "path")
    for path in ("0/002", "0/002.p/189", "1/000", "1/000.p/3", "2/000.p/1", "entries/002.p/189"):
        assert browser.json("GET", f"/tlog/tile/{path}").status_code == 404, path
    for path, count in (("0/002.p/188", 188), ("0/001", 256), ("0/001.p/9", 9), ("1/000.p/2", 2)):
        answer = browser.json("GET", f"/tlog/tile/{path}")
        assert (answer.status_code, len(answer.content)) == (200, 32 * count), path
        assert "immutable" in answer.headers["cache-control"]


def test_hashes_are_for_everybody_who_signed_in_and_entries_for_auditors(app: FastAPI) -> None:
    """A bank's person, an applicant and an officer check the log; what stands in it, only an auditor reads."""
    for role in ("applicant", "officer", "finance_partner", "auditor"):
        browser = Browser(app, person(role))
        for path in ("/tlog/checkpoint", "/tlog/tile/0/000", "/api/consistency?from=1"):
            assert browser.json("GET", path).status_code == 200, (role, path)
        entries = browser.json("GET", "/tlog/tile/entries/000")
        assert entries.status_code == (200 if role == "auditor" else 403)
    stranger = Browser(app, None)
    for path in ("/tlog/checkpoint", "/tlog/tile/0/000", "/tlog/tile/entries/000", "/api/consistency?from=1"):
        assert stranger.json("GET", path).status_code == 401, path


def test_a_programs_key_for_the_log_reads_hashes_and_nothing_else(app: FastAPI) -> None:
    """A key that is limited to the log checks it, whoever made it, and opens no entry."""
    browser = Browser(app, person("auditor", scopes=("log:read",)))
    assert browser.json("GET", "/tlog/checkpoint").status_code == 200
    assert browser.json("GET", "/tlog/tile/entries/000").status_code == 403
    assert browser.json("GET", "/api/search").status_code == 403


def test_tiles_tell_nothing_but_hashes(app: FastAPI, engine: Engine) -> None:
    """A tile is the hashes of the stored leaves one after another: no name, no amount, no id."""
    content = Browser(app, person("applicant")).json("GET", "/tlog/tile/0/000").content
    with engine.connect() as connection:
        query = "SELECT leaf_hash FROM event WHERE leaf_index < 256 ORDER BY leaf_index"
        stored = [bytes(item) for item in connection.execute(text(query)).scalars()]
    assert content == b"".join(stored)
    bundle = Browser(app, person("auditor")).json("GET", "/tlog/tile/entries/000").content
    length = int.from_bytes(bundle[:2])
    assert hashlib.sha256(b"\0" + bundle[2 : 2 + length]).digest() == stored[0]


def test_a_log_that_was_cut_says_so_instead_of_giving_half_of_it(app: FastAPI, engine: Engine, stand: Stand) -> None:
    """A deleted tile and a deleted row are refused as what the log can't prove, and are no server error."""
    with stand.superuser(engine).begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("DELETE FROM tile WHERE level = 0 AND number = 0"))
        connection.execute(text("DELETE FROM event WHERE leaf_index = 600"))
    browser = Browser(app, person("auditor"))
    for path in ("tlog/tile/0/000", "tlog/tile/0/002.p/188", "tlog/tile/entries/002.p/188", "api/consistency?from=9"):
        answer = browser.json("GET", f"/{path}")
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "unprovable"), path


def test_before_anything_is_signed_there_is_nothing_to_check(stand: Stand, tmp_path: Path) -> None:
    """A new house says that nothing has been signed yet."""
    app = create_app(web_settings(home=tmp_path), engine=stand.database("audit"), key=KEY)
    browser = Browser(app, person("auditor"))
    assert browser.json("GET", "/tlog/checkpoint").status_code == 404
    assert browser.json("GET", "/api/consistency?from=1").status_code == 404
    assert browser.json("GET", "/tlog/tile/0/000.p/1").status_code == 404
