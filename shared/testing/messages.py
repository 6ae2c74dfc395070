"""Messages that a test sends by itself: shuffled, twice, strange, or broken."""

from __future__ import annotations

from collections.abc import Iterable

import amqp

from shared.events import Envelope
from shared.messaging.link import channel_of
from shared.messaging.wire import Raw, encode
from shared.testing.backbone import TYPE, Backbone


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
