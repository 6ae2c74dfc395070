"""Scenario 43: every fault there is, drawn by a seed, on a world under load; and the law by which it is judged.

TAMGA_CHAOS_MINUTES makes it a run of minutes with at least 100,000 events (or TAMGA_CHAOS_EVENTS);
TAMGA_CHAOS_SEED repeats a schedule.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from shared.messaging import relay as relaying
from shared.messaging.reconcile import reconcile
from shared.testing.backbone import CONSUMER, SOURCE, Backbone, backbone_on, eventually
from shared.testing.chaos import Chaos
from shared.testing.node import PrivateBroker
from shared.testing.scenario import Scenario

MINUTES = float(os.environ.get("TAMGA_CHAOS_MINUTES", "0"))
SECONDS = 60 * MINUTES or 1  # in any case every kind of fault once
EVENTS = int(os.environ.get("TAMGA_CHAOS_EVENTS", "100000")) if MINUTES else 1_500
PACE = 2.0 if MINUTES else 0.3
BACKLOG = 3_000 if MINUTES else 500


@pytest.fixture
def backbone(private_broker: PrivateBroker, two_databases: tuple[Engine, Engine]) -> Iterator[Backbone]:
    """Give a backbone on a broker of its own, whatever state the test leaves it in."""
    with backbone_on(private_broker.amqp_url, *two_databases) as parts:
        yield parts
        private_broker.calm()


def test_room_that_a_change_of_policy_makes_is_noticed(
    backbone: Backbone, private_broker: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full queue whose limit is lifted gets what was held back, although the broker does not tell the old channel."""
    monkeypatch.setattr(relaying, "_HOLD", 0.5)
    private_broker.limit(backbone.queue, 5)
    with backbone.relaying(batch=5):
        for _ in range(6):
            backbone.commit("a", *["ok"] * 5)
        held = "SELECT count(*) FROM outbox WHERE held_reason IS NOT NULL"
        eventually(lambda: backbone.count(held, at="source") > 0)
        private_broker.unlimit()
        with backbone.working():
            eventually(lambda: len(backbone.effects()) == 30, seconds=40)
    assert backbone.unpublished() == 0


@pytest.mark.timeout(int(300 + 10 * SECONDS))
def test_random_chaos_seeded(
    scenario: Scenario, private_broker: PrivateBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever was killed, cut, stopped, filled or sent twice: afterwards each event had its one effect, in order."""
    chaos = Chaos(scenario.backbone, private_broker, scenario.seed, pace=PACE)
    try:
        chaos.run(SECONDS, events=EVENTS, backlog=BACKLOG)
        chaos.heal()
        scenario.fault_over()
        scenario.expects(quarantined=chaos.done.poison + len(chaos.done.junk), parked=chaos.done.behind_poison)
        scenario.settle(seconds=120)
        chaos.look()
        _judge(scenario, chaos)
        assert chaos.ended() == []
    except BaseException:
        story = "\n".join(chaos.story)
        print(f"the schedule of TAMGA_CHAOS_SEED={scenario.seed} TAMGA_CHAOS_MINUTES={MINUTES}:\n{story}")  # noqa: T201 - to repeat it
        raise
    finally:
        chaos.close()
    scenario.note(faults=chaos.done.faults.total(), restarts=len(chaos.done.failed))
    with capsys.disabled():
        _print(chaos)


def _judge(scenario: Scenario, chaos: Chaos) -> None:
    """Let reconciliation, which knows nothing of what was injected, come to the same result."""
    backbone = scenario.backbone
    engines = {SOURCE: backbone.source, CONSUMER: backbone.consumer}
    report = reconcile(engines, {CONSUMER: ("portal.user.#",)}, {}, grace=0)
    [account] = report.accounts
    assert (report.unaccounted, account.in_flight) == (0, 0)
    assert account.events == chaos.committed
    assert account.applied + account.parked + account.quarantined == account.events


def _print(chaos: Chaos) -> None:
    table = Table("fault", "times", title=f"{chaos.done.faults.total()} faults on {chaos.committed:,} events")
    for kind, times in sorted(chaos.done.faults.items()):
        table.add_row(kind.replace("_", " "), str(times))
    Console().print(table)
