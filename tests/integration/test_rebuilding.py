"""Every declared copy of every service comes out of its events again, from the outbox or from the audit log."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import typer
from grants_world import read_pack
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.audit.handlers import append
from services.backbone import archive, in_log
from shared.database import Context, UnitOfWork, system
from shared.errors import ConflictError
from shared.events import Actor, Envelope, Event, event_types
from shared.events.catalogue import examples
from shared.events.portal import OrganisationRegistered
from shared.messaging import batch, inbox, log_cli
from shared.messaging.projections import Projection, Rebuild
from shared.messaging.wire import encode
from shared.testing.stand import Stand

OPERATOR = Actor(id="operator:test", name="Test")
WITH_COPIES = ("grants", "loans", "notifications")
ALL = [
    (service, name, projection)
    for service in WITH_COPIES
    for name, projection in importlib.import_module(f"services.{service}.projections").PROJECTIONS.items()
]


class House:
    """The databases of all services, and the ways between them without a broker."""

    def __init__(self, stand: Stand) -> None:
        self.engines = {name: stand.database(name) for name in ("portal", *WITH_COPIES, "audit")}
        self.said: set[Any] = set()

    def say(self, event: Event, entity: str, *, case: str | None = None) -> None:
        """Let a service record an event as it does, and let everybody handle it who would."""
        source = event.source()
        with UnitOfWork(self.engines[source], source, Context(actor=system(source))) as uow:
            uow.record(event, entity=entity, case=case, programme="business-ecosystem")
        raws = [encode(envelope) for envelope in self._fresh(source)]
        for service in WITH_COPIES:
            on = importlib.import_module(f"services.{service}.handlers").ON
            heard = [raw for raw in raws if raw.routing_key in on and source != service]
            outcomes = inbox.receive_all(self.engines[service], service, on, heard)
            assert set(outcomes) <= {inbox.Outcome.APPLIED}, (service, event)
        batch.handle_batch(self.engines["audit"], "audit", append, raws)

    def _fresh(self, source: str) -> Iterator[Envelope]:
        with self.engines[source].begin() as connection:
            rows = connection.execute(
                text(
                    "UPDATE outbox SET published_at = recorded_at, position = row WHERE published_at IS NULL RETURNING"
                    " id, type, version, entity, sequence, position, time, correlation_id, causation_id, programme,"
                    ' "case", outcome, body'
                )
            )
            yield from [Envelope(source=source, **row) for row in rows.mappings()]

    def rebuild(self, service: str, name: str, projection: Projection) -> Rebuild:
        """Return a rebuild of one copy."""
        return Rebuild(service, name, projection, self.engines, archive=archive)


@pytest.fixture(scope="module")
def house(stand: Stand) -> House:
    """Give a house in which everything was said that somebody keeps a copy of."""
    found = House(stand)
    pack = read_pack()
    pack.pop("people")
    loaded = event_types()["portal.programme.loaded", 1]
    found.say(loaded(programme_id="business-ecosystem", pack_version=1, sha256="0" * 64, pack=pack), "programme:b")
    kinds = {kind for _, _, projection in ALL for kind in projection.on} - {loaded.TYPE}
    # A person is deactivated after being registered, a letter is read after being sent.
    for kind in sorted(kinds, key=lambda name: ("deactivated" in name, name)):
        event = examples.example(event_types()[kind, 1])
        for about in ("grants.application.submitted", "loans.proposal.submitted"):
            told = event.model_copy(update={"event_type": about}) if hasattr(event, "event_type") else event
            found.say(told, f"{kind.split('.')[1]}:{about}", case=f"case of {about}")
    return found


@pytest.mark.parametrize(("service", "name", "projection"), ALL, ids=[f"{item[0]}-{item[1]}" for item in ALL])
def test_every_projection_comes_out_of_its_events_again(
    house: House, service: str, name: str, projection: Projection
) -> None:
    """Built anew, each copy has rows and is equal to the live one, which nobody touched."""
    found = house.rebuild(service, name, projection).run(OPERATOR)
    assert found.comparison.equal, found.comparison
    assert found.comparison.rows > 0
    assert (found.lost, found.from_log, found.swapped) == (0, 0, False)


@contextmanager
def forgotten(engine: Engine) -> Iterator[None]:
    """Take every event out of an outbox for a while, as if its months were dropped."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TEMP TABLE aside AS SELECT * FROM outbox"))
        connection.execute(text("DELETE FROM outbox"))
        kept = connection.execute(text("SELECT to_jsonb(aside)::text FROM aside")).scalars().all()
        connection.execute(text("DROP TABLE aside"))
    yield
    with engine.begin() as connection:
        back = "INSERT INTO outbox OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(NULL::outbox, :row)"
        connection.execute(text(back.replace(":row", "CAST(:row AS jsonb)")), [{"row": row} for row in kept])


def test_what_left_the_outbox_is_read_from_the_audit_log(house: House) -> None:
    """With every month of the portal dropped the copy is still built whole, from the log; without the log it stays."""
    [(_, _, people)] = [item for item in ALL if item[:2] == ("loans", "people")]
    with forgotten(house.engines["portal"]):
        found = house.rebuild("loans", "people", people).run(OPERATOR, swap=True)
        assert (found.from_log, found.lost, found.swapped) == (found.events, 0, True)
        assert found.comparison.equal
        without = Rebuild("loans", "people", people, house.engines)
        with pytest.raises(ConflictError, match="neither in an outbox nor in the audit log"):
            without.run(OPERATOR, swap=True)
    assert house.rebuild("loans", "people", people).run(OPERATOR).comparison.equal


def test_a_handler_that_touches_anything_else_is_refused(house: House) -> None:
    """A projection that would write elsewhere, here an event, fails by name, and nothing of it happens."""

    def meddle(uow: UnitOfWork, envelope: Envelope) -> None:
        uow.record(examples.example(OrganisationRegistered), entity=envelope.entity)
        uow.flush()

    meddling = Projection(("organisation",), {"portal.organisation.registered": meddle})
    count = text("SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM organisation)")
    with house.engines["loans"].connect() as connection:
        before = connection.execute(count).one()
    with pytest.raises(ConflictError, match=r"can't be applied anew"):
        house.rebuild("loans", "organisations", meddling).run(OPERATOR, swap=True)
    with house.engines["loans"].connect() as connection:
        assert connection.execute(count).one() == before


def test_a_copy_that_is_in_use_is_not_waited_for_longer_than_a_moment(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When somebody has the table in hands the rebuild gives up with a sentence and has changed nothing."""
    [(_, _, people)] = [item for item in ALL if item[:2] == ("grants", "people")]
    monkeypatch.setattr("shared.messaging.shadow.LOCK_SECONDS", 0.1)
    with house.engines["grants"].begin() as connection:
        connection.execute(text("LOCK TABLE person IN ROW EXCLUSIVE MODE"))
        with pytest.raises(ConflictError, match="busy"):
            house.rebuild("grants", "people", people).run(OPERATOR, swap=True)


@pytest.fixture
def tamga(house: House) -> typer.Typer:
    """Give the operator's commands on the house."""
    declared = {service: {name: item for owner, name, item in ALL if owner == service} for service in WITH_COPIES}
    log = log_cli.Log(
        engines=lambda: house.engines,
        consumers=dict,
        owner=lambda service: house.engines[service],
        in_log=in_log,
        kept_months=lambda: 0,
        projections=lambda: declared,
        archive=archive,
    )
    app = typer.Typer()
    app.add_typer(log_cli.projections(log), name="projections")
    return app


def _run(app: typer.Typer, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["projections", *words], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_the_commands_show_compare_and_mend(house: House, tamga: typer.Typer) -> None:
    """Listed with their rows; a damaged one fails with the fields that differ, and is whole after the swap."""
    code, listed = _run(tamga, "list", "--json")
    assert (code, len(json.loads(listed))) == (0, len(ALL))
    assert all(item["rows"] > 0 for item in json.loads(listed))
    assert _run(tamga, "list")[0] == 0
    code, planned = _run(tamga, "rebuild", "people", "--service", "loans", "--dry-run", "--json")
    assert {item["type"]: item["events"] for item in json.loads(planned)}["portal.user.registered"] == 2
    with house.engines["loans"].begin() as connection:
        connection.execute(text("UPDATE organisation SET name = 'Other'"))
        gone = connection.execute(text("DELETE FROM person RETURNING name")).scalars().all()
    code, shown = _run(tamga, "rebuild", "organisations", "--service", "loans")
    assert code == 1
    assert '"Other" →' in shown
    code, shown = _run(tamga, "rebuild", "people", "--swap")
    assert code == 0
    assert f'name: "{gone[0]}"' in shown
    assert _run(tamga, "rebuild", "organisations", "--swap")[0] == 0
    code, equal = _run(tamga, "rebuild", "organisations", "--json")
    assert (code, [item["service"] for item in json.loads(equal)]) == (0, list(WITH_COPIES))


def test_a_projection_that_nobody_declares_is_said_in_a_sentence(tamga: typer.Typer) -> None:
    """A wrong name is exit code 2 and no traceback."""
    code, said = _run(tamga, "rebuild", "peoples")
    assert code == 2
    assert "no projection peoples" in said
