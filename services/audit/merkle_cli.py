"""`tamga merkle` and `tamga note`: the log's own arithmetic for whoever wants to check it with other tools.

Nothing here reads a log: JSON, or a note, comes on standard input.
Exit codes: 0 valid or made, 1 not valid, 2 bad input.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NoReturn

import typer

from services.audit.domain import note as notes
from services.audit.domain.merkle import (
    SIZE,
    ProofError,
    leaf_hash,
    perfect_root,
    prove_consistency,
    prove_inclusion,
    root_from,
    verify_consistency,
    verify_inclusion,
)
from services.audit.domain.note import Checkpoint, NoteError, Verifier
from shared.messaging.printing import BAD_NEWS, NO_ANSWER

merkle = typer.Typer(name="merkle", help="Merkle trees: JSON on standard input, JSON out.", no_args_is_help=True)
note = typer.Typer(name="note", help="Signed notes on standard input.", no_args_is_help=True)

LARGEST = 256 * 2**20  # bytes of input
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")


class InputError(ValueError):
    """What was asked can't be answered: the message names the field and the rule."""


@note.callback()
def _note() -> None:
    """Keep `verify` a word of its own: a group of one command would swallow it."""


@merkle.command("root")
def root() -> None:
    """Write the root over `leaves` (hex of each leaf's bytes), or over the first `size` of them."""
    _make(lambda given: {"root": root_from(_hashes(given, _size(given, "size"))).hex()})


@merkle.command("inclusion")
def inclusion() -> None:
    """Write the proof that leaf `index` is in the tree of the first `size` of `leaves` (all of them by default)."""

    def made(given: dict[str, Any]) -> dict[str, Any]:
        size = _size(given, "size")
        proof = prove_inclusion(_number(given, "index"), size, _node(_hashes(given, size)))
        return {"proof": [item.hex() for item in proof]}

    _make(made)


@merkle.command("consistency")
def consistency() -> None:
    """Write the proof that the tree of `size1` leaves begins that of `size2` (all of `leaves` by default)."""

    def made(given: dict[str, Any]) -> dict[str, Any]:
        size = _size(given, "size2")
        proof = prove_consistency(_number(given, "size1"), size, _node(_hashes(given, size)))
        return {"proof": [item.hex() for item in proof]}

    _make(made)


@merkle.command("verify-inclusion")
def inclusion_valid() -> None:
    """Say whether `proof` leads from `leaf_hash` at `index` to the `root` of a tree of `size` leaves."""

    def checked(given: dict[str, Any]) -> None:
        index, size = _number(given, "index"), _number(given, "size")
        leaf, proof, root = _hash(given, "leaf_hash"), _proof(given), _hash(given, "root")
        verify_inclusion(index, size, leaf, proof, root)

    _verify(checked)


@merkle.command("verify-consistency")
def consistency_valid() -> None:
    """Say whether `proof` shows that the tree of `size2` leaves and `root2` begins with that of `size1` and `root1`."""

    def checked(given: dict[str, Any]) -> None:
        old, new = _number(given, "size1"), _number(given, "size2")
        verify_consistency(old, new, _hash(given, "root1"), _hash(given, "root2"), _proof(given))

    _verify(checked)


@note.command("verify")
def verify(
    vkey: Annotated[list[str], typer.Option("--vkey", help="A verifier key, name+id+base64; more than one may sign.")],
) -> None:
    """Say whether a note is signed by one of the keys, and by none of them wrongly; a checkpoint is read as well."""
    try:
        known = [Verifier.parse(key) for key in vkey]
    except NoteError as error:
        _refuse(f"--vkey: {error}")
    try:
        signed = notes.open_note(_read().decode(), known)
    except UnicodeDecodeError:
        _say_invalid("the note is not text in UTF-8")
    except NoteError as error:
        _say_invalid(str(error))
    said: dict[str, Any] = {"valid": True, "text": signed}
    try:
        checkpoint = Checkpoint.parse(signed)
    except NoteError:  # a note may be about anything
        pass
    else:
        said["checkpoint"] = {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}
    typer.echo(json.dumps(said, ensure_ascii=False))


def _make(made: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    try:
        typer.echo(json.dumps(made(_given())))
    except (InputError, ProofError) as error:
        _refuse(str(error))


def _verify(checked: Callable[[dict[str, Any]], None]) -> None:
    try:
        checked(_given())
    except InputError as error:
        _refuse(str(error))
    except ProofError as error:
        _say_invalid(str(error))
    typer.echo(json.dumps({"valid": True}))


def _refuse(why: str) -> NoReturn:
    typer.echo(json.dumps({"error": why}, ensure_ascii=False), err=True)
    raise typer.Exit(NO_ANSWER)


def _say_invalid(why: str) -> NoReturn:
    typer.echo(json.dumps({"valid": False, "reason": why}, ensure_ascii=False))
    raise typer.Exit(BAD_NEWS)


def _read() -> bytes:
    raw = sys.stdin.buffer.read(LARGEST + 1)
    if len(raw) > LARGEST:
        _refuse(f"the input is longer than {LARGEST} bytes")
    return raw


def _given() -> dict[str, Any]:
    try:
        given = json.loads(_read())
    except (ValueError, RecursionError) as error:
        raise InputError(f"the input is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise InputError("the input must be a JSON object")
    return given


def _number(given: dict[str, Any], name: str) -> int:
    value = given.get(name)
    if type(value) is not int:
        raise InputError(f"{name} must be a whole number" if name in given else f"{name} is missing")
    return value


def _size(given: dict[str, Any], name: str) -> int:
    """Return how many of the leaves are meant: all, unless the input says fewer."""
    there = len(_texts(given, "leaves"))
    size = _number(given, name) if name in given else there
    if not 0 <= size <= there:
        raise InputError(f"{name} is {size}, but there are {there} leaves")
    return size


def _texts(given: dict[str, Any], name: str) -> list[str]:
    value = given.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{name} must be a list of texts in hex" if name in given else f"{name} is missing")
    return value


def _hashes(given: dict[str, Any], size: int) -> list[bytes]:
    leaves = _texts(given, "leaves")[:size]
    for place, leaf in enumerate(leaves):
        if not _HEX.fullmatch(leaf):
            raise InputError(f"leaves[{place}] is not written in hex")
    return [leaf_hash(bytes.fromhex(leaf)) for leaf in leaves]


def _node(hashes: list[bytes]) -> Callable[[int, int], bytes]:
    return partial(_subtree, hashes)


def _subtree(hashes: list[bytes], height: int, index: int) -> bytes:
    return perfect_root(hashes[index << height : (index + 1) << height])


def _hash(given: dict[str, Any], name: str) -> bytes:
    """Return a hash that is claimed; what is none makes the claim false, not the question wrong."""
    if not isinstance(value := given.get(name), str):
        raise InputError(f"{name} must be a text in hex" if name in given else f"{name} is missing")
    return _claimed(name, value)


def _proof(given: dict[str, Any]) -> list[bytes]:
    if given.get("proof", ...) is None:  # as some write a list of nothing
        return []
    return [_claimed(f"proof[{place}]", item) for place, item in enumerate(_texts(given, "proof"))]


def _claimed(name: str, value: str) -> bytes:
    if not _HEX.fullmatch(value) or len(value) != 2 * SIZE:
        raise ProofError(f"{name} is not {SIZE} bytes in hex")
    return bytes.fromhex(value)
