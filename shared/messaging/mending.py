"""Sends again what reconciling finds missing: the last event of an entity has no follower that would betray its loss.

The source's relay publishes it under the same id and position, so who has it already forgets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError

from shared.commands import here
from shared.database import system
from shared.engine import ReadOnlyError
from shared.events import Actor
from shared.messaging.backfill import AT_ONCE, send_named
from shared.messaging.reconcile import Account, Report

log = structlog.get_logger(__name__)

_NO_RIGHT = (ProgrammingError, ReadOnlyError)  # no grant; a session that may only read


@dataclass
class Mended:
    """What went out again of one source's events for one consumer.

    `absent` are not at their source any more. `unnamed` can't be told from others: too much waits in the consumer's
    queue, or only the sum of a dropped month tells of them.
    """

    consumer: str
    source: str
    sent: int = 0
    absent: int = 0
    unnamed: int = 0


def send_again(engines: Mapping[str, Engine], report: Report, by: Actor, *, dry_run: bool = False) -> list[Mended]:
    """Have every source send again what a consumer misses of it; a dry run only says what would be sent."""
    done = []
    for account in report.accounts:
        if account.unaccounted:
            mended = Mended(account.consumer, account.source, unnamed=max(0, account.unaccounted - len(account.lost)))
            if dry_run:
                mended.sent = len(account.lost)
            else:
                _send(engines[account.source], mended, account.lost, by)
            done.append(mended)
    return done


def _send(engine: Engine, mended: Mended, ids: list[str], by: Actor) -> None:
    left = iter(ids)
    while some := list(islice(left, AT_ONCE)):
        sent, absent = send_named(engine, mended.source, mended.consumer, some, by)
        mended.sent += sent
        mended.absent += absent


class Mender:
    """Has sent again what was missing in two looks in a row, and then, while it stays so, less and less often."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self._engines = engines
        self._looks: dict[tuple[str, str, str], int] = {}

    def mend(self, report: Report) -> list[Mended]:
        """Take note of a look; returns what goes out again because of it."""
        keys = [(account.consumer, account.source, event) for account in report.accounts for event in account.lost]
        self._looks = {key: self._looks.get(key, 0) + 1 for key in keys}
        done = []
        for account in report.accounts:
            if due := [event for event in account.lost if self._is_due(account, event)]:
                mended = Mended(account.consumer, account.source)
                done.append(mended)
                try:
                    _send(self._engines[account.source], mended, due, system("watch"))
                except _NO_RIGHT as error:
                    reason = str(error).splitlines()[0]
                    log.warning("the watch may not mend", use=here("tamga reconcile --send-again"), error=reason)
        return done

    def _is_due(self, account: Account, event: str) -> bool:
        looks = self._looks[account.consumer, account.source, event]
        return looks > 1 and looks & (looks - 1) == 0  # the 2nd, 4th, 8th, 16th...
