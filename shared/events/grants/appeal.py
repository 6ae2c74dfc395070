"""Appeals against rejections."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event


class AppealFact(Event):
    """What every event of an appeal says; `reference` is the application's."""

    reference: str
    title: str
    organisation_id: str
    organisation_name: str
    notify: list[str] = []


class AppealLodged(AppealFact):
    """The applicant appealed against a rejection, on the last day `until` or before. Entity appeal:<reference>."""

    TYPE = "grants.appeal.lodged"
    grounds: str
    rejected_on: date
    until: date


class AppealDecided(AppealFact):
    """Somebody who did not decide before granted the appeal or refused it: `outcome` is granted or refused."""

    TYPE = "grants.appeal.decided"
    outcome: str
    reason_code: str
    reason_names: dict[str, str]
    words: str
