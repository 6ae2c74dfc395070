"""Moving a live case to a newer version of its workflow: an explicit act, never a side effect of loading one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.grants.domain.application import Application, Calendar, Person
from services.grants.domain.pack import Call, Pack
from shared.errors import ConflictError
from shared.events.grants.application import ApplicationMigrated
from shared.workflow import NoPlanError, Step, Workflow, migration


@dataclass(frozen=True)
class Way:
    """What becomes of a case at one stage: where it goes (None: it stays with its version), or why it can't."""

    stage: str
    to: str | None
    why: str = ""

    @property
    def open(self) -> bool:
        """Return whether the case can be moved."""
        return self.to is not None and not self.why


def ways(old: Workflow, new: Workflow, pack: Pack, call: Call) -> dict[str, Way]:
    """Return {stage: what becomes of cases there} for cases of `call`, as `pack` has it, that live under `old`.

    Only the workflow is taken from the newer version: what it requires must be what the case's own call has.
    Raises ConflictError when the two are not an older and a newer version of one workflow.
    """
    try:
        plan = migration(old, new)
    except NoPlanError as error:
        raise ConflictError("%(why)s", why=str(error)) from error
    lacking = _lacking(new, pack, call)
    return {step.stage: _way(step, lacking) for step in plan.steps}


def _way(step: Step, lacking: list[str]) -> Way:
    if step.outcome == "blocked":
        return Way(step.stage, None, step.message or "")
    if step.outcome == "ended":
        return Way(step.stage, None)
    return Way(step.stage, step.to, f"the case's call has no {', no '.join(lacking)}" if lacking else "")


def _lacking(new: Workflow, pack: Pack, call: Call) -> list[str]:
    """Return what the newer workflow requires and the call, as the case is pinned to it, does not have."""
    has = {f"document:{item.type}" for item in call.documents}
    has |= {f"checklist:{item.checklist}" for item in pack.checklists_of(call)}
    named = {need for move in new.transitions for need in move.requires if need.startswith(("document:", "checklist:"))}
    return sorted(named - has)


def migrate(
    application: Application,
    way: Way,
    old: Workflow,
    new: Workflow,
    *,
    pack_version: int,
    calendar: Calendar,
    by: Person,
    now: datetime,
    reason: str,
) -> None:
    """Put the case under the newer version; it keeps its place, its answers, its history and its clock."""
    if way.to is None or not way.open:
        why = way.why or "its stage is an end"
        raise ConflictError("%(stage)s can't be moved to the new version: %(why)s", stage=way.stage, why=why)
    before = {"from_version": application.workflow_version, "from_stage": application.stage}
    application.renamed = _renamed(application.renamed, old, new)
    application.workflow_version, application.workflow_pack = new.version, pack_version
    application.stage = way.to
    clock = application.turn(new, calendar, now)
    application.holder, application.due, application.paused = clock.holder, clock.due, clock.paused
    target = new.stage(way.to)
    application.record(
        ApplicationMigrated(
            **application.facts(),
            workflow=new.workflow,
            **before,
            to_version=new.version,
            to_stage=way.to,
            stage_name=target.name,
            public_name=target.public_name or target.name,
            holder=application.holder or "",
            due=application.due,
            reason=reason,
            by=by.name,
            notify=["officer"],
        )
    )


def _renamed(earlier: dict[str, str], old: Workflow, new: Workflow) -> dict[str, str]:
    """Return the stages of a case's past under the ids that they have now."""
    here = {stage.id for stage in old.stages}
    renames = {name: target for name, target in new.migrates.items() if name in here}
    return {name: renames.get(target, target) for name, target in earlier.items()} | renames
