"""`tamga user …` and `tamga programme …`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection, Engine

from services.portal import storage
from services.portal.domain.programme import Choice, EditedError
from services.portal.handlers import accounts, links
from services.portal.handlers.accounts import NewUser
from services.portal.handlers.programmes import load_pack
from services.portal.packs import read_pack
from shared.clock import in_utc
from shared.commands import here
from shared.database import Context, UnitOfWork, engine_for, reading
from shared.errors import InvalidError, TamgaError
from shared.events import Actor
from shared.messaging.printing import NO_ANSWER
from shared.settings import SettingsError, settings
from shared.web.forms import invalid

user = typer.Typer(help="People: list, add, deactivate, grant a role.", no_args_is_help=True)
programme = typer.Typer(help="Programme packs: load, list.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
# Whoever may use the command line of this machine acts as its administrator, and the record says so.
ADMINISTRATOR = Actor(id="cli:administrator", kind="system", name="Administrator at the command line", role="operator")


@contextmanager
def _engine() -> Iterator[Engine]:
    try:
        engine = engine_for(settings().database_url("portal"), pool_size=1)
    except SettingsError as error:
        raise _stopped(error) from error
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _acting() -> Iterator[UnitOfWork]:
    """Give a unit of work of the administrator; a refusal is printed and ends the command."""
    with _engine() as engine:
        try:
            with UnitOfWork(engine, "portal", Context(actor=ADMINISTRATOR)) as uow:
                yield uow
        except ValidationError as error:
            raise _stopped(invalid(error)) from error
        except TamgaError as error:
            raise _stopped(error) from error


@contextmanager
def _looking() -> Iterator[Connection]:
    with _engine() as engine, reading(engine) as connection:
        yield connection


def _stopped(error: Exception) -> typer.Exit:
    Console(stderr=True).print(str(error), style="red", markup=False)
    for line in error.lines() if isinstance(error, EditedError) else ():
        Console(stderr=True).print(f"  {line}", markup=False)
    for name, rule in getattr(error, "fields", {}).items():
        Console(stderr=True).print(f"  {name} {rule}", style="red", markup=False)
    return typer.Exit(NO_ANSWER)


def _show(rows: list[dict[str, Any]], columns: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, default=str, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row[name])) for name in columns))
    Console().print(table if rows else "Nothing.")


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return in_utc(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else "–" if value is None else str(value)


@user.command("list")
def list_users(*, words: Annotated[str, typer.Argument()] = "", as_json: AsJson = False) -> None:
    """List people whose name, address or organisation has the words."""
    with _looking() as connection:
        rows = [dict(row) for row in storage.people(connection, words=words, limit=1000)]
    _show(rows, {"name": "Name", "email": "Address", "roles": "Roles", "active": "Active"}, as_json=as_json)


@user.command("add")
def add_user(  # noqa: PLR0917 - Typer makes options of them
    email: str,
    name: Annotated[str, typer.Option()],
    role: Annotated[list[str], typer.Option()],
    organisation: Annotated[str | None, typer.Option()] = None,
    locale: Annotated[str, typer.Option()] = "en",
    programme_id: Annotated[list[str] | None, typer.Option("--programme")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Add a person; prints the generated password once."""
    facts = {"name": name, "email": email, "roles": role, "organisation": organisation, "locale": locale}
    with _acting() as uow:
        _check_programmes(uow.connection, programme_id or [])
        new = NewUser.model_validate(facts | {"programmes": programme_id or []})
        person, password = accounts.add_user(uow, new)
    row = {"id": person.id, "email": person.email, "roles": person.roles, "password": password}
    if as_json:
        _show([row], {}, as_json=True)
        return
    for fact, heading in {"id": "Id", "email": "Address", "roles": "Roles", "password": "Password"}.items():
        print(f"{heading:<9} {_cell(row[fact])}")  # each in one line on any terminal: it is there to be copied


def _check_programmes(connection: Connection, ids: list[str]) -> None:
    known = [str(row["id"]) for row in storage.programme_list(connection)]
    if not set(ids) <= set(known):
        raise InvalidError({"programme": f"is none of {', '.join(known)}"})


@user.command("deactivate")
def deactivate_user(who: str, reason: Annotated[str, typer.Option()]) -> None:
    """Let a person (id or address) in no more; their sessions end at once."""
    with _acting() as uow:
        accounts.deactivate_user(uow, accounts.find_user(uow, who).id, reason)
    print(f"{who} is deactivated")


@user.command("grant-role")
def grant_role(who: str, role: str) -> None:
    """Give a person (id or address) one more role; it counts from their next request on."""
    with _acting() as uow:
        person = accounts.grant_role(uow, accounts.find_user(uow, who).id, role)
    print(f"{person.email}: {', '.join(person.roles)}")


@user.command("erase")
def erase_user(who: str) -> None:
    """Forget who an applicant's person is (id or address): after `tamga audit erase`, which says whether it may be."""
    with _acting() as uow:
        person = accounts.find_user(uow, who)
        done = accounts.erase_user(uow, person.id)
    print(f"{person.id}: {'erased' if done else 'was erased before'}")


@user.command("reset-password")
def reset_password(who: str) -> None:
    """Give a person (id or address) a new generated password, printed once; their sessions end."""
    with _acting() as uow:
        password = accounts.reset_password(uow, accounts.find_user(uow, who).id)
    print(password)


@user.command("link")
def make_link(who: str, *, as_json: AsJson = False) -> None:
    """Make a link by which a person (id or address) chooses a password; printed once, good for one use and a day."""
    with _acting() as uow:
        link = links.issue(uow, accounts.find_user(uow, who))
    _show_link(link, as_json=as_json)


@user.command("first")
def first_user(email: str, *, as_json: AsJson = False) -> None:
    """Make the first operator's link, adding the person if need be; nothing once an operator has signed in."""
    with _acting() as uow:
        link = links.issue_first(uow, email)
    if link is not None:
        _show_link(link, as_json=as_json)
    else:
        others = here("tamga user link EMAIL")
        print("{}" if as_json else f"An operator has signed in already: `{others}` makes others' links.")


def _show_link(link: links.Link, *, as_json: bool) -> None:
    url = f"{settings().base_url.rstrip('/')}/welcome/{link.token}"
    row = {"email": link.user.email, "until": in_utc(link.until), "url": url}
    print(json.dumps(row) if as_json else f"For {row['email']}, one use, until {row['until']}:\n{url}")


@programme.command("load")
def load_programme(
    path: Path,
    *,
    replace_edited: Annotated[bool, typer.Option(help="Take what the files say over what the browser says.")] = False,
    keep_edited: Annotated[bool, typer.Option(help="Load the rest; let be what was edited in the browser.")] = False,
) -> None:
    """Load a programme pack from its folder; says when nothing in it is new, and what would be undone."""
    choice: Choice = "replace" if replace_edited else "keep" if keep_edited else "ask"
    with _acting() as uow:
        if replace_edited and keep_edited:
            raise InvalidError({"--keep-edited": "can't stand beside --replace-edited"})
        programme_id, pack, sha256 = read_pack(path)
        loaded, changed = load_pack(uow, programme_id, pack, sha256, edited=choice)
    print(f"{loaded.id}: pack version {loaded.pack_version}" + ("" if changed else ", nothing new"))


@programme.command("list")
def list_programmes(*, as_json: AsJson = False) -> None:
    """List the programmes of this installation."""
    with _looking() as connection:
        rows = [dict(row) for row in storage.programme_list(connection)]
    columns = {"id": "Programme", "pack_version": "Pack version", "sha256": "SHA-256", "updated_at": "Loaded"}
    _show(rows, columns, as_json=as_json)
