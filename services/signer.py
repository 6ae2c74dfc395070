"""The signer's process: it alone holds the log's key, and imports little, so that it stays small.

    python -m services.signer                        serve until SIGTERM
    python -m services.signer show                   what was signed last, and what was refused
    python -m services.signer begin-again REASON     sign on after a restore; asks nobody, is written down and signed
    python -m services.signer witness NAME LOG-KEY   be another's witness: cosign what does nothing but grow
    python -m services.signer give-back              for an hour, lay the key where releases before the signer look

The folders are TAMGA_HOME/signer, which nobody else needs to see, and TAMGA_HOME/keys, in which others find its
public key and its socket. TAMGA_SIGNER_LISTEN is another socket or HOST:PORT.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

# Python's own SHA-256 does: OpenSSL's would be another 4 MB.
sys.modules.setdefault("_hashlib", None)  # type: ignore[arg-type]

from services.audit.domain.note import NoteError, Verifier  # noqa: E402
from services.audit.signer.book import Book, LockedError  # noqa: E402
from services.audit.signer.server import Door, Holder, say  # noqa: E402
from services.audit.signer.wire import FOLDER, address_in, origin_of  # noqa: E402
from services.audit.signer.witness import WitnessBook  # noqa: E402


def home() -> Path:
    """Return the folder of this installation."""
    return Path(os.environ.get("TAMGA_HOME", ".tamga"))


def book_in(folder: Path) -> Book:
    """Return the book of an installation."""
    base_url = os.environ.get("TAMGA_BASE_URL", "http://127.0.0.1:8400")
    return Book(folder / FOLDER, origin_of(base_url), folder / "keys")


def serve() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    book = book_in(home())
    book.open()
    if locked := book.state().locked:
        say(f"locked: {locked}")
    return attend(os.environ.get("TAMGA_SIGNER_LISTEN") or address_in(home()), book, "signer", book.tidy)


def witness(name: str, log: str) -> int:
    """Serve as a witness of the log with this key."""
    book = WitnessBook(home() / "witness", name, Verifier.parse(log))
    book.open()
    say(f"witness {name} {book.state().key}", sys.stdout)
    address = os.environ.get("TAMGA_SIGNER_LISTEN") or str(home() / "witness" / "witness.socket")
    return attend(address, book, "witness", lambda: None)


def attend(address: str, holder: Holder, name: str, meanwhile: Callable[[], None]) -> int:
    """Answer at an address and give signs of life until SIGTERM or Ctrl-C."""
    asked: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    beat = home() / "heartbeats" / name

    def living() -> None:
        beat.parent.mkdir(parents=True, exist_ok=True)
        beat.touch()
        meanwhile()

    with Door(address, holder, living) as door:
        door.serve(lambda: bool(asked))
    return 0


def show() -> int:
    """Print what the signer says of itself."""
    state = book_in(home()).state()
    say(json.dumps(json.loads(state.encode()), indent=2, ensure_ascii=False), sys.stdout)
    return 1 if state.locked or state.refused else 0


def give_back() -> int:
    """Lay the key where releases before the signer look for it."""
    book_in(home()).give_back()
    return 0


def begin_again(reason: str) -> int:
    """Have the signer begin again; without a reason it does not."""
    if not reason.strip():
        say("Say why, for whoever reads it in ten years: begin-again REASON")
        return 2
    beginning = book_in(home()).begin_again(reason)
    say(f"The signer begins again, after {beginning.size} entries that it had signed.", sys.stdout)
    say("That is written down with your reason, and will stand in the log.", sys.stdout)
    say("Checkpoints beyond what you restored no longer fit the log: tell those who keep them.", sys.stdout)
    return 0


def main(words: list[str]) -> int:
    """Run what the words say; returns the exit code."""
    try:
        if not words:
            return serve()
        if len(words) == 3 and words[0] == "witness":
            return witness(words[1], words[2])
        if words in (["show"], ["give-back"]):
            return show() if words == ["show"] else give_back()
        if words[0] == "begin-again":
            return begin_again(" ".join(words[1:]))
    except (LockedError, NoteError, OSError) as error:
        say(f"The signer: {error}")
        return 1
    say((__doc__ or "").split("\n\n")[1])
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
