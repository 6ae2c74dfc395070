"""`tamga run`: everything on one machine, from an empty folder to a table of what is up, and back down in order."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from services.audit.signer.wire import address_in
from services.launcher import health, preflight
from services.launcher.parts import Part, Preparation
from services.launcher.screen import Screen
from shared.clock import utc_now
from shared.infrastructure import ladder
from shared.infrastructure.system import InfrastructureError
from shared.operations import processes

DEFAULT_PORT = 8400
PEOPLE = "people.json"
PARTS = ("web", "work", "relay")
SIGNER = "signer"
ON_BROKER = {"work", "relay"}
HEALTHY_SECONDS = 90
LOOK_SECONDS = 0.25


class StopAskedError(Exception):
    """Somebody pressed Ctrl-C, or the machine goes down."""


class Signals:
    """The first Ctrl-C or SIGTERM interrupts whatever goes on; each further one only hurries the stop."""

    def __init__(self) -> None:
        self.asked = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.asked += 1
        if self.asked == 1:
            raise StopAskedError

    def hurried(self) -> bool:
        """Say whether somebody asked twice."""
        return self.asked > 1


@dataclass
class Launcher:
    """One run of Tamga in `home`, its web pages on `port`."""

    home: Path
    port: int
    screen: Screen
    signals: Signals
    _mail_port: int | None = None
    _metrics_ports: dict[str, int] = field(default_factory=dict)
    _since: datetime = field(default_factory=utc_now)
    _broker: tuple[datetime | None, str] = (None, "")  # since when ours has been up, and where it says how it is

    @property
    def base_url(self) -> str:
        """Return the address that people open."""
        return os.environ.get("TAMGA_BASE_URL", f"http://127.0.0.1:{self.port}")

    @property
    def own_url(self) -> str:
        """Return the address at which we ask the web process ourselves."""
        return f"http://127.0.0.1:{self.port}"

    def run(self) -> None:
        """Start everything, watch it, and stop it in order when asked to or when something fails."""
        preflight.check_python()
        preflight.make_home(self.home)
        with preflight.only_one(self.home):
            preflight.check_disk(self.home)
            preflight.check_port(self.port)
            runtime = self.home / "runtime.json"
            runtime.unlink(missing_ok=True)
            health.forget(self.home)
            with ExitStack() as started:
                started.callback((self.home / processes.NAME).unlink, missing_ok=True)
                started.callback(runtime.unlink, missing_ok=True)
                parts, prepare = self._start(started)
                self._watch(parts, prepare)

    def _start(self, started: ExitStack) -> tuple[list[Part], Callable[[], Preparation]]:
        with self.screen.step("Finding a database and a broker, or installing them") as details:
            database, broker = ladder.find_database(self.home), ladder.find_broker(self.home)
            details.append(database.how if database.how == broker.how else f"{database.how}, {broker.how}")
        for name, found in (("database", database), ("broker", broker)):
            if found.server:
                started.callback(self._stop_server, name, found.server)
                found.server.start()
        settings = self._settings(database, broker)
        prepare = partial(Preparation, self.home, settings, database.admin_url)
        preparation = prepare()
        started.callback(preparation.close)
        # The parts start at once: while the servers come up they import, then they wait for the runtime file.
        parts = self._parts()
        started.callback(self._stop_parts, parts)
        for part in parts:
            part.start()
        people = self._prepare(preparation, database, broker)
        self._write_runtime(settings)
        self._note(parts)
        self._wait_healthy(parts, preparation)
        preparation.close()
        self.screen.ready(self.base_url, self._states(), memory_of(parts))
        self.screen.people(people, str(self.home / PEOPLE))
        self.screen.say("\nCtrl-C stops everything. The data stay.")
        return parts, prepare

    def _settings(self, database: ladder.Part, broker: ladder.Part) -> dict[str, Any]:
        keys = self.home / "keys"
        given = os.environ.get("TAMGA_SMTP_URL")
        self._metrics_ports = ladder.ports(self.home, *(f"metrics {name}" for name in PARTS))
        self._mail_port = None if given else ladder.ports(self.home, "mail")["mail"]
        return ladder.service_urls(self.home, database, broker) | {
            "home": str(self.home),
            "base_url": self.base_url,
            "database_admin_url": database.admin_url,
            "amqp_admin_url": broker.admin_url,
            "amqp_api_url": broker.api_url,
            "smtp_url": given or f"smtp://127.0.0.1:{self._mail_port}",
            "signing_key_file": str(keys / "identity-private.pem"),
            "identity_key_file": str(keys / "identity-public.pem"),
            "payee_key_file": str(keys / "payee.key"),
            "webhook_key_file": str(keys / "webhook.key"),
            "signer": address_in(self.home),
            "documents": str(self.home / "documents"),
            "programmes": str(Path("programmes").resolve()),
            "metrics_urls": self._metrics_urls() | ({"broker": broker.metrics_url} if broker.metrics_url else {}),
        }

    def _metrics_urls(self) -> dict[str, str]:
        return {name: f"http://127.0.0.1:{self._metrics_ports[f'metrics {name}']}/metrics" for name in PARTS}

    def _parts(self) -> list[Part]:
        catcher = {} if self._mail_port is None else {"TAMGA_MAIL_CATCHER": str(self._mail_port)}
        extra = {name: {"TAMGA_METRICS_PORT": str(self._metrics_ports[f"metrics {name}"])} for name in PARTS}
        extra["web"] |= {"TAMGA_PORT": str(self.port)} | catcher
        signer = Part(SIGNER, self.home, {"TAMGA_BASE_URL": self.base_url})
        return [*(Part(name, self.home, extra[name]) for name in PARTS), signer]

    def _prepare(self, preparation: Preparation, database: ladder.Part, broker: ladder.Part) -> list[dict[str, Any]]:
        with self.screen.step("Starting the database"):
            if database.server:
                database.server.wait()
            preparation.order("database")
            preparation.order("people")
        with self.screen.step("Databases, roles and migrations") as details:
            applied = preparation.answer()["applied"]
            details.append(f"{applied} applied" if applied else "up to date")
        with self.screen.step("Keys, programme and people") as details:
            people: list[dict[str, Any]] = preparation.answer()["people"]
            details.append(f"{len(people)} people made" if people else "there already")
        with self.screen.step("Starting the broker"):
            if broker.server:
                broker.server.wait()
                self._broker = utc_now(), str(broker.server.log)
            preparation.order("broker")
        with self.screen.step("Exchange, queues and bindings"):
            superfluous = preparation.answer()["superfluous"]
        if superfluous:
            self.screen.say(f"The broker has bindings that this release lacks: {', '.join(superfluous)}.")
            self.screen.say("Remove them with `tamga topology apply --prune` when no older release runs.")
        return people

    def _write_runtime(self, settings: dict[str, Any]) -> None:
        ladder.remember(self.home, "runtime.json", settings)

    def _note(self, parts: list[Part]) -> None:
        """Write down for the operator's view what only the one who starts processes knows."""
        known = processes.Processes(
            since=self._since,
            running={part.name: running for part in parts if (running := part.running())},
            ends={part.name: part.ends for part in parts},
            ended_at={part.name: part.ended_at for part in parts if part.ended_at},
            broker_since=self._broker[0],
            broker_log=self._broker[1],
        )
        ladder.remember(self.home, processes.NAME, known.model_dump(mode="json"))

    def _wait_healthy(self, parts: list[Part], preparation: Preparation) -> None:
        with self.screen.step("Web, workers, relays and the signer"):
            deadline = time.monotonic() + HEALTHY_SECONDS
            while wrong := [f"{part} {state}" for part, state in self._states().items() if state != "ok"]:
                self._refuse_crashed(parts)
                if time.monotonic() > deadline:
                    raise InfrastructureError(f"Not every part came up: {', '.join(wrong)} (see {self.home / 'log'}).")
                time.sleep(0.1)
        with self.screen.step("First events published and handled") as details:
            preparation.order("settle")
            left = preparation.answer()["unaccounted"]
            details.append("all accounted for" if not left else f"{left} still under way")

    def _states(self) -> dict[str, str]:
        return health.states(self.home, self.own_url)

    def _refuse_crashed(self, parts: list[Part]) -> None:
        for part in parts:
            if part.crashed():
                lines = part.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
                raise InfrastructureError(f"{part.name} did not start: {lines[-1].strip()[:300]} (see {part.log}).")

    def _watch(self, parts: list[Part], prepare: Callable[[], Preparation]) -> None:
        while True:
            news = [said for part in parts if (said := part.notice_end())]
            due = [part for part in parts if part.is_due()]
            for said in news:
                self.screen.say(said)
            # Somebody may have deleted a queue: the worker ends because of it, and would end again without it.
            if any(part.name in ON_BROKER and part.failed() for part in due):
                self._apply_topology(prepare())
            for part in due:
                part.start()
            if news or due:
                self._note(parts)
            for part in parts:
                if said := part.notice_recovery(partial(self._works, part)):
                    self.screen.say(said)
            time.sleep(LOOK_SECONDS)

    def _works(self, part: Part) -> bool:
        states = {
            "web": partial(health.web_states, self.own_url),
            "work": partial(health.worker_states, self.home),
            "relay": partial(health.relay_states, self.home),
            SIGNER: partial(health.signer_states, self.home),
        }
        return part.running() is not None and all(state == "ok" for state in states[part.name]().values())

    def _apply_topology(self, preparation: Preparation) -> None:
        try:
            preparation.order("broker")
            preparation.answer()
        except InfrastructureError as error:
            self.screen.say(f"Exchange, queues and bindings could not be applied again: {error}")
        else:
            self.screen.say("Exchange, queues and bindings were applied again.")
        finally:
            preparation.close()

    def _stop_parts(self, parts: list[Part]) -> None:
        # Nothing new comes in first, then what was taken is finished, then what was recorded is published.
        for part in parts:
            with self.screen.ending(part.name) as details:
                part.ask_to_stop()
                if part.wait_stopped(self.signals.hurried):
                    details.append("by force")

    def _stop_server(self, name: str, server: ladder.Server) -> None:
        with self.screen.ending(name) as details:
            server.stop()
            if server.process and server.process.returncode == -signal.SIGKILL:
                details.append("by force")


def memory_of(parts: list[Part]) -> int:
    """Return the resident memory of our own Python processes, this one included, in MB."""
    pids = [os.getpid(), *(part.process.pid for part in parts if part.process)]
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


@contextmanager
def refusing(screen: Screen) -> Iterator[list[int]]:
    """Turn what can't go on into one sentence; the yielded list holds the exit code."""
    code = [0]
    try:
        yield code
    except InfrastructureError as error:
        screen.refuse(str(error))
        code[0] = 1
    except StopAskedError:
        screen.stopped()


def run(home: Path, port: int, *, screen: Screen | None = None, signals: Callable[[], Signals] = Signals) -> int:
    """Run Tamga until somebody stops it; returns the exit code."""
    shown = screen or Screen()
    with refusing(shown) as code:
        Launcher(home.resolve(), port, shown, signals()).run()
    return code[0]
