"""The lines between a world's parts, each through a proxy of its own, so that each can be cut or fall silent."""

from __future__ import annotations

from sqlalchemy.engine import make_url

from shared.testing.backbone import Backbone
from shared.testing.proxy import Proxy


class Lines:
    """The lines between the parts, each through a proxy of its own."""

    def __init__(self, backbone: Backbone) -> None:
        broker = make_url(backbone.amqp_url)
        self.relay_broker, self.worker_broker = (Proxy(str(broker.host), broker.port or 5672) for _ in range(2))
        source, consumer = backbone.source.url, backbone.consumer.url
        self.source = Proxy(str(source.host), source.port or 5432)
        self.consumer = Proxy(str(consumer.host), consumer.port or 5432)

    def all(self) -> list[Proxy]:
        return [self.relay_broker, self.worker_broker, self.source, self.consumer]


def through(url: str, line: Proxy) -> str:
    """Return the URL by way of a line."""
    return make_url(url).set(host="127.0.0.1", port=line.port).render_as_string(hide_password=False)
