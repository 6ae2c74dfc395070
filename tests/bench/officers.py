"""Officers at their browsers: the grants app in server processes of its own, asked by HTTP from several threads."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from joserfc.jwk import OKPKey
from sqlalchemy import Engine, text

from services.grants import api, pages
from services.grants.policy import POLICY
from services.web import beside
from shared.database import engine_for
from shared.infrastructure.system import free_port
from shared.settings import Settings
from shared.testing.clock import StandingClock
from shared.web.app import create_service_app
from tests.integration.grants_world import ROOT, World

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Taken:
    """What requests took: milliseconds of each, seconds of all, processor seconds of the servers and the database."""

    each: list[float]
    seconds: float
    servers: float
    database: float


def cpu(pid: int) -> float:
    """Return the processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def cpu_of_database(engine: Engine) -> float:
    """Return the processor seconds of the processes that serve our connections."""
    with engine.connect() as connection:
        pids = connection.execute(text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()"))
        return sum(cpu(pid) for pid in pids.scalars())


def _serve(url: str, key: dict[str, Any], home: str, moment: Any, port: int) -> None:
    app = create_service_app(
        service="grants",
        engine=engine_for(url),
        policy=POLICY,
        routers=[api.router, pages.router],
        templates=ROOT / "services" / "grants" / "templates",
        settings=Settings(home=Path(home), base_url="http://127.0.0.1:8400", payee_key_file=Path(home) / "payee_key"),
        clock=StandingClock(moment),
        key=OKPKey.import_key(key),
    )
    outer = FastAPI()
    outer.mount("/grants", app)
    beside(outer, "127.0.0.1", port)
    threading.Event().wait()


class Office:
    """Servers of one world, and people who ask them; each thread has a connection that stays."""

    def __init__(self, world: World, ports: list[int], pids: list[int]) -> None:
        self.world, self.ports, self.pids = world, ports, pids
        self._kept, self._came = threading.local(), iter(range(1_000_000))

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._kept, "connection"):
            port = self.ports[next(self._came) % len(self.ports)]
            self._kept.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection: http.client.HTTPConnection = self._kept.connection
        return connection

    def post(self, path: str, body: dict[str, Any]) -> None:
        """Send JSON as an officer's script does; raises SystemExit for a refusal."""
        headers = self.world.officer.headers(script=True) | {"content-type": "application/json"}
        connection = self._connection()
        connection.request("POST", f"/grants/api{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise SystemExit(f"NOT AS IT SHOULD BE: {answer.status} {said.decode()}")

    def measured(self, act: Callable[[str], None], references: list[str], threads: int) -> Taken:
        """Let officers at once do an act to each of these, a few of them before the clock runs."""

        def one(reference: str) -> float:
            began = time.perf_counter()
            act(reference)
            return (time.perf_counter() - began) * 1000

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, references[: 4 * threads]))
            servers, database = sum(map(cpu, self.pids)), cpu_of_database(self.world.engine)
            began = time.perf_counter()
            each = list(pool.map(one, references[4 * threads :]))
            seconds = time.perf_counter() - began
            servers, database = sum(map(cpu, self.pids)) - servers, cpu_of_database(self.world.engine) - database
        return Taken(each, seconds, servers, database)


def _answers(port: int) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("NOT AS IT SHOULD BE: the server did not start")


@contextmanager
def office(world: World, processes: int) -> Iterator[Office]:
    """Give the app of a world in server processes, which end with the block."""
    spawn, url = multiprocessing.get_context("spawn"), world.engine.url.render_as_string(hide_password=False)
    with ExitStack() as stack:
        ports, pids = [free_port() for _ in range(processes)], []
        for port in ports:
            given = (url, world.key.as_dict(private=True), str(world.settings.home), world.clock(), port)
            server = spawn.Process(target=_serve, args=given, daemon=True)
            server.start()
            stack.callback(server.join, 10)
            stack.callback(server.terminate)
            pids.append(server.pid or 0)
        for port in ports:
            _answers(port)
        yield Office(world, ports, pids)
