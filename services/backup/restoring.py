"""`tamga restore`: the databases of a backup in the places of the services', with the keys and documents they need."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from amqp.exceptions import AMQPError

from services.audit.keys import Keys
from services.audit.storage.subjects import subjects_of
from services.backbone import queues
from services.backup import people_keys, place
from services.backup.creating import ENTITY, note
from services.backup.reviving import Backup, Revived, revived
from shared import vault
from shared.clock import utc_now
from shared.commands import here
from shared.database import Context, UnitOfWork
from shared.events import Actor
from shared.events.audit import BackupRestored
from shared.heartbeat import STALE_SECONDS, is_alive
from shared.infrastructure.databases import ensure_database
from shared.messaging import mending, topology
from shared.safekeeping import keeping
from shared.safekeeping.refusals import SafekeepingError, of_disk
from shared.safekeeping.restoring import Server
from shared.safekeeping.showing import Steps
from shared.settings import Settings, SettingsError


@dataclass(frozen=True)
class Restored:
    """What came of a restore."""

    file: str
    version: str
    at: str
    events: int
    documents: int
    log_size: int
    lost_entries: int  # of the log that was here, beyond the restored one
    sent_again: int
    erased_again: int  # people whom the backup still had, and the ledger of erasures names
    waiting: int
    purged: int
    findings: list[str]
    signed_before: int  # up to which entry the signer had signed; it does not forget that by a restore
    refuses: bool  # so it will not sign the restored log before it is told to begin again
    keys_left: list[str]  # which could not be put in their places
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def restore(
    known: Settings, backup: Backup, by: Actor, steps: Steps, *, replacing: bool, despite_findings: bool
) -> Restored:
    """Bring a backup back; raises SafekeepingError, and then what was there is as it was."""
    server, live = place.server_of(known), place.live_names(known)
    server.major()
    with server.alone():
        _must_stand_still(known, server, live)
        if not replacing and (filled := server.filled(live)):
            raise SafekeepingError(
                f"There are data already ({', '.join(filled)}): {here('--replace')} puts the backup in their place,"
                " and keeps them until all of it has succeeded."
            )
        _must_answer(known)
        names = {service: f"{name}_restoring" for service, name in live.items()}
        with revived(known, server, names, backup, steps, documents=known.documents_folder) as found:
            if found.problems and not despite_findings:
                raise SafekeepingError(
                    f"What is in {backup.file.name} is not sound: {'; '.join(found.problems[:5])}. Nothing was changed;"
                    f" {here('--despite-findings')} restores it all the same."
                )
            restored = _settled(known, found, backup, by, steps)
            for service, name in names.items():
                ensure_database(server.admin_url, name, service, dict(server.passwords))
            with steps.step("Put in place"):
                moved = server.put_in_place(names, live, f"_before_{keeping.stamp(utc_now())}".lower())
                left = _put_keys(known, found.keys)
        purged = _emptied(known)
        server.drop(moved)
    note(known, kept=len(keeping.there(known.backups_folder)))
    return replace(restored, keys_left=left, purged=purged, seconds=round(steps.seconds, 2))


def _must_stand_still(known: Settings, server: Server, live: Mapping[str, str]) -> None:
    def stirring() -> list[str]:
        beating = [file.name for file in (known.home / "heartbeats").glob("*") if is_alive(known.home, file.name)]
        return [*server.connected(live), *beating]

    # What has ended a moment ago has left a fresh sign of life.
    deadline = time.monotonic() + STALE_SECONDS
    while (found := stirring()) and not server.connected(live) and time.monotonic() < deadline:
        time.sleep(0.5)
    if found:
        raise SafekeepingError(
            f"Tamga is running ({', '.join(found[:5])}): stop it first (Ctrl-C in its terminal, or `make down`),"
            " then restore."
        )


def _must_answer(known: Settings) -> None:
    try:
        topology.depths(known.amqp_admin_url, [topology.DEAD_LETTERS])
    except (AMQPError, OSError) as error:
        raise SafekeepingError(
            "The broker does not answer, and what waits in its queues has to go: start it, then restore."
        ) from error


def _settled(known: Settings, found: Revived, backup: Backup, by: Actor, steps: Steps) -> Restored:
    """Have sent again what was on its way, and put the restore on the restored record."""
    about, before = found.about, place.signed_last(known)
    people_keys.bring_back(known, backup.key, backup.file.parent)
    ledger = found.keys / Path(place.ERASURES).name
    erased_again = people_keys.erase_again(subjects_of(known), found.engines["portal"], ledger, by)
    with steps.step("Sent again"):
        mending.send_again(found.engines, found.accounts, by)
    event = BackupRestored(
        file=backup.file.name,
        at=about.at,
        tamga_version=about.version,
        events=about.events,
        sent_again=found.sent_again,
        log_size=found.verified.size,
        signed_before=before,
        milliseconds=round(steps.seconds * 1000),
        erased_again=erased_again,
    )
    with UnitOfWork(found.engines["audit"], "audit", Context(actor=by)) as uow:
        uow.record(event, entity=ENTITY)
    return Restored(
        file=backup.file.name,
        version=about.version,
        at=about.at.isoformat(),
        events=about.events,
        documents=found.whole.documents,
        log_size=found.verified.size,
        lost_entries=max(0, before - found.verified.size),
        sent_again=found.sent_again,
        erased_again=erased_again,
        waiting=found.waiting,
        purged=0,
        findings=found.problems,
        signed_before=before,
        refuses=_will_refuse(known, found),
        keys_left=[],
        seconds=0.0,
    )


def _will_refuse(known: Settings, found: Revived) -> bool:
    """Say whether a signer that runs by itself has signed more than was restored, or another log."""
    signed, own = place.signed_last(known), place.log_key(known)
    if not known.signer or not signed or not own.exists():
        return False
    return signed > found.verified.size or not _same(own, found.keys / Path(place.LOG_KEY).name)


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.read_bytes() == other.read_bytes()


def _log_keys(known: Settings, folder: Path) -> list[tuple[Path, Path, bool]]:
    """Return what of the log's keys goes where. A signer that has this key already keeps what it remembers."""
    keys, names = Keys.of(known), (place.LOG_KEY, place.LOG_MEMORY, place.LOG_PUBLIC)
    if known.signer and _same(place.signer_folder(known) / Path(place.LOG_KEY).name, folder / Path(place.LOG_KEY).name):
        return []
    return [(folder / Path(name).name, keys.folder / Path(name).name, True) for name in names]


def _put_keys(known: Settings, folder: Path) -> list[str]:
    """Put the log's key and memory in their places, others only where there is none; return what could not be put."""
    keys = Keys.of(known)
    wanted = [
        *_log_keys(known, folder),
        (folder / Path(place.RECEIPTS).name, keys.folder / Path(place.RECEIPTS).name, False),
        (folder / Path(place.SIGNING).name, known.signing_key_file, False),
        (folder / Path(place.IDENTITY).name, known.identity_key_file, False),
    ]
    left = payee_keys(folder / Path(place.PAYEES).name, known.payee_key_file)
    left += payee_keys(folder / Path(place.WEBHOOKS).name, known.webhook_key_file)
    for source, target, needed in wanted:
        if target and source.exists() and (needed or not target.exists()):
            try:
                _put(source, target)
            except OSError as error:
                if needed:
                    raise _keys_missing(target, error) from error
                left.append(target.name)
    return left


def payee_keys(source: Path, target: Path | None) -> list[str]:
    """Add the keys under which restored bank numbers or secrets are sealed to those that are here, the latter first."""
    if target is None or not source.exists():
        return []
    try:
        here = vault.lines_of(target) if target.exists() else []
    except SettingsError:  # the operator mends it: what stands there is theirs
        return [target.name]
    missing = [line for line in vault.lines_of(source) if line not in here]
    if not missing:
        return []
    draft = source.with_name(f"{source.name}.whole")
    draft.write_text("\n".join([*here, *missing]) + "\n")
    try:
        _put(draft, target)
    except OSError:
        return [target.name]
    return []


def _put(source: Path, target: Path) -> None:
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if target.exists():
        shutil.copy2(target, target.with_name(f"{target.name}.before-{keeping.stamp(utc_now())}"))
    draft = target.with_name(f".{target.name}.new")
    shutil.copyfile(source, draft)
    draft.chmod(0o600)
    draft.replace(target)


def _keys_missing(target: Path, error: OSError) -> SafekeepingError:
    cause = of_disk(target.parent, error)
    return SafekeepingError(f"The databases are restored, the key of the log is not. {cause} Then restore once more.")


def _emptied(known: Settings) -> int:
    """Declare the broker's topology and empty its queues: what waits there may speak of what is no more."""
    wanted: Sequence[str] = [*queues(), topology.DEAD_LETTERS]
    try:
        topology.apply(known.amqp_admin_url, queues())
        there = topology.depths(known.amqp_admin_url, wanted)
        return topology.purge(known.amqp_admin_url, list(there))
    except (AMQPError, OSError) as error:
        raise SafekeepingError(
            "The databases are restored, but the broker stopped answering before its queues were emptied:"
            f" start it and restore once more with {here('--replace')}."
        ) from error
