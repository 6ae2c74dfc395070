"""The compose commands on their own: a disk that fills up, a terminal, no .env yet, and no environment of ours."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.compose import checks, engine, facts, files, init, secret_files

pytestmark = pytest.mark.slow  # commands on a terminal, one start after the other

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 64 kB, of which twelve pages are free."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tamga-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only who may mount a disk can fill one without harm")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_sentence_and_leaves_whole_files(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make init` on a disk that fills up: exit 1, no half of a file, and with more room the same command goes on."""
    assert init.main(["--yes"], small_disk) == 1
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert len(said.strip().splitlines()) == 1
    made = {path.name: path.read_text() for path in (small_disk / "secrets").iterdir()}
    assert 0 < len(made) < len(secret_files.NAMES)
    assert all(made.values())
    assert checks.disk(facts.gather(small_disk)).state == checks.BAD
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert init.main(["--yes"], small_disk) == 0
    assert made.items() <= {path.name: path.read_text() for path in (small_disk / "secrets").iterdir()}.items()
    assert secret_files.problems(small_disk / "secrets", secret_files.NAMES) == {}


# The terminal is this process's own, so that Ctrl-C in it means this process; a test run may ignore the signal.
ATTENDED = """
import fcntl, pathlib, signal, sys, termios
from deploy.compose import init
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(init.main([], pathlib.Path(sys.argv[1])))
"""


def test_ctrl_c_at_a_question_leaves_nothing(tmp_path: Path) -> None:
    """On a terminal: one answer is given, then Ctrl-C; exit 130, one sentence, and no file was made."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", ATTENDED, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as attended:
        try:
            said = _read_until(ours, "1/4")
            os.write(ours, b"grants.example.org\n")
            said += _read_until(ours, "2/4")
            os.write(ours, b"\x03")
            # One that comes before the question waits for its answer is only noticed with the next.
            said += _read_until(ours, "it goes on where it was", meanwhile=b"\x03")
            assert attended.wait(20) == 130
        finally:
            attended.kill()
    os.close(ours)
    os.close(theirs)
    assert "4 questions" in said
    assert list(tmp_path.iterdir()) == []


def _read_until(terminal: int, words: str, seconds: float = 20, meanwhile: bytes = b"") -> str:
    said, deadline = "", time.monotonic() + seconds
    while words not in said and time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            said += os.read(terminal, 4096).decode()
        else:
            os.write(terminal, meanwhile)
    assert words in said, said
    return said


@pytest.mark.skipif(not engine.compose(ROOT, "version").out, reason="Docker Compose is not installed")
def test_a_missing_setting_is_one_sentence_before_anything_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose itself refuses our real file without an .env, naming `make init`; with what that makes it parses."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    for name in [name for name in os.environ if name.startswith("TAMGA_")]:
        monkeypatch.delenv(name)
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    refused = engine.compose(tmp_path, "config", "-q")
    assert refused.code != 0
    assert re.search(r'TAMGA_\w+.* is missing a value: run "make init" first', refused.problem)
    assert len(refused.problem.splitlines()) == 1
    init.write(tmp_path, {"TAMGA_DOMAIN": "localhost"})
    assert engine.compose(tmp_path, "config", "-q") == engine.Said(0, "", "")


def test_the_commands_run_without_our_environment(tmp_path: Path) -> None:
    """`python3 -m deploy.compose` needs no installed package: it runs isolated from all of them."""
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r});"]
    command[-1] += "from deploy.compose.__main__ import main; sys.exit(main(sys.argv[1:]))"
    for words, code in ((["doctor", "--json"], {0, 1}), (["nonsense"], {2}), ([], {2})):
        done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode in code, done.stderr
    assert files.ROOT == ROOT
