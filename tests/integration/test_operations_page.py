"""The page of operations where services and processes answer over HTTP, as they do for its reader."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from services.portal.application import create_app
from shared.database import engine_for
from shared.settings import Settings
from shared.testing.web import KEY, Browser, person

MISSING = (
    'tamga_events_unaccounted{consumer="a",source="portal"} 2.0\n'
    'tamga_events_unaccounted{consumer="b",source="portal"} 1.0\ntamga_reconcile_timestamp_seconds 1e9\n'
)


class _House(BaseHTTPRequestHandler):
    """Answers as services do: loans without its database, grants not at all; and as the process that reconciles."""

    def do_GET(self) -> None:
        service = self.path.split("/")[1]
        if service == "grants":
            return
        if service == "metrics":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(MISSING.encode())
            return
        down = service == "loans"
        self.send_response(503 if down else 200)
        self.end_headers()
        figures = {} if down else {"outbox_unpublished": 0, "outbox_oldest_seconds": 0.0}
        self.wfile.write(json.dumps({"database": "down" if down else "ok"} | figures).encode())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Settings]:
    """Give the settings of a house whose services and processes answer over HTTP."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _House)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    yield Settings(home=tmp_path, base_url=address, metrics_urls={"relay": f"{address}/metrics"})
    server.shutdown()
    server.server_close()


def _page(house: Settings, locale: str) -> str:
    nowhere = engine_for("postgresql+psycopg://nobody@127.0.0.1:1/none")
    app = create_app(house, engine=nowhere, key=KEY)
    return Browser(app, person("operator", locale=locale), origin=house.base_url).get("/operations").text


def test_a_service_without_its_database_is_named(house: Settings) -> None:
    """Whose database does not answer and who does not answer at all are told apart, on its line and on its card."""
    page = _page(house, "en")
    assert "<p>loans: its database does not answer.</p><p>grants: no answer.</p>" in page
    assert '<li><a href="#line-databases">Databases</a></li>' in page, "what is not well is found from the head"
    assert page.count("<td>does not answer</td>") == 1
    assert page.count("Unavailable: the service did not answer within a second.") == 1
    assert "the broker&#39;s address (TAMGA_AMQP_ADMIN_URL) is not set" in page


def test_a_process_that_hangs_is_named(house: Settings) -> None:
    """A worker whose sign of life is old is not well at the head of the page, not only on its card far below."""
    beat = house.home / "heartbeats" / "worker.audit"
    beat.parent.mkdir()
    beat.touch()
    assert "No sign of life" not in _page(house, "en")
    os.utime(beat, (1, 1))
    page = _page(house, "en")
    assert "No sign of life from: worker.audit." in page
    assert "All is well." not in page


def test_what_mends_missing_events_is_said(house: Settings) -> None:
    """When events are missing at a consumer the page says how many, in the reader's language, and what mends it."""
    page = _page(house, "en")
    assert "Events missing at a consumer: 3." in page
    assert 'id="missing"' in page
    assert "<p>Missing at a consumer: 3.</p>" in page
    assert "<code>tamga reconcile --send-again</code>" in page
    assert "Событий не хватает у получателя: 3." in _page(house, "ru")
