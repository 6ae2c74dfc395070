"""`tamga merkle` and `tamga note`: published vectors by way of the command line, and what is malformed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.audit.merkle_cli import merkle, note

LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
# The tree of RFC 6962's own examples, as the implementations of the transparency community test it.
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
INCLUSION: dict[str, Any] = {
    "index": 5,
    "size": 8,
    "leaf_hash": "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
    "root": ROOTS[8],
    "proof": [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CONSISTENCY: dict[str, Any] = {
    "size1": 1,
    "size2": 8,
    "root1": ROOTS[1],
    "root2": ROOTS[8],
    "proof": [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
}
VKEY = "audit.example.org/grantledger+3d4c9d25+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
WITNESS = "witness.example.org/donor+ae90c3f4+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"
CHECKPOINT = """audit.example.org/grantledger
8
XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=

— audit.example.org/grantledger PUydJdvM+jhZ9zUokfFgzWMqfNmVryQfjtl4PAZtNoWh3+TDM7k4sFt71nsOt/8R3XLLM6Tpx0gziCvIqIFKzJcBOQI=
"""  # noqa: E501 - a signature is one line
COSIGNED = (
    CHECKPOINT
    + "— witness.example.org/donor rpDD9AAAAABpIIyAgGfAJVQ3CRDLsI4/h5kMdapxkMZNdPaKN1vUuBN+wVcOelpHMMMvwPHsda0G++7pGDYerGLCIVZxgninyqp7AQ==\n"  # noqa: E501
)


def ask(command: str, given: Any) -> Result:
    """Give a command JSON, or the text as it is."""
    return CliRunner().invoke(merkle, [command], input=given if isinstance(given, str) else json.dumps(given))


def verified(signed: str | bytes, *keys: str) -> Result:
    """Have a note verified by keys."""
    return CliRunner().invoke(note, ["verify", *(word for key in keys for word in ("--vkey", key))], input=signed)


@pytest.mark.parametrize("size", ROOTS)
def test_roots_are_as_published(size: int) -> None:
    """The root over the first leaves is the published one, of no leaves as well."""
    result = ask("root", {"leaves": LEAVES, "size": size})
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"root": ROOTS[size]})


def test_proofs_are_made_as_published_and_verify() -> None:
    """Both kinds of proof come out as published, and the command that verifies says so."""
    made = ask("inclusion", {"leaves": LEAVES, "index": 5})
    assert json.loads(made.stdout) == {"proof": INCLUSION["proof"]}
    made = ask("consistency", {"leaves": LEAVES, "size1": 1, "size2": 8})
    assert json.loads(made.stdout) == {"proof": CONSISTENCY["proof"]}
    for command, given in (("verify-inclusion", INCLUSION), ("verify-consistency", CONSISTENCY)):
        result = ask(command, given)
        assert (result.exit_code, json.loads(result.stdout)) == (0, {"valid": True})


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("verify-inclusion", INCLUSION | {"index": 4}),
        ("verify-inclusion", INCLUSION | {"index": 8}),
        ("verify-inclusion", INCLUSION | {"index": -1}),
        ("verify-inclusion", INCLUSION | {"proof": INCLUSION["proof"][:2]}),
        ("verify-inclusion", INCLUSION | {"proof": None}),
        ("verify-inclusion", INCLUSION | {"leaf_hash": "", "root": ""}),
        ("verify-inclusion", INCLUSION | {"proof": ["zz", *INCLUSION["proof"][1:]]}),
        ("verify-consistency", CONSISTENCY | {"size1": 0}),
        ("verify-consistency", CONSISTENCY | {"root1": ROOTS[8], "root2": ROOTS[1]}),
        ("verify-consistency", CONSISTENCY | {"proof": []}),
    ],
)
def test_what_does_not_hold_is_not_valid(command: str, given: dict[str, Any]) -> None:
    """A proof that is wrong, cut, malformed or about nothing is not valid, with a reason, and ends with 1."""
    result = ask(command, given)
    said = json.loads(result.stdout)
    assert (result.exit_code, said["valid"]) == (1, False)
    assert said["reason"]


@pytest.mark.parametrize(
    ("command", "given", "word"),
    [
        ("root", "{", "JSON"),
        ("root", [], "object"),
        ("root", {}, "leaves"),
        ("root", {"leaves": ["0"]}, "leaves[0]"),
        ("root", {"leaves": [0]}, "leaves"),
        ("root", {"leaves": [], "size": 1}, "size"),
        ("inclusion", {"leaves": LEAVES}, "index"),
        ("inclusion", {"leaves": LEAVES, "index": 8}, "leaf 8"),
        ("inclusion", {"leaves": LEAVES, "index": True}, "index"),
        ("consistency", {"leaves": LEAVES, "size1": 0}, "size 0"),
        ("verify-inclusion", INCLUSION | {"size": "8"}, "size"),
        ("verify-consistency", {"size1": 1}, "size2"),
    ],
)
def test_a_wrong_question_ends_with_2(command: str, given: Any, word: str) -> None:
    """What can't be answered ends with 2 and names the field; nothing is said on standard output."""
    result = ask(command, given)
    assert (result.exit_code, result.stdout) == (2, "")
    assert word in json.loads(result.stderr)["error"]


def test_notes_verify_by_the_keys_of_log_and_witness() -> None:
    """A checkpoint is verified by the log's key, by a witness's, and by both; what it says is told."""
    for signed, keys in ((CHECKPOINT, [VKEY]), (COSIGNED, [WITNESS]), (COSIGNED, [VKEY, WITNESS])):
        result = verified(signed, *keys)
        assert result.exit_code == 0, result.output
        said = json.loads(result.stdout)
        assert (said["valid"], said["checkpoint"]["size"], said["checkpoint"]["root"]) == (True, 8, ROOTS[8])


@pytest.mark.parametrize(
    ("signed", "key"),
    [
        (CHECKPOINT.replace("\n8\n", "\n9\n"), VKEY),
        (CHECKPOINT, WITNESS),
        (COSIGNED.replace("rpDD9AAAAABpIIyA", "rpDD9AAAAABpIIyB"), WITNESS),
        (CHECKPOINT.replace("\n\n", "\n"), VKEY),
        (CHECKPOINT.replace("\n8\n", "\n8\t\n"), VKEY),
        ("", VKEY),
        (b"\xff\n\n", VKEY),
    ],
)
def test_a_note_that_does_not_hold_is_not_valid(signed: str | bytes, key: str) -> None:
    """A changed text, an unknown signer, a changed moment, and what is no note at all end with 1 and a reason."""
    result = verified(signed, key)
    assert (result.exit_code, json.loads(result.stdout)["valid"]) == (1, False)


def test_a_wrong_key_ends_with_2() -> None:
    """A key that is none is the asker's mistake: 2, with the rule."""
    result = verified(CHECKPOINT, VKEY.replace("3d4c9d25", "3d4c9d26"))
    assert result.exit_code == 2
    assert "--vkey" in json.loads(result.stderr)["error"]
