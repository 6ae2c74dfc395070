"""Which backups stay, when the nightly one is made, and what the record tells of them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from datetime import time as of_day
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.backup import nightly
from services.backup.creating import Created
from shared.events import Actor
from shared.heartbeat import is_alive
from shared.operations.backups import Backup, Backups, Drill, known_of
from shared.safekeeping import keeping, programs
from shared.safekeeping.keeping import Kept
from shared.safekeeping.refusals import SafekeepingError
from shared.safekeeping.showing import Steps, in_words
from shared.settings import Settings
from shared.testing.backbone import eventually
from shared.version import newer

AT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
SKOPJE = ZoneInfo("Europe/Skopje")


def kept_at(*ages: timedelta) -> list[Kept]:
    """Return backups of these ages."""
    return [Kept(Path(f"{number}"), "1.0.0", AT - age) for number, age in enumerate(ages)]


def test_all_of_fourteen_days_and_one_of_each_of_eight_weeks_stay() -> None:
    """Nightly backups of half a year: the last 14 days and the newest of each week before, up to 8 weeks."""
    kept = kept_at(*(timedelta(days=day) for day in range(180)))
    gone = {one.at for one in keeping.superfluous(kept, AT)}
    stays = sorted((AT - one.at).days for one in kept if one.at not in gone)
    # The 22nd of November is a Sunday, on which a week ends.
    assert stays == [*range(15), 21, 28, 35, 42, 49, 56]
    assert keeping.superfluous(kept_at(timedelta(days=900)), AT) == []


def test_names_tell_release_and_moment(tmp_path: Path) -> None:
    """A name is read back; other files in the folder are none of ours; the newest comes first."""
    for name in (keeping.name_of("1.2.0-rc1", AT), keeping.name_of("1.1.0", AT - timedelta(days=1)), "tamga-x.backup"):
        (tmp_path / name).touch()
    assert [(one.version, one.at) for one in keeping.there(tmp_path)] == [
        ("1.2.0-rc1", AT),
        ("1.1.0", AT - timedelta(days=1)),
    ]
    with pytest.raises(SafekeepingError, match=r"no backup in .*tamga backup create"):
        keeping.newest(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("one", "other", "is_newer"),
    [("1.10.0", "1.9.3", True), ("1.0.0", "1.0.0", False), ("0.9", "1.0", False), ("v2.0.0-rc1", "1.9.9", True)],
)
def test_releases_are_compared_by_their_numbers(one: str, other: str, *, is_newer: bool) -> None:
    """Ten comes after nine."""
    assert newer(one, other) is is_newer


def test_the_programs_are_the_servers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual folder first, then the path; another version, or none, is refused with the package's name."""
    monkeypatch.setattr(programs, "FOLDER", tmp_path / "usual")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    fake = tmp_path / "pg_dump"
    fake.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 13.4 (Debian 13.4-1)'\n")
    fake.chmod(0o755)
    assert programs.program("pg_dump", 13) == fake
    with pytest.raises(SafekeepingError, match=r"PostgreSQL 17.*\(here is 13\): apt-get install postgresql-client-17"):
        programs.program("pg_dump", 17)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SafekeepingError, match=r"is not here: apt-get install postgresql-client-17"):
        programs.program("pg_dump", 17)
    own = tmp_path / "usual" / "17" / "bin" / "pg_dump"
    own.parent.mkdir(parents=True)
    own.touch()
    assert programs.program("pg_dump", 17) == own


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 11, 22, 1, 29, tzinfo=UTC), datetime(2026, 11, 21, 1, 30, tzinfo=UTC)),
        (datetime(2026, 11, 22, 1, 30, tzinfo=UTC), datetime(2026, 11, 22, 1, 30, tzinfo=UTC)),
        # Summer time: an hour earlier by UTC.
        (datetime(2026, 7, 1, 12, 0, tzinfo=UTC), datetime(2026, 7, 1, 0, 30, tzinfo=UTC)),
    ],
)
def test_the_hour_is_by_the_clocks_of_the_house(now: datetime, expected: datetime) -> None:
    """Half past two in Skopje, in winter and in summer."""
    assert nightly.last_due(now, of_day(2, 30), SKOPJE) == expected


def test_a_missed_night_is_caught_up_and_a_failure_waits() -> None:
    """Due when none is there since the last hour for it; after a failure a quarter of an hour passes."""
    now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    this, last = datetime(2026, 11, 22, 1, 31, tzinfo=UTC), datetime(2026, 11, 21, 1, 31, tzinfo=UTC)
    asked = [
        (this, None),
        (last, None),
        (None, None),
        (last, now - timedelta(minutes=5)),
        (last, now - timedelta(hours=1)),
    ]
    due = [nightly.is_due(now, newest, failed, of_day(2, 30), SKOPJE) for newest, failed in asked]
    assert due == [False, True, True, False, True]
    with pytest.raises(SafekeepingError, match="write it as hours and minutes"):
        nightly.hour("half past two")


def test_the_record_tells_of_backups_made_elsewhere() -> None:
    """Where nothing newer is noted, the newest on record counts; without either nothing is known."""
    noted = Backups(good=Backup(at=AT, ok=True, file="here"), drill=Drill(at=AT, ok=True))
    later = (AT + timedelta(days=1)).isoformat()
    told = {"backup": {"at": later, "ok": True, "file": "there"}, "drill": {"at": later, "ok": False, "problem": "x"}}
    assert [one.file for one in (known_of(noted, told).good, known_of(noted, {}).good) if one] == ["there", "here"]
    assert [one.ok for one in (known_of(Backups(), told).drill, known_of(noted, {}).drill) if one] == [False, True]
    assert known_of(Backups(), {}) == Backups()


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1_500_000, "1.5 MB"), (10**10, "10.00 GB")]
)
def test_sizes_in_words(size: int, words: str) -> None:
    """As people read them."""
    assert in_words(size) == words


def test_the_nightly_process_makes_what_is_missing_and_lives_through_a_failure(tmp_path: Path) -> None:
    """A failure is no end: the process goes on, and gives signs of life while it waits for the next try."""
    stop, tries = threading.Event(), list[str]()

    def make(known: Settings, by: Actor, steps: Steps) -> Created:
        del known, steps
        tries.append(by.id)
        eventually(lambda: is_alive(tmp_path, nightly.NAME))
        stop.set()
        raise SafekeepingError("The disk is full.")

    nightly.run(Settings(home=tmp_path), stop, make=make)
    assert tries == ["service:backup"]
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / keeping.name_of("1.0.0", datetime.now(UTC))).touch()
    stopping = threading.Timer(0.2, stop.set)
    stop.clear()
    stopping.start()
    nightly.run(Settings(home=tmp_path), stop, make=make)
    assert len(tries) == 1
