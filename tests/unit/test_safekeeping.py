"""The file of a backup and the folder that keeps them: what is refused, what goes, what is left after a failure."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyrage
import pytest

from deploy.compose import age_key
from shared.safekeeping import bundle, keeping, sealing
from shared.safekeeping.manifest import About, Database
from shared.safekeeping.refusals import DamagedBackupError, SafekeepingError

AT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
SKOPJE = ZoneInfo("Europe/Skopje")
ABOUT = About(
    version="1.0.0",
    at=AT,
    waited_seconds=0.01,
    databases={"portal": Database(server=15, revision="0001", position=3, newest=AT, rows={"outbox": 3}, bytes=9)},
)


@pytest.fixture
def key(tmp_path: Path) -> pyrage.x25519.Identity:
    """Give a key in a file."""
    sealing.make_key(tmp_path / "key")
    return sealing.key_in(tmp_path / "key")


def written(file: Path, key: pyrage.x25519.Identity, size: int = 300_000) -> Path:
    """Write a backup with one large part that can't be compressed, a small one and a document."""
    store = file.parent / "documents" / "ab"
    store.mkdir(parents=True, exist_ok=True)
    (store / "a591a6d40bf420404a011733cfb7b190d62c65bf0bcda32b57b277d9ad9f146e").write_bytes(b"Hello World")
    (store / "tmp123").write_bytes(b"half of one")
    with bundle.writing(file, key, ABOUT, lambda _name, _size: None) as writer:
        writer.stream("databases/portal.dump", iter([os.urandom(size)]))
        writer.data("keys/audit.pem", b"secret")
        writer.documents(file.parent / "documents")
    return file


def test_what_was_written_is_read(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    """Parts in pieces come back whole and in their order; a file that is no document is left out."""
    file = written(tmp_path / "x", key, size=9_000_000)
    found: dict[str, bytearray] = {}

    class Into:
        def __init__(self, name: str) -> None:
            self.name = name

        def write(self, data: bytes, /) -> object:
            found.setdefault(self.name, bytearray()).extend(data)
            return len(data)

    @contextmanager
    def receive(name: str) -> Iterator[Into]:
        yield Into(name)

    about, whole = bundle.read(file, key, receive=receive)
    assert about == ABOUT
    assert (whole.documents, whole.documents_bytes) == (1, 11)
    assert {name: len(content) for name, content in found.items()} == {
        "databases/portal.dump": 9_000_000,
        "keys/audit.pem": 6,
        "documents/a591a6d40bf420404a011733cfb7b190d62c65bf0bcda32b57b277d9ad9f146e": 11,
    }


def test_another_key_opens_nothing(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    """A backup that was sealed with another key is refused in those words, which is not the same as damaged."""
    file = written(tmp_path / "x", key)
    sealing.make_key(tmp_path / "other")
    with pytest.raises(SafekeepingError, match="sealed with another key: name the one") as refused:
        bundle.read(file, sealing.key_in(tmp_path / "other"))
    assert not isinstance(refused.value, DamagedBackupError)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied"), "`chmod 444 secrets/backup_key`"),
        (FileNotFoundError(2, "No such file"), "The key secrets/backup_key is not there: put your copy of it there."),
        (None, "secrets/backup_key holds no key of backups"),
    ],
)
def test_a_key_in_containers_is_named_as_the_host_has_it(
    monkeypatch: pytest.MonkeyPatch, error: OSError | None, said: str
) -> None:
    """The cure is one for the folder secrets: the host has no /run/secrets, and none of its paths is seen inside."""

    def read(_: Path) -> str:
        if error:
            raise error
        return "nonsense"

    monkeypatch.setenv("TAMGA_IN_CONTAINERS", "yes")
    monkeypatch.setattr(Path, "read_text", read)
    with pytest.raises(SafekeepingError) as refused:
        sealing.key_in(Path("/run/secrets/backup_key"))
    assert said in str(refused.value)
    assert "--key" not in str(refused.value)


def test_another_key_in_containers_is_put_in_its_place(
    tmp_path: Path, key: pyrage.x25519.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No option names a key inside a container: the right one goes where the wrong one is."""
    monkeypatch.setenv("TAMGA_IN_CONTAINERS", "yes")
    file = written(tmp_path / "x", key)
    sealing.make_key(tmp_path / "other")
    with pytest.raises(SafekeepingError, match="in the place of secrets/backup_key"):
        bundle.read(file, sealing.key_in(tmp_path / "other"))


@pytest.mark.parametrize("cut", [1, 100, 70_000, 250_000])
def test_a_truncated_file_is_damaged(tmp_path: Path, key: pyrage.x25519.Identity, cut: int) -> None:
    """However little of its end is missing."""
    file = written(tmp_path / "x", key)
    os.truncate(file, file.stat().st_size - cut)
    with pytest.raises(DamagedBackupError, match="cut short, or changed"):
        bundle.read(file, key)


@pytest.mark.parametrize("place", [300, 150_000, -1])
def test_a_flipped_bit_is_damage(tmp_path: Path, key: pyrage.x25519.Identity, place: int) -> None:
    """Wherever it is."""
    file = written(tmp_path / "x", key)
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedBackupError, match="cut short, or changed"):
        bundle.read(file, key)


def test_what_is_no_backup_is_said(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    """Another file, an empty one, one that is not there, and a sealed one that has something else in it."""
    (tmp_path / "letter").write_text("Dear operator")
    (tmp_path / "empty").touch()
    for name in ("letter", "empty"):
        with pytest.raises(DamagedBackupError, match="is no backup of Tamga: choose one"):
            bundle.read(tmp_path / name, key)
    with pytest.raises(SafekeepingError, match="is not there: `tamga backup list`"):
        bundle.read(tmp_path / "nothing", key)
    with sealing.sealed(tmp_path / "other", key) as stream:
        stream.write(b"something else")
    with pytest.raises(DamagedBackupError, match="other is damaged"):
        bundle.read(tmp_path / "other", key)


def test_a_newer_format_names_its_release(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    """A file that this release can't read says which can."""
    newer_format = ABOUT.model_copy(update={"format": 2, "version": "9.0.0"})
    with bundle.writing(tmp_path / "x", key, newer_format, lambda _name, _size: None):
        pass
    with pytest.raises(SafekeepingError, match=r"written by Tamga 9.0.0.*install 9.0.0 first"):
        bundle.read(tmp_path / "x", key)


def test_a_part_that_is_not_what_the_manifest_says_is_named(
    tmp_path: Path, key: pyrage.x25519.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seal shows that nobody changed the file; the manifest, that all of it was written."""
    with monkeypatch.context() as patch:
        patch.setattr(bundle.Writer, "_add", _losing("keys/audit.pem", bundle.Writer._add))
        file = written(tmp_path / "x", key)
    with pytest.raises(DamagedBackupError, match=r"not as they were written: keys/audit.pem"):
        bundle.read(file, key)


def _losing(lost: str, add: object) -> object:
    return lambda writer, name, *rest: None if name == lost else add(writer, name, *rest)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("content", "said"), [("", "holds no key"), ("AGE-SECRET-KEY-1NONSENSE", "holds no key"), (None, "is not there")]
)
def test_a_key_that_is_none_is_said(tmp_path: Path, content: str | None, said: str) -> None:
    """A key file that is empty, wrong or missing: one sentence with what to do."""
    if content is not None:
        (tmp_path / "key").write_text(content)
    with pytest.raises(SafekeepingError, match=f"{said}.*put your copy"):
        sealing.key_in(tmp_path / "key")


def test_a_key_from_the_first_start_is_one_of_age(tmp_path: Path) -> None:
    """What is made without any library opens what was sealed with it; comments around it do no harm."""
    (tmp_path / "key").write_text(f"# created: today\n{age_key.new()}\n")
    key = sealing.key_in(tmp_path / "key")
    assert bundle.read(written(tmp_path / "x", key), key)[0] == ABOUT
    assert age_key.written(bytes(range(32))) == (
        "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SWRYDWG"
    )


def test_a_full_disk_leaves_one_sentence(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    """When no more bytes can be written that is said, with the folder and what to do."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(SafekeepingError, match=f"Can't write to {tmp_path}: files may not grow that large"):
            written(tmp_path / "x", key, size=5_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_small_disk_that_fills_is_named(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    """On a real file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this machine mounts nothing")
    try:
        with pytest.raises(SafekeepingError, match=f"Can't write to {disk}: the disk is full: make room"):
            written(disk / "x", key, size=5_000_000)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    """A file in its place, and a place where nobody may make anything."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file" / "backups", Path("/proc/tamga-backups")):
        with pytest.raises(SafekeepingError, match=f"Can't write to {folder}"), keeping.folder_alone(folder):
            pass


def test_one_backup_at_a_time_and_no_halves(tmp_path: Path) -> None:
    """A second one is refused while the first is written; what a killed one has left is cleared by the next."""
    left = keeping.partial(tmp_path / keeping.name_of("1.0.0", AT))
    left.write_bytes(b"half")
    assert keeping.there(tmp_path) == []
    with (tmp_path / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SafekeepingError, match="Another backup is being written"), keeping.folder_alone(tmp_path):
            pass
    assert left.exists()
    with keeping.folder_alone(tmp_path):
        assert not left.exists()


KILLED = """
import sys, time
from pathlib import Path
from shared.safekeeping import bundle, keeping, sealing
from shared.safekeeping.manifest import About
folder, key = Path(sys.argv[1]), sealing.key_in(Path(sys.argv[2]))
about = About(version="1.0.0", at="2026-11-22T01:30:00Z", waited_seconds=0, databases={})
file = folder / keeping.name_of(about.version, about.at)
with keeping.folder_alone(folder), bundle.writing(keeping.partial(file), key, about, lambda *_: None) as writer:
    writer.data("a", bytes(10_000_000))
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_killed_backup_is_never_taken_for_one(tmp_path: Path, key: pyrage.x25519.Identity) -> None:
    """Killed while it writes, it leaves nothing that is listed, and the next one clears what is there."""
    del key
    folder = tmp_path / "backups"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), str(tmp_path / "key")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.kill()
        process.wait()
    assert keeping.there(folder) == []
    assert len(list(folder.iterdir())) == 2
    with keeping.folder_alone(folder):
        assert [file.name for file in folder.iterdir()] == [".lock"]
