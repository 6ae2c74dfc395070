"""The worker beside its scenarios: batches, a broker that is away or silent, greenlets."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from hands import first_handled, line_to, send, through

from shared.messaging import topology
from shared.messaging.link import HEARTBEAT
from shared.testing.backbone import Backbone, event_of, eventually
from shared.testing.scenario import Scenario

FIRST_HANDLED = 5.0  # seconds after the broker speaks again


def test_the_batch_consumer_takes_each_event_once_and_isolates_poison(backbone: Backbone) -> None:
    """Sixty events and a poisoned one in batches: sixty effects, one row in quarantine, everything acked."""
    for number in range(61):
        backbone.commit(f"e{number}", "poison" if number == 30 else "ok")
    with backbone.relaying(), backbone.working("batch"):
        eventually(lambda: len(backbone.effects()) == 60)
        eventually(lambda: backbone.count("SELECT count(*) FROM quarantine") == 1)
        eventually(lambda: backbone.unpublished() == 0)
    assert backbone.depth().messages == 0
    assert len({event_id for event_id, _, _ in backbone.effects()}) == 60


def test_a_silent_broker_is_given_up_after_two_heartbeats(backbone: Backbone, scenario: Scenario) -> None:
    """A line that stays open and says nothing is left; once it speaks again the first event is handled soon."""
    with (
        line_to(backbone.amqp_url, 5672) as line,
        backbone.working(amqp_url=through(backbone.amqp_url, line), heartbeat=1),
    ):
        scenario.sent(send(backbone, event_of("a", 1)))
        scenario.settle()
        line.muted.set()
        scenario.sent(send(backbone, event_of("a", 2)))
        began = time.monotonic()
        eventually(lambda: backbone.depth().consumers == 0, seconds=10)
        scenario.note(given_up_after=time.monotonic() - began, heartbeat=1)
        line.muted.clear()
        line.cut()
        scenario.fault_over()
        first = first_handled(backbone, 1)
        scenario.settle()
    assert 2 * HEARTBEAT <= 30
    assert first <= FIRST_HANDLED


def test_a_worker_waits_for_its_broker_and_ends_when_asked(backbone: Backbone) -> None:
    """Started before its broker it comes up with it; asked to end while the broker is away it ends at once."""
    with line_to(backbone.amqp_url, 5672) as line:
        line.cut(refuse=True)
        early, never = (backbone.worker(amqp_url=through(backbone.amqp_url, line)) for _ in range(2))
        time.sleep(0.5)
        never.terminate()
        assert never.wait(timeout=8) == 0
        line.heal()
        eventually(lambda: backbone.depth().consumers == 1)
        line.cut(refuse=True)
        eventually(lambda: backbone.depth().consumers == 0)
        early.terminate()
        assert early.wait(timeout=8) == 0


def test_a_queue_that_is_not_there_has_no_depth(backbone: Backbone) -> None:
    """Of two queues that are asked for, the one that stands is answered and the other left out."""
    assert topology.depths(backbone.amqp_url, ["no-such-queue", backbone.queue]).keys() == {backbone.queue}


def test_database_calls_of_greenlets_run_side_by_side(backbone: Backbone) -> None:
    """Five waits of half a second in PostgreSQL take together about half a second, so psycopg is cooperative."""
    script = """
import shared.messaging.green
import sys, time, eventlet
from sqlalchemy import text
from shared.database import engine_for
engine = engine_for(sys.argv[1])
def wait(_):
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(0.5)"))
began = time.monotonic()
list(eventlet.GreenPool(5).imap(wait, range(5)))
sys.exit(0 if time.monotonic() - began < 1.5 else 1)
"""
    url = backbone.consumer.url.render_as_string(hide_password=False)
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", script, url], cwd=root, check=False).returncode == 0


def test_green_refuses_to_come_too_late() -> None:
    """Patching after psycopg was imported would leave every wait blocking, so it is an error."""
    script = "import psycopg, shared.messaging.green"
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", script], cwd=root, check=False, capture_output=True, text=True)
    assert "must be imported before anything else" in ended.stderr
