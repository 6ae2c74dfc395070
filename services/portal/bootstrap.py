"""The first start: loads the packs of this installation and adds the people that they name, once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from services.portal import storage
from services.portal.domain import normal_email
from services.portal.handlers.accounts import NewUser, add_organisation, add_user
from services.portal.handlers.programmes import UnfitError, load_pack
from services.portal.packs import read_pack, read_yaml
from shared.database import Context, UnitOfWork, engine_for, system
from shared.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True)
class Credential:
    """A person that was just added, with the password that is shown this once."""

    key: str
    user_id: str
    name: str
    email: str
    password: str
    roles: list[str]
    organisation: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def ensure(settings: Settings, *, people: bool = True) -> list[Credential]:
    """Load every changed pack under `settings.programmes` and, if asked, add its people; returns those newly added."""
    engine = engine_for(settings.database_url("portal"), pool_size=1)
    added: list[Credential] = []
    try:
        for folder in sorted(path for path in settings.programmes.iterdir() if (path / "programme.yaml").is_file()):
            with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
                added += ensure_pack(uow, folder, people=people)
    finally:
        engine.dispose()
    return added


def ensure_pack(uow: UnitOfWork, folder: Path, *, people: bool = True) -> list[Credential]:
    """Load one pack if it has changed and add its people who are not known yet."""
    programme_id, pack, sha256 = read_pack(folder)
    # Nobody is there to be asked at a start: what was edited in the browser stays, and the house comes up.
    try:
        load_pack(uow, programme_id, pack, sha256, edited="keep")
    except UnfitError as error:
        log.warning("a pack was not loaded: edited calls do not fit it", programme=programme_id, problems=error.fields)
    file = folder / "people.yaml"
    return _ensure_people(uow, programme_id, read_yaml(file)) if people and file.is_file() else []


def _ensure_people(uow: UnitOfWork, programme_id: str, content: dict[str, Any]) -> list[Credential]:
    for facts in content.get("organisations", []):
        add_organisation(uow, **facts)
    uow.flush()
    added = []
    for facts in content.get("people", []):
        if storage.user_by_email(uow, normal_email(facts["email"])) is not None:
            continue
        new = NewUser(programmes=[programme_id], **{name: value for name, value in facts.items() if name != "key"})
        user, password = add_user(uow, new)
        added.append(Credential(facts["key"], user.id, user.name, user.email, password, user.roles, user.organisation))
    return added
