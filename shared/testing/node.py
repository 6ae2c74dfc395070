"""A broker and a database server of a test's own: stopped, killed, started again on their data, and alarmed."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import amqp
import httpx

from shared.infrastructure import system
from shared.infrastructure.postgres import Postgres
from shared.infrastructure.rabbitmq import ADMIN, USER, RabbitMQ
from shared.messaging.link import channel_of, connect
from shared.testing.backbone import eventually

_FILLER = "filler"
# Else a queue moves its messages from memory to disk as soon as the alarm rings, and the alarm ends.
_NO_PAGING = "application:set_env(rabbit, vm_memory_high_watermark_paging_ratio, 5.0)."
_COLLECT = "[garbage_collect(P) || P <- processes()],"
_CONTROL = Path("/usr/lib/rabbitmq/bin/rabbitmqctl")
# As the node's configuration has them.
_CALM = (
    "vm_memory_monitor:set_vm_memory_high_watermark({absolute, 512000000}),"
    " rabbit_disk_monitor:set_disk_free_limit(200000000)."
)
_POLICY = "api/policies/%2F/full"
# RabbitMQ's own command-line tool, spoken to without Erlang's name daemon; it listens nowhere itself.
_ERLANG = "-start_epmd false -erl_epmd_port {port} -dist_listen false"


class PrivateBroker:
    """A RabbitMQ node that a test may do anything to. Start it in the main thread: it ends with its starter."""

    def __init__(self, folder: Path) -> None:
        self._node = RabbitMQ(folder, system.free_port(), system.free_port(), {ADMIN: secrets.token_hex(8)})
        self._alarmed = False

    @property
    def amqp_url(self) -> str:
        return self._node.url()

    @property
    def api_url(self) -> str:
        return self._node.api_url

    @property
    def pid(self) -> int:
        """Return the process that leads the node's group."""
        if self._node.process is None:
            raise RuntimeError("the broker was not started")
        return self._node.process.pid

    @property
    def running(self) -> bool:
        return self._node.process is not None and self._node.process.poll() is None

    def start(self, *, wait: bool = True) -> None:
        """Start the node on the data it has; with `wait` false return before it takes connections."""
        self._alarmed = False
        self._node.start()
        if wait:
            self._node.wait()

    def wait(self) -> None:
        """Wait until a starting node takes connections."""
        self._node.wait()

    def stop(self) -> None:
        """End the node in good order (SIGTERM)."""
        self._node.stop()

    def kill(self) -> None:
        """End the node at once (SIGKILL to all of its processes).

        RabbitMQ writes a new quorum queue's name down within three seconds: one declared since is lost with its node.
        """
        if self._node.process:
            _kill(self._node.process, self._node.port)

    def memory_alarm(self, threshold: str = "1MB") -> None:
        """Let the node have more in memory than it may: it blocks every connection that publishes."""
        self._alarmed = True
        self.control("set_vm_memory_high_watermark", "absolute", threshold)

    def fill_memory(self, megabytes: int = 40) -> None:
        """Really fill the node's memory, with messages that nobody takes, until it blocks who publishes."""
        self.control("eval", f"{_COLLECT} {_NO_PAGING}")
        mark = self.memory() + megabytes * 1_000_000
        self.memory_alarm(str(mark))
        blocked: list[Any] = []
        connection = connect(self.amqp_url, on_blocked=blocked.append)
        try:
            connection.default_channel.queue_declare(_FILLER, durable=False, auto_delete=False)
            for _ in range(10 * megabytes):
                connection.default_channel.basic_publish(amqp.Message(bytes(1_000_000)), routing_key=_FILLER)
                with suppress(TimeoutError):
                    connection.drain_events(timeout=0.02)
                if blocked:
                    # Half of it may turn out to be garbage, and the alarm rings on.
                    self.memory_alarm(str(mark - megabytes * 500_000))
                    return
        finally:
            connection.collect(socket_timeout=1)
        raise AssertionError("the broker took everything and did not block")

    def free_memory(self) -> None:
        """Take away what `fill_memory` has filled it with; the alarm ends by itself."""
        with channel_of(self.amqp_url) as channel:
            channel.queue_delete(_FILLER)

    def disk_alarm(self) -> None:
        """Ask the node to keep more of the disk free than there is: it blocks every connection that publishes."""
        free = shutil.disk_usage(self._node.folder).free
        self._alarmed = True
        self.control("set_disk_free_limit", str(free * 10))

    def calm(self) -> None:
        """Be as at the start, whatever was done: running, and without alarms."""
        if not self.running:
            self.start()
        elif self._alarmed:
            self.no_alarm()

    def no_alarm(self) -> None:
        """Set both thresholds back to what they were at the start, in one go: each `control` starts an Erlang."""
        self.control("eval", _CALM)
        self._alarmed = False

    def limit(self, queue: str, length: int) -> None:
        """Let a queue hold that many messages and no more."""
        policy = {"pattern": f"^{queue}$", "definition": {"max-length": length}, "apply-to": "queues"}
        httpx.put(f"{self._node.api_url}/{_POLICY}", json=policy, timeout=20).raise_for_status()

    def unlimit(self) -> None:
        """Take the limit away."""
        httpx.delete(f"{self._node.api_url}/{_POLICY}", timeout=20).raise_for_status()

    def memory(self) -> int:
        """Return how many bytes the node reckons it uses."""
        return int(self.control("eval", "vm_memory_monitor:get_process_memory().").split()[-1])

    def control(self, *command: str) -> str:
        """Run a command of `rabbitmqctl` on the node and return what it says."""
        environment = self._node._environment()  # noqa: SLF001 - the tool reads the same variables as the node
        environment["RABBITMQ_CTL_ERL_ARGS"] = _ERLANG.format(port=self._node.distribution_port)
        user = system.runner_of(USER)
        identity = {"user": user, "group": user, "extra_groups": []} if user else {}
        done = subprocess.run(  # type: ignore[call-overload]
            [str(_CONTROL), "--quiet", "-n", environment["RABBITMQ_NODENAME"], *command],
            env=environment,
            cwd=self._node.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **identity,
        )
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return str(done.stdout)


class PrivateDatabase:
    """A PostgreSQL server that a test may stop, kill and start again on its data."""

    def __init__(self, folder: Path) -> None:
        self._server = Postgres(folder, system.free_port(), throw_away=True)

    @property
    def admin_url(self) -> str:
        return self._server.admin_url

    @property
    def running(self) -> bool:
        return self._server.process is not None and self._server.process.poll() is None

    def start(self) -> None:
        """Start the server on the data it has and wait until it takes connections."""
        self._server.start()
        self._server.wait()

    def stop(self) -> None:
        """End the server: sessions are closed, what is committed is on disk."""
        self._server.stop()

    def kill(self) -> None:
        """End the server and all of its sessions at once (SIGKILL); what is committed survives in the kernel."""
        if self._server.process:
            _kill(self._server.process, self._server.port)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the server's processes for a while, as a machine that hangs does: connections open, no answer comes."""
        if self._server.process is None:
            raise RuntimeError("the server was not started")
        first, stopped = self._server.process.pid, list[int]()
        try:
            for pid in chain([first], _children_of(first)):  # children are counted when it stands
                stopped.append(pid)
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in stopped:
                with suppress(ProcessLookupError):  # ended between being counted and being stopped
                    os.kill(pid, signal.SIGCONT)


def _children_of(pid: int) -> Iterator[int]:
    yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def _kill(process: subprocess.Popen[bytes], port: int) -> None:
    system.kill(process)
    eventually(lambda: system.is_free(port))


@contextmanager
def folder_for(server: str) -> Iterator[Path]:
    """Give a folder for a private server that its own user can reach; removed when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"tamga-private-{server}-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder / server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
