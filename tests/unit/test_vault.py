"""Secrets at rest: sealed under the newest key, opened with any, bound to their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.backup.restoring import payee_keys
from shared.settings import SettingsError
from shared.vault import (
    Vault,
    VaultError,
    ensure_key,
    key_id,
    lines_of,
    open_document,
    seal_document,
    vault_of,
)

OLD, NEW = "o" * 43, "n" * 43
NUMBER = b"MK07250120000058984"


def test_what_is_sealed_opens_in_its_place_alone() -> None:
    """Each seal differs, tells nothing of the content, and opens only as being about the same thing."""
    vault = Vault([OLD])
    first, second = vault.seal(NUMBER, "a:1"), vault.seal(NUMBER, "a:1")
    assert first != second
    assert vault.open(first, "a:1") == NUMBER
    with pytest.raises(VaultError, match="another place"):
        vault.open(first, "a:2")
    with pytest.raises(VaultError, match="was changed"):
        vault.open(first[:-4] + "AAA=", "a:1")


def test_the_newest_key_seals_and_older_ones_open() -> None:
    """With a new key first, old seals still open; without the old key the refusal names it."""
    before = Vault([OLD]).seal(NUMBER, "a:1")
    both = Vault([NEW, OLD])
    assert both.open(before, "a:1") == NUMBER
    after = both.seal(NUMBER, "a:1")
    assert (key_id(before), key_id(after)) == (both.ids[1], both.ids[0])
    with pytest.raises(VaultError, match=key_id(before)):
        Vault([NEW]).open(before, "a:1")


def test_equal_numbers_are_found_by_their_marks() -> None:
    """The same content has the same mark under a key, another one under another key, and never shows itself."""
    assert Vault([OLD]).marks(NUMBER)[0] == Vault([NEW, OLD]).marks(NUMBER)[1]
    assert len(set(Vault([NEW, OLD]).marks(NUMBER))) == 2
    assert Vault([OLD]).marks(NUMBER) != Vault([OLD]).marks(NUMBER + b"0")


def test_a_document_has_a_key_of_its_own() -> None:
    """A sealed document opens with its key, and a changed one does not."""
    sealed, key = seal_document(b"<xml/>")
    assert open_document(sealed, key) == b"<xml/>"
    with pytest.raises(VaultError):
        open_document(sealed[:-1] + bytes([sealed[-1] ^ 1]), key)


@pytest.mark.parametrize(("content", "said"), [(None, "can't be read"), ("", "is empty"), (f"{OLD}\nshort", "line 2")])
def test_a_bad_key_file_is_refused_with_its_name(tmp_path: Path, content: str | None, said: str) -> None:
    """A missing, empty or wrong key file stops the start with the file, the line and the cure, never with the key."""
    file = tmp_path / "payee_key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=said) as refused:
        lines_of(file)
    assert str(file) in str(refused.value)
    assert OLD not in str(refused.value)


def test_a_restore_adds_the_keys_of_what_it_brings_back(tmp_path: Path) -> None:
    """Keys that are here stay first; those of the backup come after them once; a place that is closed is named."""
    kept, here = tmp_path / "kept" / "payee.key", tmp_path / "here" / "payee_key"
    kept.parent.mkdir()
    kept.write_text(f"{OLD}\n")
    assert payee_keys(kept, here) == []
    assert lines_of(here) == [OLD]
    here.write_text(f"{NEW}\n")
    assert payee_keys(kept, here) == []
    assert lines_of(here) == [NEW, OLD]
    assert payee_keys(kept, here) == []
    assert payee_keys(kept, tmp_path / "here" / "payee_key" / "inside") == ["inside"]
    assert payee_keys(tmp_path / "none", here) == []


def test_a_first_key_is_made_once(tmp_path: Path) -> None:
    """The key file is its owner's alone and stays as it is; no file at all is a refusal in words."""
    file = tmp_path / "keys" / "payee.key"
    assert ensure_key(file)
    before = file.read_text()
    assert not ensure_key(file)
    assert file.read_text() == before
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(SettingsError, match="TAMGA_PAYEE_KEY_FILE"):
        vault_of(None)
