"""Messages that come twice, and workers and lines that end in the middle: one effect each, every message acked."""

from __future__ import annotations

import pytest
from hands import barrier, blocked, in_work, line_to, nobody_left, send, send_again, through

from shared.testing.backbone import Backbone, event_of, eventually
from shared.testing.scenario import Scenario


def test_duplicate_delivery_sequential(backbone: Backbone, scenario: Scenario) -> None:
    """Every event delivered three times, the last time to another process: one effect each, every delivery acked."""
    with backbone.relaying(), backbone.working():
        for number in range(scenario.many(60)):
            backbone.commit(f"e{number % 6}")
        scenario.settle()
        send_again(backbone)
        scenario.settle()
    scenario.note(deliveries=3 * send_again(backbone))
    scenario.sent(send(backbone, event_of("last", 1)))  # handled after all that came before it
    with backbone.working():
        scenario.settle()
    assert nobody_left(backbone) == 0


@pytest.mark.parametrize("role", ["worker", "batch"])
def test_duplicate_delivery_concurrent(backbone: Backbone, scenario: Scenario, role: str) -> None:
    """Two processes stand with one event before the inbox in open transactions, and are let go at once: one effect."""
    rounds = scenario.many(8)
    with backbone.working(role), backbone.working(role):
        eventually(lambda: backbone.depth().consumers == 2)
        for number in range(rounds):
            event = event_of(f"e{number}", 1)
            with barrier(backbone, parties=2):
                scenario.sent(send(backbone, event, times=2))
            eventually(lambda number=number: len(backbone.effects()) == number + 1)
        scenario.settle()
    scenario.note(rounds=rounds, consumer=role)
    assert nobody_left(backbone) == 0


def test_crash_after_effect_before_ack(backbone: Backbone, scenario: Scenario) -> None:
    """SIGKILL before the commit leaves nothing, after it a duplicate: the next worker makes one effect of each."""
    with line_to(backbone.amqp_url, 5672) as line:
        worker = backbone.worker(amqp_url=through(backbone.amqp_url, line))
        eventually(lambda: backbone.depth().consumers)
        slow, *others = [event_of(f"e{number}", 1, "ok" if number else "slow:0.6") for number in range(30)]
        scenario.sent(send(backbone, slow, *others))
        eventually(lambda: in_work(backbone) and not backbone.depth().messages)
        line.swallow()  # from here on no ack arrives
        eventually(lambda: len(backbone.effects()) == 30)
        worker.kill()
        worker.wait()
    assert nobody_left(backbone) == 30
    scenario.sent(send(backbone, event_of("late", 1, "slow:0.4")))
    with backbone.working() as worker:
        eventually(lambda: in_work(backbone))
        worker.kill()
        worker.wait()
    assert len(backbone.effects()) == 30
    scenario.fault_over()
    with backbone.working():
        scenario.settle()
    assert nobody_left(backbone) == 0


def test_connection_cut_mid_handler(backbone: Backbone, scenario: Scenario) -> None:
    """The broker delivers again while the first handler still runs: the second waits for it, and acks only its own."""
    with line_to(backbone.amqp_url, 5672) as line, backbone.working(amqp_url=through(backbone.amqp_url, line)) as cut:
        scenario.sent(send(backbone, event_of("a", 1, "slow:2")))
        eventually(lambda: in_work(backbone))
        with backbone.working():
            eventually(lambda: backbone.depth().consumers == 2)
            line.cut()
            scenario.fault_over()
            eventually(lambda: blocked(backbone) == 1)
            assert backbone.effects() == []
            # The first handler holds tag 1 of a channel that is gone; on the new one tag 1 is another event's.
            eventually(lambda: backbone.depth().consumers == 2)
            scenario.sent(send(backbone, *(event_of(f"b{number}", 1, "slow:0.2") for number in range(6))))
            eventually(backbone.effects)
            cut.kill()
            cut.wait()
            scenario.settle()
    assert next(entity for _, entity, _ in backbone.effects()) == "user:a"
    assert nobody_left(backbone) == 0


def test_sigterm_mid_handler_acks(backbone: Backbone, scenario: Scenario) -> None:
    """The worker ends with the running handler's ack: nothing comes again; what it had not begun is left to others."""
    scenario.sent(send(backbone, event_of("a", 1, "slow:0.6")))
    with backbone.working() as worker:
        eventually(lambda: in_work(backbone))
        worker.terminate()
        assert worker.wait(timeout=20) == 0
    assert nobody_left(backbone) == 0
    assert len(backbone.effects()) == 1
    scenario.sent(send(backbone, event_of("b", 1, "slow:0.6")))
    with backbone.working() as worker:
        eventually(lambda: in_work(backbone))
        scenario.sent(send(backbone, *(event_of(f"c{number}", 1) for number in range(5))))
        worker.terminate()
        assert worker.wait(timeout=20) == 0
    assert nobody_left(backbone) == 5
    assert len(backbone.effects()) == 2
    scenario.fault_over()
    with backbone.working():
        scenario.settle()


def test_sigterm_deadline_exceeded_redelivers(backbone: Backbone, scenario: Scenario) -> None:
    """After the deadline the process ends with an error, no ack and no effect; delivered again, there is one."""
    scenario.sent(send(backbone, event_of("a", 1, "slow:1")))
    with backbone.working(drain=0.3) as worker:
        eventually(lambda: in_work(backbone))
        worker.terminate()
        assert worker.wait(timeout=15) == 1
    assert nobody_left(backbone) == 1
    assert backbone.effects() == []
    scenario.fault_over()
    with backbone.working():
        scenario.settle()
    assert nobody_left(backbone) == 0
