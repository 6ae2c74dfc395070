"""The contest: the same acts through Tamga, through its peers, and through what broker and database allow."""

from __future__ import annotations

from functools import reduce

from shared.testing.stand import Stand
from tests.bench.measure import SAY, Measured, MismatchError, Say, committed, eventually, timed
from tests.bench.systems import Peer
from tests.bench.tamga import Tamga

PEERS = (
    ("nameko stock", "nameko_stock", "evt-acts-done--audit.on_act"),
    ("Celery", "celery_tasks", "celery"),
    ("FastStream", "faststream_acts", "acts"),
)
RATE = 200.0  # acts a second while latency is measured
WARM = int(2 * RATE)  # acts that come before: what processes do for the first time is no system's latency


def contest(stand: Stand, acts: int, seconds: float, rounds: int, say: Say) -> list[Measured]:
    """Return what each system did, Tamga first and the floor last.

    Each has its turn in every round, for a machine is not as fast at one time as at another; the rounds are summed.
    """
    found = [_round(stand, acts, seconds, say) for _ in range(rounds)]
    return [reduce(Measured.with_more, turns) for turns in zip(*found, strict=True)]


def _round(stand: Stand, acts: int, seconds: float, say: Say) -> list[Measured]:
    found = [_tamga(stand, acts, seconds, say)]
    found += [_peer(stand, peer, acts, seconds, say) for peer in PEERS]
    floor = Measured("the floor")
    with Peer(stand, "the floor", "floor", "floor") as system:
        floor.carried = timed(system, system.carrying(acts, actors=1), acts)
        say(SAY("the floor: publish and COPY", floor.carried.per_second))
    return [*found, floor]


def _tamga(stand: Stand, acts: int, seconds: float, say: Say) -> Measured:
    measured = Measured("Tamga")
    with Tamga(stand) as system:
        measured.whole = timed(system, system.acting(acts), acts)
        _ordered(system)
        say(SAY("Tamga: acting and carrying", measured.whole.per_second))
    with Tamga(stand, start=False) as system:
        measured.committed = committed(system, acts)
        say(SAY("Tamga: acting alone", measured.committed.per_second))
        system.start()
        measured.carried = timed(system, [system.relay()], acts)
        _ordered(system)
        say(SAY("Tamga: from commit to audited", measured.carried.per_second))
    with Tamga(stand, ordinary=True) as system:
        count = int(seconds * RATE) + WARM
        measured.paced = timed(system, system.acting(count, rate=RATE), count)
        system.finish()
        eventually(lambda: system.handled() == count, "every event is handled")
        _ordered(system)
        measured.latencies, measured.audited = system.latencies(WARM), system.audited(WARM)
        say(f"Tamga: {len(measured.latencies)} latencies")
    return measured


def _ordered(system: Tamga) -> None:
    if not system.in_order():
        raise MismatchError("events of an entity are out of order, or one is missing")


def _peer(stand: Stand, peer: tuple[str, str, str], acts: int, seconds: float, say: Say) -> Measured:
    measured = Measured(peer[0])
    with Peer(stand, *peer) as system:
        measured.whole = timed(system, system.acting(acts), acts)
        say(SAY(f"{system.name}: acting and carrying", measured.whole.per_second))
        system.empty()
        measured.carried = timed(system, system.carrying(acts), acts)
        say(SAY(f"{system.name}: carrying alone", measured.carried.per_second))
        system.empty()
        count = int(seconds * RATE) + WARM
        measured.paced = timed(system, system.acting(count, rate=RATE), count)
        measured.latencies = system.latencies(WARM)
    return measured
