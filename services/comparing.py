"""The nightly comparison of every service's live rows with the record: on the one machine a thread beside the watch."""

from __future__ import annotations

import threading
from datetime import datetime, time
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from services.audit.handlers.comparison import Comparing
from services.audit.storage import comparing
from services.audit.storage.opening import Opener
from services.audit.storage.subjects import subjects_of
from services.backup.nightly import last_due
from shared.clock import utc_now
from shared.database import engine_for, reading, system
from shared.settings import SERVICES, Settings

log = structlog.get_logger(__name__)

AT = time(3, 30)  # local time of the house: after the backup
_LOOK = 60.0  # seconds
_NAME = "tamga compares"


class Nightly:
    """Compares every night until it is told to stop, and at once after a night that was missed."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.began = settings, utc_now()
        self.engines = {
            service: engine_for(settings.database_url(service), pool_size=1, application_name=_NAME)
            for service in SERVICES
        }

    @property
    def audit(self) -> Engine:
        """Return the record's database."""
        return self.engines["audit"]

    def is_due(self, now: datetime) -> bool:
        """Say whether no comparison was made since the last hour for one; a new house waits for its first night."""
        with reading(self.audit) as connection:
            made = comparing.newest_by(connection, "audit")
        return (made or self.began) < last_due(now, AT, ZoneInfo(self.settings.time_zone))

    def run(self, stop: threading.Event) -> None:
        """Look now and then whether it is time; what is away is compared later."""
        while not stop.wait(_LOOK):
            try:
                if self.is_due(utc_now()):
                    self._compare()
            except (SQLAlchemyError, OSError) as error:
                log.warning("live rows can't be compared now", error=str(error).splitlines()[0])

    def _compare(self) -> None:
        run = Comparing(self.audit, self.engines, Opener(subjects_of(self.settings))).run(system("audit"))
        if run.found:
            some = [f"{item['source']}/{item['entity']}" for item in run.findings[:20]]
            log.error("live rows were changed past the programs", count=run.found, some=some)
