"""The page in a proof bundle by which anybody checks it: in a real browser, from a file, without a network."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import Browser, Page, Route

from services.audit.domain.leaf import Row, row_of
from services.audit.domain.merkle import leaf_hash, prove_consistency, range_root, root_from
from services.audit.domain.note import Checkpoint, Signer
from services.audit.handlers.proof_bundle import others
from services.audit.offline import verify
from shared.events import Actor, Envelope
from shared.events.canonical import canonical
from shared.events.envelope import Body

PAGE = Path(verify.__file__).with_name("verify.html")
MORNING = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
SIGNER = Signer("log.example", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = Signer("log.example", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
SIZE, CHOSEN, OLD, SEALED = 21, (3, 4, 9, 17), 8, 19
WORDS = canonical({"data/team/0/name~1first": "Билjана", "actor/name": "'Ана"})
SALT = bytes(range(32))
LABEL = "Submitted the application"
Files = dict[str, bytes]


def stored(number: int) -> Row:
    """Return the `number`-th entry (counted from 0); its texts are what files and spreadsheets stumble over."""
    said: dict[str, Any] = {"title": f'=HYPERLINK("x") of "valley" {number}\u2028next\r\nline', "sum": "1200.50"}
    actor = Actor(id="user:ana", name=f"'Ana, Петрова {number}", role="applicant", organisation="=crafts")
    if number == SEALED:  # a name deep within, and the actor's, are not in the clear
        said |= {"team": [{"name/first": ""}]}
        actor = actor.model_copy(update={"name": ""})
    body = Body(data=said, actor=actor, changes={"stage": ["draft", "sent"]}, after_hash="ab" * 32, reason="@once")
    envelope = Envelope(
        id=UUID(int=number + 1),
        source="grants",
        type="grants.application.submitted",
        entity=f"application:BSO-2026-{number:04d}",
        sequence=1,
        position=number + 1,
        time=MORNING + timedelta(minutes=number),
        correlation_id=UUID(int=99),
        programme="business",
        case=None,
        body=body,
    )
    mark = hmac.new(SALT, WORDS, hashlib.sha256).hexdigest()
    seals = [{"cm": mark, "ct": "c2VhbGVk", "s": "subject"}] if number == SEALED else None
    return row_of(envelope, MORNING + timedelta(minutes=number, seconds=1), seals)


def cells(index: int, row: Row) -> dict[str, str]:
    """Return what events.csv says of an entry, neutralised as every table is."""
    body, leaf = json.loads(row.body), json.loads(row.leaf)
    if index == SEALED:
        body["actor"]["name"], body["data"]["team"][0]["name/first"] = "'Ана", "Билjана"
    known = {name: leaf[member] for name, member in verify.MEMBERS.items()}
    known |= {"index": index, "what": LABEL, "name": body["actor"]["name"], "reason": body["reason"]}
    known |= {name: json.dumps(body[name], ensure_ascii=False) for name in ("changes", "data")}
    texts = {name: "" if known[name] is None else str(known[name]) for name in verify.COLUMNS}
    return {name: f"'{text}" if text[:1] in {"=", "@"} else text for name, text in texts.items()}


def table(rows: list[dict[str, str]]) -> bytes:
    """Return events.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, verify.COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return ("\ufeff" + text.getvalue()).encode()


def signed(signer: Signer, size: int, hashes: list[bytes]) -> str:
    """Return the checkpoint of the first `size` leaves."""
    return signer.sign(Checkpoint(signer.name, size, root_from(hashes[:size])).text())


def bundle(chosen: tuple[int, ...] = CHOSEN, signer: Signer = SIGNER) -> Files:
    """Return the files of a bundle of some entries of a log of SIZE."""
    rows = [stored(number) for number in range(SIZE)]
    hashes = [leaf_hash(row.leaf) for row in rows]

    def node(height: int, index: int) -> bytes:
        return root_from(hashes[index << height : (index + 1) << height])

    assert range_root(0, SIZE, node) == root_from(hashes)
    entries: list[dict[str, Any]] = [{"index": i, "leaf": rows[i].leaf.decode(), "body": rows[i].body} for i in chosen]
    for entry in entries:
        if entry["index"] == SEALED:
            entry["opened"] = [{"s": "subject", "salt": SALT.hex(), "words": WORDS.decode()}]
    past = {
        "checkpoint": signed(signer, OLD, hashes),
        "proof": [item.hex() for item in prove_consistency(OLD, SIZE, node)],
    }
    files = {
        "leaves.jsonl": b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in entries),
        "events.csv": table([cells(i, rows[i]) for i in chosen]),
        "proof.txt": b"".join(item.hex().encode() + b"\n" for item in others(chosen, SIZE, node)),
        "checkpoint.txt": signed(signer, SIZE, hashes).encode(),
        "older.json": json.dumps([past]).encode(),
        "policy.txt": f"log {SIGNER.verifier.encode()}\nquorum none\n".encode(),
    }
    return sealed(files, len(chosen))


def sealed(files: Files, rows: int = len(CHOSEN)) -> Files:
    """Return the files with a manifest that fits them: whoever forges a bundle writes that anew as well."""
    files = {name: raw for name, raw in files.items() if name != "manifest.json"}
    facts = {
        "format": verify.FORMAT, "made_at": "2026-11-02T09:00:00+00:00", "exporter": "Vera", "purpose": "A <b>look</b>",
        "search": "", "rows": rows, "labels": {"grants.application.submitted": LABEL},
        "files": {name: {"sha256": hashlib.sha256(raw).hexdigest()} for name, raw in files.items()},
    }  # fmt: skip
    return files | {"manifest.json": json.dumps(facts).encode()}


def zipped(files: Files) -> bytes:
    """Return the zip, some of it compressed and some stored, written as a stream is."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text, zipfile.ZIP_STORED if name == "policy.txt" else None)
    return raw.getvalue()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give the page, opened from its file as by a double click, with a network that answers nobody."""
    context = browser.new_context(locale="en-GB")
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    context.route(lambda url: not url.startswith("file:"), refuse)
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.goto(PAGE.as_uri())
    yield opened
    context.close()
    assert not asked, "the page asked the network"
    assert not troubles


def shown(page: Page, files: Files | bytes) -> tuple[str, list[str], dict[str, str]]:
    """Give files to the page; returns the colour of its verdict, what it says is wrong, and the state of each claim."""
    raw = files if isinstance(files, bytes) else zipped(files)
    page.set_input_files("#file", {"name": "export.zip", "mimeType": "application/zip", "buffer": raw})
    page.wait_for_selector("#progress", state="hidden")
    page.wait_for_function("document.getElementById('verdict').textContent !== say('reading')")
    wrong = page.locator("#wrong li").all_inner_texts()
    rows = "rows => rows.map(row => [row.cells[0].textContent, row.cells[1].className])"
    claims = page.locator("#claims tr").evaluate_all(rows)
    return page.get_attribute("#verdict", "class") or "", [line.strip() for line in wrong], dict(claims)


def test_an_untouched_bundle_is_green_and_says_what_is_proven(page: Page) -> None:
    """What was recorded is green, claim by claim; what a filter can't prove stays open, and markup stays text."""
    state, wrong, claims = shown(page, bundle())
    assert (state, wrong) == ("good", [])
    proven = {"content", "order", "time", "history", "signer"}
    assert claims == dict.fromkeys(proven, "good") | {"completeness": "open"}
    assert page.locator("#about b").count() == 0


def test_a_range_without_holes_is_complete(page: Page) -> None:
    """Entries that follow each other in the log are shown to be all there are between the first and the last."""
    assert shown(page, bundle((5, 6, 7, 8)))[2]["completeness"] == "good"


def test_names_that_were_sealed_are_proven(page: Page) -> None:
    """A name that the log keeps sealed is shown with what proves it, wherever in the entry it stands."""
    files = bundle((2, SEALED))
    assert shown(page, files)[:2] == ("good", [])
    page.reload()
    other = sealed(files | {"events.csv": files["events.csv"].replace("Билjана".encode(), b"Somebody")}, rows=2)
    assert "events.csv, row 3: data was changed" in shown(page, other)[1]


def test_a_signature_with_one_bit_turned_is_red(page: Page) -> None:
    """The page checks signatures by itself, without anything that only some browsers have."""
    files = bundle()
    state, wrong, _ = shown(page, sealed(files | {"checkpoint.txt": spoiled(files["checkpoint.txt"])}))
    assert (state, wrong) == ("bad", ["the signature of the checkpoint is not of this key"])


def spoiled(note: bytes) -> bytes:
    """Return a checkpoint with one bit of its signature turned."""
    text, _, line = note.decode().rstrip("\n").rpartition(" ")
    raw = bytearray(base64.b64decode(line))
    raw[40] ^= 1
    return f"{text} {base64.b64encode(raw).decode()}\n".encode()


def changed_cell(files: Files) -> Files:
    """Let somebody else have done it."""
    return files | {"events.csv": files["events.csv"].replace(b"applicant", b"officer", 1)}


def changed_leaf(files: Files) -> Files:
    """Change an entry everywhere that it stands."""
    lines = (
        files["leaves.jsonl"].replace(b"user:ana", b"user:eva"),
        files["events.csv"].replace(b"user:ana", b"user:eva"),
    )
    return files | dict(zip(("leaves.jsonl", "events.csv"), lines, strict=True))


def deleted_row(files: Files) -> Files:
    """Leave an entry out, of both files."""
    kept = list(csv.DictReader(io.StringIO(files["events.csv"].decode("utf-8-sig"))))
    leaves = b"".join(files["leaves.jsonl"].splitlines(keepends=True)[1:])
    return files | {"leaves.jsonl": leaves, "events.csv": table(kept[1:])}


def swapped_rows(files: Files) -> Files:
    """Tell the entries in another order."""
    rows = list(csv.DictReader(io.StringIO(files["events.csv"].decode("utf-8-sig"))))
    return files | {"events.csv": table([rows[1], rows[0], *rows[2:]])}


def added_row(files: Files) -> Files:
    """Slip a row in."""
    rows = list(csv.DictReader(io.StringIO(files["events.csv"].decode("utf-8-sig"))))
    return files | {"events.csv": table([*rows, rows[-1] | {"index": "20"}])}


def shortened_proof(files: Files) -> Files:
    """Cut the last hash off the proof."""
    return files | {"proof.txt": b"".join(files["proof.txt"].splitlines(keepends=True)[:-1])}


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (changed_cell, "events.csv, row 2: role was changed"),
        (changed_leaf, "leaves.jsonl, line 1: body was changed"),
        (deleted_row, "the manifest says"),
        (swapped_rows, "events.csv, row 3: is not in its order"),
        (added_row, "events.csv, row 6: there is no such entry"),
        (shortened_proof, "the proof is not complete"),
    ],
)
def test_what_was_changed_is_red_and_named(page: Page, tamper: Callable[[Files], Files], told: str) -> None:
    """A change turns the page red and is named by file, row and field, though the manifest was written anew."""
    state, wrong, claims = shown(page, sealed(tamper(bundle())))
    assert state == "bad"
    assert any(words in line for line in wrong for words in told.split("|")), wrong
    assert "good" not in claims.values()


def test_another_key_is_red(page: Page) -> None:
    """A whole log made anew under another key is not the one that the policy, or the auditor's own key, names."""
    forged = bundle(signer=OTHER)
    assert shown(page, forged)[:2] == ("bad", ["the signature of the checkpoint is not of this key"])
    page.reload()
    page.fill("#vkey", SIGNER.verifier.encode())
    assert shown(page, sealed(forged | {"policy.txt": f"log {OTHER.verifier.encode()}\n".encode()}))[0] == "bad"


def test_a_kept_checkpoint_of_another_history_is_red(page: Page) -> None:
    """An auditor who kept a checkpoint sees that history was rewritten, whoever signed it since."""
    page.fill("#kept", signed(SIGNER, OLD, [leaf_hash(bytes([n])) for n in range(OLD)]))
    state, wrong, _ = shown(page, bundle())
    assert (state, wrong) == ("bad", ["the checkpoint that you kept is of another log: history was rewritten"])


def test_what_is_no_bundle_is_neither_green_nor_red(page: Page) -> None:
    """Something else than a bundle is said to be that."""
    assert shown(page, b"no zip at all")[0] == "none"
    assert "could not be checked" in page.inner_text("#verdict")


def test_it_speaks_russian_and_fits_a_telephone(page: Page) -> None:
    """The verdict is read in Russian by one click, and nothing is wider than a narrow screen."""
    page.set_viewport_size({"width": 360, "height": 700})
    shown(page, sealed(changed_cell(bundle())))
    page.click("#language")
    assert "Красное" in page.inner_text("#verdict")
    assert "изменено поле role" in page.inner_text("#wrong")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_command_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """verify.py, beside the page, finds the same bundle sound and the same cell changed."""
    file = tmp_path / "export.zip"
    said: dict[int, Any] = {}
    for files in (bundle(), sealed(changed_cell(bundle()))):
        file.write_bytes(zipped(files))
        code = verify.main([str(file), "--json"])
        said[code] = json.loads(capsys.readouterr().out)["wrong"]
    assert said == {0: [], 1: ["events.csv, row 2: role was changed"]}
