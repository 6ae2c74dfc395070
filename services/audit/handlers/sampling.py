"""Drawing a sample of the log under a checkpoint, so that whoever draws can't choose."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from services.audit.domain import sampling
from services.audit.domain.merkle import ProofError, prove_consistency, verify_consistency
from services.audit.domain.note import NoteError, open_checkpoint
from services.audit.domain.sampling import Drawn, Item
from services.audit.handlers.certificates import Asked
from services.audit.keys import Keys
from services.audit.storage import sampling as storage
from services.audit.storage import tree
from services.audit.storage.append import BrokenLogError
from services.audit.storage.sampling import STRATA, Frame
from services.audit.storage.tree import Signed
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.events.audit import SampleDrawn

MOST = 10_000
PAYMENTS = "grants.award.payment_confirmed"


@dataclass(frozen=True)
class Wanted:
    """What to draw: `kind` "" for cases, else events of that kind; `checkpoint` None for the one that the rule gives.

    The rule: the first checkpoint that was signed after the period's end, or the newest while there is none.
    """

    asked: Asked
    size: int
    kind: str = ""
    by_amount: bool = False
    checkpoint: int | None = None
    strata: str = "programme"


@dataclass(frozen=True)
class Stratum:
    """A part of what may be drawn: how many items it has and how many of them were drawn."""

    name: str
    items: int
    drawn: int


@dataclass(frozen=True)
class Sample:
    """A sample and all that somebody needs to draw it again.

    By amount, `whole` is the sum of amounts and `start` the beginning S in thousandths of the currency.
    """

    checkpoint: Signed
    chosen: bool  # somebody named the checkpoint instead of taking the rule's
    after_end: bool
    kind: str
    items: int
    late: int
    drawn: tuple[Drawn, ...]
    strata: tuple[Stratum, ...]
    whole: Decimal | None = None
    currency: str | None = None
    start: int | None = None


def draw(uow: UnitOfWork, keys: Keys, wanted: Wanted, *, through: str) -> Sample:
    """Return the sample, and record that it was drawn; raises InvalidError, NotFoundError or ConflictError."""
    _sound(wanted)
    asked, signed = wanted.asked, _checkpoint(uow, keys, wanted)
    since, until = asked.bounds()
    kind = wanted.kind or (PAYMENTS if wanted.by_amount else "")
    frame = Frame(asked.programme, since, until, signed.size, kind, wanted.strata, asked.zone)
    items, currencies = storage.events(uow.connection, frame) if kind else (storage.cases(uow.connection, frame), set())
    if wanted.by_amount and len(currencies) > 1:
        found = ", ".join(sorted(currencies))
        rule = Rule("amounts in %(found)s can't be added; narrow it to a programme of one currency", found=found)
        raise InvalidError({"mus": rule})
    drawn = (sampling.by_amount if wanted.by_amount else sampling.by_chance)(items, signed.root, wanted.size)
    whole = sum((item.amount for item in items if item.amount and item.amount > 0), Decimal(0))
    sample = Sample(
        checkpoint=signed,
        chosen=wanted.checkpoint is not None,
        after_end=signed.signed_at >= until,
        kind=kind,
        items=len(items),
        late=storage.late(uow.connection, frame),
        drawn=tuple(drawn),
        strata=_strata(items, drawn),
        whole=whole if wanted.by_amount else None,
        currency=next(iter(currencies), None) if wanted.by_amount else None,
        start=sampling.beginning(signed.root, int(whole * 1000)) if wanted.by_amount else None,
    )
    _record(uow, wanted, sample, through)
    return sample


def _strata(items: list[Item], drawn: list[Drawn]) -> tuple[Stratum, ...]:
    counts, chosen = Counter(item.stratum for item in items), Counter(one.item.stratum for one in drawn)
    return tuple(Stratum(name, counts[name], chosen[name]) for name in sorted(counts))


def _record(uow: UnitOfWork, wanted: Wanted, sample: Sample, through: str) -> None:
    """Put every draw on record with all that it was asked: whoever draws until one suits is seen."""
    event = SampleDrawn(
        since=wanted.asked.since,
        until=wanted.asked.until,
        of=sample.kind,
        method="amount" if wanted.by_amount else "chance",
        strata=wanted.strata,
        wanted=wanted.size,
        drawn=len(sample.drawn),
        items=sample.items,
        checkpoint=sample.checkpoint.size,
        named=sample.chosen,
        through=through,
    )
    uow.record(event, entity=f"sample:{uow.ids()}", programme=wanted.asked.programme or None)


def _sound(wanted: Wanted) -> None:
    if wanted.asked.until < wanted.asked.since:
        raise InvalidError({"to": "is before the first day"})
    if not 1 <= wanted.size <= MOST:
        raise InvalidError({"size": Rule("is from 1 to %(most)s", most=Decimal(MOST))})
    if wanted.strata not in STRATA:
        raise InvalidError({"strata": Rule("is none of %(expected)s", expected=", ".join(STRATA))})


def _checkpoint(uow: UnitOfWork, keys: Keys, wanted: Wanted) -> Signed:
    """Return the checkpoint whose root is the seed, after proving that the log is this checkpoint, continued."""
    if wanted.checkpoint is not None:
        found = tree.checkpoint_at(uow.connection, wanted.checkpoint)
    else:
        until = wanted.asked.bounds()[1]
        found = storage.first_checkpoint(uow.connection, until) or tree.latest_checkpoint(uow.connection)
    if found is None:
        raise NotFoundError("There is no such checkpoint")
    try:
        # Of the row itself only the note is believed, which is signed.
        state, told = tree.head(uow.connection), open_checkpoint(found.note, *keys.verifiers)
        proof = prove_consistency(told.size, state.size, tree.Nodes(uow.connection, state.size))
        verify_consistency(told.size, state.size, told.root, state.root(), proof)
    except (NoteError, ProofError, BrokenLogError) as error:
        raise ConflictError("The log is not its checkpoint, continued: %(why)s", why=str(error)) from error
    return found._replace(size=told.size, root=told.root)
