"""A backup of before an erasure: nobody who was erased comes back with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from kept_house import OPERATOR, House

from services.audit import handlers
from services.audit.handlers import erasure
from services.audit.handlers.verification import verify
from services.audit.keys import Keys
from services.audit.storage import subjects
from services.backup import people_keys, place
from services.backup.restoring import restore
from services.portal.handlers import accounts
from shared.database import Context, UnitOfWork
from shared.events import Actor
from shared.events.portal import RecordViewed
from shared.safekeeping.showing import Steps
from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # a backup and a restore of a whole house


@pytest.fixture
def house(stand: Stand, tmp_path: Path) -> House:
    """Give a house with a broker's virtual host whose queues may be emptied."""
    made = House(stand, tmp_path / "home", stand.rabbitmq.url(vhost=stand.own_vhost()))
    made.home.mkdir()
    return made


def test_who_was_erased_stays_so_after_an_old_backup(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup of before an erasure brings nobody back: no account, no name in the log, no key."""
    monkeypatch.setattr(handlers, "settings", lambda: house.settings)
    name, email = "Biljana Kostova", "biljana@crafts.example"
    with UnitOfWork(house.engine("portal"), "portal", Context(actor=OPERATOR)) as uow:
        user, _ = accounts.add_user(uow, accounts.NewUser(name=name, email=email, roles=["applicant"]))
    who = Actor(id=f"user:{user.id}", name=name, role="applicant")
    with UnitOfWork(house.engine("portal"), "portal", Context(actor=who)) as uow:
        uow.record(RecordViewed(record="user", what="own"), entity=f"record:{uow.ids()}")
    house.carry()
    keys = erasure.House.of(house.settings)
    made, subject = house.backup(), erasure.find(keys, email)
    [kept] = people_keys.there(house.settings.backups_folder)
    assert (keys.subjects.names([who.id]), name.encode() in kept.read_bytes()) == ({who.id: name}, False)
    with UnitOfWork(house.engine("audit"), "audit", Context(actor=OPERATOR)) as uow:
        erasure.request(uow, keys, subject, "She asked for it")
    with UnitOfWork(house.engine("audit"), "audit", Context(actor=who)) as uow:  # another person than who asked
        erasure.confirm(uow, keys, subject)
    with UnitOfWork(house.engine("portal"), "portal", Context(actor=OPERATOR)) as uow:
        assert accounts.erase_user(uow, user.id)

    done = restore(house.settings, house.file(made), OPERATOR, Steps(), replacing=True, despite_findings=False)

    account = "SELECT name, email, active FROM account WHERE id = '" + user.id + "'"  # noqa: S608 - an id of ours
    assert (done.erased_again, house.rows(account)) == (1, [("Erased person", f"{user.id}@erased.invalid", False)])
    person = keys.subjects.of(user.id)
    assert person
    assert (person.id, person.key, person.name, bool(person.erased_at)) == (subject.id, None, None, True)
    house.carry()
    log = "\n".join(str(row) for row in house.rows("SELECT event::text FROM event", "audit"))
    assert subject.id in log
    assert not any(word in log for word in (name, email))
    assert verify(house.engine("audit"), Keys.of(house.settings)).ok

    for file in (keys.subjects.store, keys.subjects.folder / subjects.WRAPPING):
        file.unlink()  # as on a machine that has but the old keys
    assert people_keys.bring_back(house.settings, place.key_of(house.settings), house.settings.backups_folder)
    anew = subjects.Subjects(keys.subjects.folder)
    assert (anew.names([who.id]), anew.found_by(["biljana"])) == ({}, {})
