"""Deciding who is told of an event, rule by rule, and writing their letters.

Everything decided is kept with its reasons, so that "why was I (not) notified?" has an answer. The same
event decided again writes nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from zoneinfo import ZoneInfo

from services.notifications import storage
from services.notifications.counting import tally
from services.notifications.domain.audience import PARTIES, ROLE_OF_PARTY, Person, Step, left_out, step, wanted_parties
from services.notifications.domain.delivery import Delivery
from services.notifications.domain.ruleset import Channel, Rule, RuleSet
from services.notifications.rendering import choose, fill, render, version_of
from services.notifications.storage.standins import standins_on
from shared.database import UnitOfWork
from shared.events import Envelope
from shared.events.envelope import UnknownEventError
from shared.settings import settings


def tell(uow: UnitOfWork, envelope: Envelope) -> None:
    """Write the letters that the programme's rules ask for about this event."""
    if envelope.programme is None or envelope.outcome != "success":
        return
    programme = storage.rules_in_force(uow.connection, envelope.programme)
    if programme is None:
        return
    for rule in programme.rules.matching(envelope.type, envelope.data):
        Telling(uow, envelope, rule, programme.rules, programme.name).decide()


def tell_everywhere(uow: UnitOfWork, envelope: Envelope) -> None:
    """Write the letters about an event of no programme: by each programme's rules, every person once.

    The decision of each is kept under the programme's name, because rules of two programmes are called alike.
    """
    told: set[str] = set()
    for name, found in storage.all_rules(uow.connection).items():
        event = envelope.model_copy(update={"programme": name})
        for rule in found.rules.matching(envelope.type, envelope.data):
            own = rule.model_copy(update={"id": f"{name}/{rule.id}"[:120]})
            Telling(uow, event, own, found.rules, found.name, told=told).decide()


def event_fields(envelope: Envelope) -> dict[str, Any]:
    """Return the event's fields, typed (money, dates) when this release knows the event's version."""
    try:
        event = envelope.event()
    except UnknownEventError:
        return dict(envelope.data)
    return {name: getattr(event, name) for name in type(event).model_fields}


@dataclass
class Telling:
    """One rule's say about one event."""

    uow: UnitOfWork
    envelope: Envelope
    rule: Rule
    rules: RuleSet
    programme_name: dict[str, str]
    steps: list[Step] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    def address(self) -> None:
        """Find whom the rule means, and write each of them."""
        self.note("matched", rule=self.rule.id, event=self.envelope.type)
        for party in wanted_parties(self.rule.to, self.envelope.data):
            addresses = self.envelope.body.parties.get(party, [])
            if party not in PARTIES or not addresses:
                self.note("nobody_in_party", party=party)
            else:
                for address in addresses:
                    self.consider(party, address)

    def decide(self) -> None:
        self.address()
        storage.save_decision(
            self.uow.connection,
            {
                "id": self.uow.ids(),
                "event_id": self.envelope.id,
                "rule": self.rule.id,
                "event_type": self.envelope.type,
                "programme": self.envelope.programme,
                "case": self.envelope.case,
                "envelope": self.envelope.model_dump(mode="json"),
                "trace": [item.model_dump() for item in self.steps],
                "unknown": self.unknown,
                "recipients": len(self.told),
                "decided_at": self.uow.now(),
            },
        )

    def note(self, code: str, **facts: str) -> None:
        self.steps.append(step(code, **facts))

    def consider(self, party: str, address: str) -> None:
        """Tell the people at one address of a party, or note why not."""
        people = storage.people_at(self.uow.connection, address)
        if not people:
            self.note("nobody_known", party=party, address=address)
            self.unknown += [address] if address.startswith("user:") else []
        not_actor = self.envelope.actor.id if self.rule.not_actor else None
        for person in people:
            because = left_out(person, party, address, self.envelope.programme, not_actor)
            if because:
                self.note(because, party=party, person=person.name)
            elif person.id in self.told:
                self.note("named_twice", party=party, person=person.name)
            else:
                self.told.add(person.id)
                self.note("told", party=party, address=address, person=person.name)
                self.write(person, party, address)
                self.tell_standins(person, party)

    def tell_standins(self, away: Person, party: str) -> None:
        """Tell whoever acts for somebody who was told, too."""
        for delegator, role, delegate in self.standins:
            if delegator != away.id or (role != ROLE_OF_PARTY[party] and party != "colleague"):
                continue
            for person in storage.people_at(self.uow.connection, f"user:{delegate}"):
                not_actor = self.envelope.actor.id if self.rule.not_actor else None
                address = f"user:{person.id}"
                if left_out(person, party, address, self.envelope.programme, not_actor) or person.id in self.told:
                    continue
                self.told.add(person.id)
                self.note("stands_in", person=person.name, name=away.name)
                self.write(person, party, address)

    @cached_property
    def standins(self) -> list[tuple[str, str, str]]:
        """Return (who is away, role, who acts) in the event's programme when it happened."""
        happened = self.envelope.time
        day = happened.astimezone(ZoneInfo(self.rules.timezone)).date()
        return standins_on(self.uow.connection, self.envelope.programme or "", day, happened)

    def write(self, person: Person, party: str, address: str) -> None:
        """Write the letter in the person's language, once for each channel."""
        letter = self.rules.letters[self.rule.letter]
        locale, text = choose(self.rules, letter, person.locale)
        fields = self.fields(person, locale)
        subject, body = render(text, fields, locale, self.rules)
        trace = [
            self.steps[0],
            step("told", party=party, address=address, person=person.name),
            step("language", wanted=person.locale, chosen=locale),
        ]
        for channel in self.rule.channels:
            if (person.id, channel, self.rule.letter) in self.written:
                continue
            delivery = Delivery(
                id=str(self.uow.ids()),
                **self.origin(),
                recipient=person.id,
                recipient_name=person.name,
                address=person.email if channel == "email" else "",
                channel=channel,
                template_version=version_of(letter),
                locale=locale,
                subject=subject,
                text=body,
                link=fields["link"],
                links=list(self.rule.links) if channel == "email" else [],
                created_at=self.uow.now(),
                trace=trace,
            )
            self.dispatch(delivery, channel, person)

    @cached_property
    def written(self) -> set[tuple[str, str, str]]:
        """Return the letters that an earlier decision about this event has brought."""
        return storage.letters_about(self.uow.connection, self.envelope.id)

    def origin(self) -> dict[str, Any]:
        """Return what a letter keeps of its event and its rule."""
        return {
            "event_id": str(self.envelope.id),
            "event_type": self.envelope.type,
            "about": self.envelope.entity,
            "case_reference": self.envelope.case,
            "programme": self.envelope.programme,
            "case_parties": self.envelope.body.parties,
            "correlation_id": str(self.envelope.correlation_id),
            "traceparent": self.uow.context.traceparent,
            "rule": self.rule.id,
            "category": self.rule.category,
            "template": self.rule.letter,
        }

    def dispatch(self, delivery: Delivery, channel: Channel, person: Person) -> None:
        """Start the letter on its way, unless the person can't or does not want to get it."""
        storage.deliveries(self.uow).add(delivery)
        if channel == "inbox":
            delivery.put_in_inbox(self.uow.now())
        elif not person.email:
            delivery.suppress("no_address")
        elif self.muted(person):
            delivery.suppress("muted")
        else:
            delivery.queue(self.uow.now())
        self.uow.after_commit.append(partial(tally, delivery))

    def muted(self, person: Person) -> bool:
        category = self.rules.categories[self.rule.category]
        return not category.locked and self.rule.category in storage.muted_categories(self.uow.connection, person.id)

    def fields(self, person: Person, locale: str) -> dict[str, Any]:
        """Return everything that the letter may name, for one reader."""
        envelope, zone = self.envelope, self.rules.timezone
        actor, connection = envelope.actor, self.uow.connection
        fields = event_fields(envelope) | {
            "reader_name": person.name,
            "actor_name": actor.name if actor.kind == "person" else self.programme_name,
            "actor_organisation": storage.organisation_name(connection, actor.organisation),
            "programme_name": self.programme_name,
            "case_reference": envelope.case or "",
            "happened_at": envelope.time,
            "given_reason": envelope.body.reason,
        }
        page = fill(self.rule.link, fields, locale, zone).strip()
        return fields | {"link": f"{settings().base_url.rstrip('/')}{page}" if page else ""}
