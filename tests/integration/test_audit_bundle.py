"""Exports of the log: all that a search shows and nothing else, harmless to open, and proven to whoever gets them."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from audit_files import Files, forged, rows_of, sheet, table_of
from audit_log import ANA, GORAN, MORNING, act, body
from sqlalchemy import Engine, select

from services.audit.asking import parse
from services.audit.domain.export import Export
from services.audit.domain.merkle import leaf_hash, root_from
from services.audit.domain.note import Checkpoint, Signer
from services.audit.handlers import erasure, exporting, ingest
from services.audit.handlers.erasure import House
from services.audit.handlers.signing import sign_checkpoint
from services.audit.keys import Keys
from services.audit.offline import verify
from services.audit.query import filters_of
from services.audit.storage import exports, scan, search, tables
from shared.database import Context, UnitOfWork
from shared.errors import InvalidError
from shared.events import Actor, Envelope
from shared.messaging.wire import Raw, encode
from shared.settings import Settings
from shared.testing.stand import Stand
from shared.testing.web import web_settings

MILA, TOME = (Actor(id=f"user:{uuid4()}", name=name, role="auditor") for name in ("Mila Stojan", "Tome Delev"))
BILJANA = Actor(id=f"user:{uuid4()}", name="Biljana Kostova", role="applicant", organisation="chamber-of-crafts")
LATER = MORNING + timedelta(days=365 * 12)
EVIL = '=HYPERLINK("http://evil.example","Press here")'
OTHER = "grants.application.saved"
MANY = 1_150


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give an empty log."""
    return stand.database("audit")


@pytest.fixture
def known(tmp_path: Path) -> Settings:
    """Give the settings of an installation with keys of its own."""
    return web_settings(home=tmp_path)


def told(engine: Engine, known: Settings, events: Iterable[Envelope]) -> None:
    """Ingest events with the keys of their people, as the worker does."""
    raws = [encode(event) for event in events]
    with engine.begin() as connection:
        batch = [Raw(raw.headers, raw.body, raw.routing_key, None, raw.message_id) for raw in raws]
        ingest(connection, batch, subjects=House.of(known).subjects)


def exported(engine: Engine, known: Settings, format_: str, query: str = "") -> tuple[Export, Path]:
    """Return an export that Mila asked for, made, and its file."""
    context = Context(actor=MILA)
    with UnitOfWork(engine, "audit", context, clock=lambda: LATER) as uow:
        asked = exporting.ask(uow, known, search=query, format_=format_, purpose="Yearly audit", locale="en")
    item = exporting.make(engine, known, asked.id, context, clock=lambda: LATER)
    return item, exporting.Files(known).path(item)


def bundle(engine: Engine, known: Settings, query: str = "") -> Files:
    """Return the files of a proof bundle."""
    item, path = exported(engine, known, "bundle", query)
    assert item.stage == "ready", item.problem
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def checked(files: Files, folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Give a bundle to the verify.py that is in it, in a Python that knows nothing of ours; returns what it says."""
    program, file = folder / "verify.py", folder / "bundle.zip"
    program.write_bytes(files.get("verify.py") or Path(verify.__file__).read_bytes())
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    command = [sys.executable, "-I", "-S", str(program), str(file), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=folder)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"said": done.stderr}


def ana(number: int, **data: Any) -> Envelope:
    """Return an act of Ana's."""
    return act(number, body=body(ANA, **({"title": f"Crafts {number}"} | data)))


@pytest.fixture
def many(engine: Engine, known: Settings) -> list[int]:
    """Give a log of more than a thousand matches with other acts between; returns the matches' leaves, oldest first."""
    told(engine, known, [act(n, type=OTHER) if n % 7 == 0 else ana(n) for n in range(1, MANY * 7 // 6 + 10)])
    with engine.connect() as connection:
        filters = filters_of(parse("kind:grants.application.submitted"), known, LATER)
        shown = search.search(connection, filters, before=None, limit=10 * MANY)
    assert len(shown) > 1000
    return [row.leaf_index for row in shown][::-1]


def test_t18_an_export_has_every_row_of_the_search_and_no_other(
    engine: Engine, known: Settings, many: list[int]
) -> None:
    """T18: each format has exactly what the search shows, beyond a thousand rows, and its record says how many."""
    query = "kind:grants.application.submitted"
    found: dict[str, list[int]] = {}
    for format_ in ("csv", "jsonl", "xlsx", "bundle"):
        item, path = exported(engine, known, format_, query)
        assert (item.stage, item.rows, item.problem) == ("ready", len(many), "")
        assert item.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        found[format_] = leaves(format_, path)
    assert found == dict.fromkeys(found, many)


def leaves(format_: str, path: Path) -> list[int]:
    """Return the leaf indexes in an export's file, in its order."""
    if format_ == "jsonl":
        return [json.loads(line)["index"] for line in path.read_text().split("\n") if line]
    if format_ == "xlsx":
        cells = [row for row in sheet(path)[0] if len(row) >= len(verify.COLUMNS) - 4]
        return [int(float(row[0])) for row in cells if row[0].replace(".", "").isdigit()]
    if format_ == "bundle":
        with zipfile.ZipFile(path) as archive:
            return [int(row["index"]) for row in rows_of(archive.read("events.csv"))]
    return [int(next(iter(row.values()))) for row in rows_of(path.read_bytes())]


def test_t18_what_does_not_fit_on_paper_is_refused_and_not_cut(
    engine: Engine, known: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T18: an export on paper with more entries than it may have says so and leaves no file with a part of them."""
    told(engine, known, [ana(n) for n in range(1, 8)])
    monkeypatch.setattr(exporting, "PRINTED", 7)
    item, path = exported(engine, known, "pdf")
    assert (item.stage, item.rows, path.read_bytes()[:5]) == ("ready", 7, b"%PDF-")
    monkeypatch.setattr(exporting, "PRINTED", 6)
    item, path = exported(engine, known, "pdf")
    assert (item.stage, path.exists()) == ("failed", False)
    assert "6" in item.problem


def test_t19_no_cell_of_an_export_is_a_formula(engine: Engine, known: Settings) -> None:
    """T19: what somebody wrote to be calculated by a spreadsheet opens as text; JSON has it as it was written."""
    writer = Actor(id="user:eve", name=EVIL, role="officer", organisation="@SUM(A1)")
    told(engine, known, [act(n, body=body(writer, title=start + "1+1")) for n, start in enumerate("=+-@\t\r", 1)])
    _, path = exported(engine, known, "csv")
    texts = [cell for row in rows_of(path.read_bytes()) for cell in row.values()]
    assert f"'{EVIL}" in texts
    assert not [text for text in texts if text.startswith(("=", "+", "-", "@", "\t", "\r"))]
    _, path = exported(engine, known, "xlsx")
    cells, formulas = sheet(path)
    assert formulas == 0
    assert f"'{EVIL}" in {text for row in cells for text in row}
    assert not [text for row in cells for text in row if text.startswith(("=", "+", "-", "@", "\t", "\r"))]
    _, path = exported(engine, known, "jsonl")
    assert {json.loads(line)["name"] for line in path.read_text().splitlines()} == {EVIL}


def test_an_export_states_its_purpose(engine: Engine, known: Settings) -> None:
    """Nobody takes entries out without saying what for: the refusal names the field, and nothing is recorded."""
    told(engine, known, [ana(1)])
    with (
        pytest.raises(InvalidError) as refused,
        UnitOfWork(engine, "audit", Context(actor=MILA), clock=lambda: LATER) as uow,
    ):
        exporting.ask(uow, known, search="", format_="csv", purpose="  ", locale="en")
    assert list(refused.value.fields) == ["purpose"]
    with engine.connect() as connection:
        assert connection.execute(select(tables.exports.c.id)).all() == []


def test_a_bundle_is_proven_by_the_program_in_it(engine: Engine, known: Settings, tmp_path: Path) -> None:
    """A bundle of a search, over several checkpoints, is green by the key that the auditor has; the rest stays open."""
    told(engine, known, [ana(n) for n in range(1, 9)])
    with engine.begin() as connection:
        kept = sign_checkpoint(connection, Keys.of(known))
    told(engine, known, [act(9, type=OTHER), ana(10), ana(11)])
    files = bundle(engine, known, "kind:grants.application.submitted")
    assert kept is not None
    (tmp_path / "kept.txt").write_text(kept.note)
    key = Keys.of(known).verifier.encode()
    code, said = checked(files, tmp_path, "--vkey", key, "--checkpoint", str(tmp_path / "kept.txt"))
    assert (code, said["wrong"]) == (0, [])
    states = {claim["what"]: claim["proven"] for claim in said["claims"]}
    proven = ("content", "order", "time", "history", "signer")
    assert states == dict.fromkeys(proven, True) | {"completeness": None}
    history = next(claim["words"] for claim in said["claims"] if claim["what"] == "history")
    assert "yours is one of them" in history
    assert json.loads(files["manifest.json"])["purpose"] == "Yearly audit"


def test_texts_that_trip_readers_are_proven_all_the_same(engine: Engine, known: Settings, tmp_path: Path) -> None:
    """Line separators of Unicode, quotes, formulas and names that begin with an apostrophe are no tampering."""
    odd = Actor(id="user:abd", name="'Abd al-Rahman", role="=officer", organisation='a,"b"\r\nc')
    texts = ["one\u2028two\u2029three\u0085four", EVIL, "'quoted'", "a\x1cb", "\ufeffmark", "Шамшагул 🌾"]
    told(engine, known, [act(n, body=body(odd, title=text)) for n, text in enumerate(texts, 1)])
    code, said = checked(bundle(engine, known), tmp_path)
    assert (code, said.get("wrong")) == (0, [])


def test_people_are_proven_while_they_can_be_read_and_after(engine: Engine, known: Settings, tmp_path: Path) -> None:
    """Sealed names are opened in a bundle with proof; of somebody erased there is nothing, and it still verifies."""
    told(engine, known, [registered(), act(1, body=body(BILJANA, title="Crafts"))])
    before = bundle(engine, known)
    assert BILJANA.name.encode() in before["events.csv"]
    assert checked(before, tmp_path)[0] == 0
    renamed = before["events.csv"].replace(BILJANA.name.encode(), b"Somebody Else")
    code, said = checked(forged(before | {"events.csv": renamed}), tmp_path)
    assert code == 1
    assert any("name was changed" in place for place in said["wrong"])
    erase(engine, House.of(known))
    after = bundle(engine, known)
    assert not [name for name, raw in after.items() if b"Biljana" in raw or b"biljana@" in raw]
    assert checked(after, tmp_path)[:1] == (0,)


def registered() -> Envelope:
    """Return the event by which the portal says who Biljana is."""
    user = BILJANA.id.removeprefix("user:")
    data = {"user_id": user, "name": BILJANA.name, "email": "biljana@crafts.example", "locale": "en"}
    return act(
        1,
        source="portal",
        type="portal.user.registered",
        entity=BILJANA.id,
        case=None,
        programme=None,
        body=body(GORAN, changes={}, **data, roles=["applicant"]),
    )


def erase(engine: Engine, house: House) -> None:
    """Have Biljana erased by two people."""
    subject = erasure.find(house, BILJANA.id.removeprefix("user:"))
    with UnitOfWork(engine, "audit", Context(actor=MILA), clock=lambda: LATER) as uow:
        erasure.request(uow, house, subject, "She asked for it")
    with UnitOfWork(engine, "audit", Context(actor=TOME), clock=lambda: LATER) as uow:
        erasure.confirm(uow, house, subject)


def changed_cell(files: Files) -> Files:
    """Change one cell of the table."""
    return files | {"events.csv": files["events.csv"].replace(b"applicant", b"officer", 1)}


def deleted_row(files: Files) -> Files:
    """Take a row out of the table."""
    return files | {"events.csv": table_of(rows_of(files["events.csv"])[1:])}


def deleted_entry(files: Files) -> Files:
    """Take an entry out of everything, and let the manifest count one less."""
    rest = b"".join(files["leaves.jsonl"].splitlines(keepends=True)[1:])
    facts = json.loads(files["manifest.json"])
    facts["rows"] -= 1
    return deleted_row(files) | {"leaves.jsonl": rest, "manifest.json": json.dumps(facts).encode()}


def added_row(files: Files) -> Files:
    """Slip in an act that never was."""
    rows = rows_of(files["events.csv"])
    return files | {"events.csv": table_of([*rows, rows[-1] | {"index": "77"}])}


def other_order(files: Files) -> Files:
    """Tell two entries the other way round."""
    rows = rows_of(files["events.csv"])
    return files | {"events.csv": table_of([rows[1], rows[0], *rows[2:]])}


def other_entry(files: Files) -> Files:
    """Forge an entry with a body and a leaf that fit each other."""
    lines = files["leaves.jsonl"].decode().rstrip("\n").split("\n")
    entry = json.loads(lines[0])
    old = hashlib.sha256(entry["body"].encode()).hexdigest()
    entry["body"] = entry["body"].replace("Crafts", "Drafts")
    entry["leaf"] = entry["leaf"].replace(old, hashlib.sha256(entry["body"].encode()).hexdigest())
    lines[0] = json.dumps(entry, ensure_ascii=False)
    table = files["events.csv"].replace(b"Crafts", b"Drafts", 1)
    return files | {"leaves.jsonl": ("\n".join(lines) + "\n").encode(), "events.csv": table}


def short_proof(files: Files) -> Files:
    """Cut a hash off the proof."""
    return files | {"proof.txt": b"".join(files["proof.txt"].splitlines(keepends=True)[:-1])}


def turned_signature(files: Files) -> Files:
    """Turn one bit of the signature."""
    text, _, last = files["checkpoint.txt"].decode().rstrip("\n").rpartition(" ")
    raw = bytearray(base64.b64decode(last))
    raw[40] ^= 1
    return files | {"checkpoint.txt": f"{text} {base64.b64encode(raw).decode()}\n".encode()}


@pytest.mark.parametrize(
    ("tamper", "place"),
    [
        (changed_cell, "events.csv, row 2: role was changed"),
        (deleted_row, "events.csv has 5 rows, leaves.jsonl 6"),
        (deleted_entry, "proof"),
        (added_row, "events.csv, row 8: there is no such entry"),
        (other_order, "events.csv, row 3: is not in its order"),
        (other_entry, "the entries do not lead to the root that was signed"),
        (short_proof, "proof.txt is too short"),
        (turned_signature, "the signature of the checkpoint is not of this key"),
    ],
)
def test_whatever_is_changed_is_found(
    engine: Engine, known: Settings, tmp_path: Path, tamper: Callable[[Files], Files], place: str
) -> None:
    """A bundle in which anything was changed is red and says where, though its manifest was written anew."""
    told(engine, known, [act(n, type=OTHER) if n == 4 else ana(n) for n in range(1, 8)])
    files = bundle(engine, known, "kind:grants.application.submitted")
    assert checked(files, tmp_path)[0] == 0
    code, said = checked(forged(tamper(files)), tmp_path)
    assert code == 1
    assert any(place in words for words in said["wrong"]), said["wrong"]
    code, said = checked(tamper(files), tmp_path)
    assert any("was changed after the export" in words for words in said["wrong"])


def test_a_log_made_anew_under_another_key_is_found(engine: Engine, known: Settings, tmp_path: Path) -> None:
    """Whoever rewrites a log and signs it with a key of the same name is found by the key that the auditor has."""
    told(engine, known, [ana(n) for n in range(1, 4)])
    files, own = bundle(engine, known), Keys.of(known).own_signer()
    other = Signer(own.name, Keys.of(web_settings(home=tmp_path / "other")).own_signer().key)
    hashes = [leaf_hash(json.loads(line)["leaf"].encode()) for line in files["leaves.jsonl"].splitlines()]
    note = other.sign(Checkpoint(other.name, len(hashes), root_from(hashes)).text())
    policy = f"log {other.verifier.encode()}\nquorum none\n"
    rewritten = forged(files | {"checkpoint.txt": note.encode(), "policy.txt": policy.encode()})
    assert checked(rewritten, tmp_path, "--vkey", own.verifier.encode())[0] == 1
    (tmp_path / "kept.txt").write_text(files["checkpoint.txt"].decode())
    assert checked(rewritten, tmp_path, "--checkpoint", str(tmp_path / "kept.txt"))[0] == 1


def test_what_is_no_bundle_is_not_told(tmp_path: Path) -> None:
    """Something that is no bundle is neither sound nor changed: exit code 2."""
    assert checked({"manifest.json": b"{}"}, tmp_path)[0] == 2


@pytest.mark.timeout(300)
def test_an_export_takes_the_same_memory_however_long(
    engine: Engine, known: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as many rows take no more memory: rows go from the database into the file as they come."""
    for module, name in ((scan, "BATCH"), (exports, "CHUNK")):
        monkeypatch.setattr(module, name, 100)  # rows that come at a time: few, so that few show it

    def peak(format_: str) -> int:
        tracemalloc.start()
        item, _ = exported(engine, known, format_)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert item.stage == "ready"
        return most

    def add(first: int) -> None:
        told(engine, known, [ana(n) for n in range(first, first + 800)])

    formats = ("csv", "xlsx", "bundle")
    add(1)
    exported(engine, known, "csv")  # what is made once and kept
    few = {format_: peak(format_) for format_ in formats}
    add(801)
    grown = {format_: peak(format_) - few[format_] for format_ in formats}
    # The indexes of a bundle's entries are kept: eight bytes each. All rows would be more than a megabyte.
    assert all(more < 400_000 for more in grown.values()), (few, grown)
