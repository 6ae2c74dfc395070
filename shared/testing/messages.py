"""Messages that a test sends by itself: shuffled, twice, strange, or broken."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import amqp

from shared.events import Envelope
from shared.events.gaps import Alarm, gap_events
from shared.messaging.link import channel_of
from shared.messaging.wire import Raw, encode
from shared.testing.backbone import CONSUMER, SOURCE, TYPE, Backbone


def send(backbone: Backbone, messages: Iterable[Envelope | Raw]) -> None:
    """Publish events, or messages as they are, in this order; returns when the broker has them."""
    with channel_of(backbone.amqp_url) as channel:
        channel.confirm_select()
        for item in messages:
            raw = encode(item) if isinstance(item, Envelope) else item
            message = amqp.Message(
                raw.body, application_headers=raw.headers, message_id=raw.message_id or "", delivery_mode=2
            )
            channel.basic_publish_confirm(
                message, exchange=backbone.exchange, routing_key=raw.routing_key or TYPE, mandatory=True
            )


def alarm_of(entity: str, first: int, last: int) -> Alarm:
    """Return the consumer's alarm that events of an entity of the source are missing."""
    alarmed: type[Alarm] = gap_events(CONSUMER)[0]
    about, since = f"{SOURCE}/user:{entity}", datetime.now(UTC)
    return alarmed(of=SOURCE, about=about, counted="sequence", first=first, last=last, since=since, waiting=0, asked=1)
