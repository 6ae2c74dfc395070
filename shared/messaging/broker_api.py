"""The broker's HTTP API, as far as AMQP can't tell: what is declared, what is bound to what, who may do what."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from shared.direct import ask
from shared.messaging.link import nodes_of

_UNHEALTHY = 503  # the answer to a check that did not pass, with what is wrong in its body
_PORTS = {"amqp": ("http", 15672), "amqps": ("https", 15671)}  # RabbitMQ's own defaults


class BrokerAPIError(RuntimeError):
    """The API can't be asked; the message is one sentence that says what to do."""


def default_url(amqp_url: str) -> str:
    """Return where the API of an AMQP URL's broker is by default, with the same user; of a cluster the first node's."""
    parts = urlsplit(nodes_of(amqp_url)[0])
    scheme, port = _PORTS.get(parts.scheme, _PORTS["amqp"])
    user, at, _ = parts.netloc.rpartition("@")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{scheme}://{user}{at}{host or '127.0.0.1'}:{port}"


def vhost_of(amqp_url: str) -> str:
    """Return the virtual host that an AMQP URL names; "/" when it names none."""
    return unquote(urlsplit(nodes_of(amqp_url)[0]).path[1:]) or "/"


@dataclass(frozen=True)
class BrokerAPI:
    """The API at `url` (http://user:password@host:port), for one virtual host."""

    url: str
    vhost: str = "/"
    patience: float = 5.0  # seconds for each step of an answer

    @property
    def user(self) -> str:
        """Return whom the API is asked as."""
        return unquote(urlsplit(self.url).username or "guest")

    def definitions(self) -> dict[str, Any]:
        """Return everything that is declared on the broker, as RabbitMQ exports it."""
        found: dict[str, Any] = json.loads(self._ask("GET", "/api/definitions"))
        return found

    def alarms(self) -> list[dict[str, Any]]:
        """Return the alarms in effect: {"node": its name, "resource": "memory" or "disk"} each."""
        found: dict[str, Any] = json.loads(self._ask("GET", "/api/health/checks/alarms", expected=_UNHEALTHY))
        return list(found.get("alarms", []))

    def nodes(self) -> list[dict[str, Any]]:
        """Return the nodes; `uptime` in milliseconds where statistics are collected."""
        found: list[dict[str, Any]] = json.loads(self._ask("GET", "/api/nodes"))
        return found

    def connections(self) -> list[dict[str, Any]]:
        """Return the connections; with their `state` where statistics are collected."""
        found: list[dict[str, Any]] = json.loads(self._ask("GET", "/api/connections?columns=state"))
        return found

    def waiting(self) -> dict[str, int]:
        """Return how many messages each queue holds, those included that a consumer has taken and not yet handled."""
        totals = "disable_stats=true&enable_queue_totals=true"  # also where no statistics are collected
        found = json.loads(self._ask("GET", f"/api/queues/{quote(self.vhost, safe='')}?{totals}"))
        return {queue["name"]: queue["messages"] for queue in found if "messages" in queue}

    def permit(self, kind: str, user: str, what: dict[str, str]) -> None:
        """Set a user's `permissions` or `topic-permissions` on the virtual host."""
        self._ask("PUT", f"/api/{kind}/{quote(self.vhost, safe='')}/{quote(user, safe='')}", what)

    def define(self, definitions: dict[str, Any]) -> None:
        """Declare users and what they may do, in the form of `definitions`; others stay as they are."""
        self._ask("POST", "/api/definitions", definitions)

    def _ask(self, method: str, path: str, body: Any = None, *, expected: int | None = None) -> bytes:
        parts = urlsplit(self.url)
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        secret = f"{self.user}:{unquote(parts.password or 'guest')}"
        headers = {"authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
        if body is not None:
            headers["content-type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(place + path, data, headers, method=method)  # noqa: S310 - our own broker
        try:
            return ask(request, self.patience)
        except urllib.error.HTTPError as error:
            if error.code == expected:
                return bytes(error.read())
            raise BrokerAPIError(_refused(error.code, self.user, place)) from error
        except OSError as error:
            raise BrokerAPIError(
                f"The broker's HTTP API does not answer at {place}:"
                " enable its management plugin, or say where it is with TAMGA_AMQP_API_URL."
            ) from error


def _refused(code: int, user: str, place: str) -> str:
    if code == 401:
        return (
            f"The broker is up and does not know {user} by this password at {place}:"
            " put back the secrets that belong to its data, or mend its URL."
        )
    if code == 403:
        return f"The broker's HTTP API at {place} does not let {user} in: it takes a user with the tag administrator."
    return f"The broker's HTTP API at {place} answered with status {code}: look into the broker's log."
