"""What is so on this machine, gathered; what it means is for `checks`."""

from __future__ import annotations

import ipaddress
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.compose import engine, environment, files, secret_files
from deploy.compose.engine import Engine

INSIDE = "watch"  # the container in which the operator's commands run: it sees every database
SERVERS = ("database", "broker")  # what everything else waits for
PREPARING = "prepare"  # the one container that ends when its work is done
DONE, STOPPED, ABSENT = "done", "stopped", "absent"
WELL = frozenset({"healthy", "running", DONE})
_LISTENS = "0A"
_LOCAL = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")
NAME_SECONDS = 5
_PROC = Path("/proc")
PORTS = ("TAMGA_HTTP_PORT", "TAMGA_HTTPS_PORT")
ARCHIVE = "images.tar.gz"  # of an unpacked bundle


@dataclass(frozen=True)
class Holder:
    """Who listens on one of our ports: nobody, our own stack, or somebody with a name."""

    port: int
    ours: bool = False
    name: str = ""


@dataclass(frozen=True)
class Facts:
    """All that the checks judge; None stands for what can't be known here."""

    engine: Engine
    in_docker_group: bool = True
    memory: int | None = None  # bytes altogether
    disks: dict[str, int] = field(default_factory=dict)  # folder → free bytes
    ports: tuple[Holder, ...] = ()
    ports_problem: str = ""
    synchronised: bool | None = None
    skew: float | None = None  # seconds between here and the database's container
    has_environment: bool = False
    values: dict[str, str] = field(default_factory=dict)
    required: dict[str, str] = field(default_factory=dict)
    absent_files: tuple[str, ...] = ()  # compose files that are chosen and not here
    letters_get_out: bool = False
    has_data: bool = False  # of this stack, from an earlier start
    secret_problems: dict[str, str] = field(default_factory=dict)
    unmade: tuple[str, ...] = ()  # secrets that a compose file names and `make init` does not make
    open_to_others: tuple[str, ...] = ()
    closed_secrets: tuple[str, ...] = ()  # that the containers' users can't read
    missing_images: tuple[str, ...] = ()
    has_archive: bool = False
    networks: int | None = None
    addresses: tuple[str, ...] | None = None  # of the domain; None: its name does not resolve
    own_addresses: tuple[str, ...] = ()
    open_files: int | None = None  # how many a process may have at most
    system_files: int | None = None
    running: dict[str, str] = field(default_factory=dict)  # service → health
    lines: tuple[dict[str, Any], ...] = ()  # of `tamga status` inside the stack


def free_space(folders: Iterable[str]) -> dict[str, int]:
    """Return the free bytes of each folder that can be seen from here."""
    found = {}
    for folder in folders:
        with suppress(OSError):
            found[folder] = shutil.disk_usage(folder).free
    return found


def memory_here() -> int | None:
    """Return this machine's memory in bytes."""
    for line in files.text_of(_PROC / "meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


def number_in(path: Path) -> int | None:
    """Return the number that a file of the kernel holds."""
    text = files.text_of(path).strip()
    return int(text) if text.isdigit() else None


def listeners(port: int) -> set[str]:
    """Return the sockets (inodes) that listen on a TCP port, on whatever address."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in files.text_of(_PROC / "net" / table).splitlines()[1:]:
            cells = line.split()
            if cells[3] == _LISTENS and int(cells[1].rpartition(":")[2], 16) == port:
                found.add(cells[9])
    return found


def program_of(inodes: set[str]) -> str:
    """Return the name and number of a process that has one of these sockets, as far as this user may see."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            if any(str(link.readlink()) in wanted for link in (folder / "fd").iterdir()):
                return f"{files.text_of(folder / 'comm').strip()} (process {folder.name})"
    return "another program"


def is_taken(address: str, port: int) -> bool:
    """Say whether somebody listens there already."""
    if (_PROC / "net" / "tcp").exists():
        return bool(listeners(port))
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address or "127.0.0.1", port)) == 0


def holder_of(address: str, port: int, published: dict[int, str], own: set[int]) -> Holder:
    """Return who has a port; `published` are those of containers by the container's name, `own` those of our stack."""
    if port in own:
        return Holder(port, ours=True)
    if port in published:
        return Holder(port, name=f"the container {published[port]}")
    return Holder(port, name=program_of(listeners(port)) if is_taken(address, port) else "")


def published_ports(ready: bool) -> dict[int, str]:
    """Return the ports that running containers publish, with the containers' names."""
    found: dict[int, str] = {}
    if not ready:
        return found
    for row in engine.rows(engine.run("docker", "ps", "--format", "{{json .}}").out):
        for part in str(row.get("Ports", "")).split(","):
            outside = part.split("->")[0].rpartition(":")[2] if "->" in part else ""
            first, _, last = outside.partition("-")
            if first.isdigit():
                found |= dict.fromkeys(range(int(first), int(last or first) + 1), str(row.get("Names", "")))
    return found


def own_addresses() -> tuple[str, ...]:
    """Return this machine's addresses, without sending anything anywhere."""
    found = {"127.0.0.1", "::1", *_LOCAL.findall(files.text_of(_PROC / "net/fib_trie"))}
    for line in files.text_of(_PROC / "net/if_inet6").splitlines():
        found.add(str(ipaddress.IPv6Address(int(line.split()[0], 16))))
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))  # a datagram socket only chooses its own address by this
            found.add(str(probe.getsockname()[0]))
    return tuple(sorted(found))


def addresses_of(name: str) -> tuple[str, ...] | None:
    """Return the addresses of a name, None when nobody knows it or says so in time."""
    found: list[tuple[str, ...]] = []

    def ask() -> None:
        with suppress(OSError, UnicodeError):
            found.append(tuple(sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None)})))

    # A name server that is away keeps one waiting for half a minute.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(NAME_SECONDS)
    return found[0] if found else None


def synchronised() -> bool | None:
    """Return whether the clock follows a time server, None where nobody can say."""
    said = engine.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    return {"yes": True, "no": False}.get(said.out) if said.code == 0 else None


def skew(root: Path) -> float | None:
    """Return by how many seconds the database's container is ahead of this machine."""
    before = time.time()
    said = engine.compose(root, "exec", "-T", "database", "date", "+%s")
    after = time.time()
    if said.code or not said.out.isdigit():
        return None
    theirs = int(said.out) + 0.5
    return 0.0 if before - 1 <= theirs <= after + 1 else theirs - (before + after) / 2


def images(root: Path) -> tuple[str, ...]:
    """Return the images that the chosen compose files name and the engine does not have."""
    named = sorted(set(engine.compose(root, "config", "--images").out.split()))
    return tuple(one for one in named if engine.run("docker", "image", "inspect", "--format", "{{.Id}}", one).code)


def state_of(row: dict[str, Any]) -> str:
    """Return how a container is, in one word or two: its health, or how it ended."""
    state = str(row.get("State", ""))
    if state == "exited":
        code = row.get("ExitCode")
        if code == 0:
            return DONE if row.get("Service") == PREPARING else STOPPED
        return f"ended with {code}"
    return str(row.get("Health") or state)


def running(root: Path) -> tuple[dict[str, str], set[int]]:
    """Return the services of our stack with their states, and the ports that they publish."""
    states, ports = {}, set()
    question = ("ps", "--all", "--format", "json")
    said = engine.compose(root, *question)
    if said.code and (name := project(root).name):
        said = engine.by_name(name, *question)
    for row in engine.rows(said.out):
        states[str(row.get("Service", ""))] = state_of(row)
        ports |= {int(one["PublishedPort"]) for one in row.get("Publishers") or [] if one.get("PublishedPort")}
    return states, ports


@dataclass(frozen=True)
class Project:
    """What the chosen compose files make: under which name, and which services."""

    name: str
    services: tuple[str, ...]


def project(root: Path) -> Project:
    """Return what the compose files make, also when variables are not set."""
    found = engine.parsed(engine.compose(root, "config", "--format", "json", "--no-interpolate").out)
    return Project(str(found.get("name", "")), tuple(found.get("services") or ()))


def with_absent(states: dict[str, str], services: Iterable[str]) -> dict[str, str]:
    """Return the states of what is there, and which services have no container at all; nothing when none has."""
    return {**dict.fromkeys(services, ABSENT), **states} if states else {}


def has_data(root: Path, volume: str = "database") -> bool:
    """Say whether this stack has a database already, or another volume."""
    name = project(root).name
    labels = [f"label=com.docker.compose.project={name}", f"label=com.docker.compose.volume={volume}"]
    filters = [part for label in labels for part in ("--filter", label)]
    return bool(name and engine.run("docker", "volume", "ls", "--quiet", *filters).out)


def status_lines(root: Path) -> tuple[dict[str, Any], ...]:
    """Return the lines of `tamga status` in the running stack."""
    said = engine.compose(root, "exec", "-T", INSIDE, "tamga", "status", "--json", patience=60)
    return tuple(engine.parsed(said.out).get("lines") or ())


def gather(root: Path) -> Facts:
    """Look at everything."""
    known = engine.look()
    values = environment.read(files.text_of(root / files.ENVIRONMENT))
    chosen = environment.chosen_compose_files(root, values)
    asked = environment.needs(environment.compose_text(chosen))
    can_ask = known.state == "ready"
    absent = tuple(str(path.relative_to(root)) for path in chosen if not path.is_file())
    up, own = running(root) if can_ask and known.compose and not absent else ({}, set())
    ports, problem = _ports(values, own, can_ask=can_ask)
    names = secret_files.wanted(asked.secrets)
    return Facts(
        engine=known,
        in_docker_group=engine.in_group(),
        memory=known.memory or memory_here(),
        disks=free_space([str(root), *([known.data_root] if known.data_root else [])]),
        ports=ports,
        ports_problem=problem,
        synchronised=synchronised(),
        skew=skew(root) if "database" in up else None,
        has_environment=(root / files.ENVIRONMENT).is_file(),
        values=values,
        required=asked.required,
        absent_files=absent,
        letters_get_out=any(path.name == "mail.yml" for path in chosen),
        has_data=has_data(root) if can_ask and known.compose else False,
        secret_problems=secret_files.problems(root / files.SECRETS, names),
        unmade=tuple(name for name in asked.secrets if name not in names),
        open_to_others=tuple(secret_files.open_to_others(root / files.SECRETS)),
        closed_secrets=tuple(secret_files.closed(root / files.SECRETS, names)),
        missing_images=images(root) if can_ask and known.compose else (),
        has_archive=(root / ARCHIVE).is_file(),
        networks=len(engine.run("docker", "network", "ls", "-q").out.splitlines()) if can_ask else None,
        addresses=addresses_of(values.get("TAMGA_DOMAIN", "localhost")),
        own_addresses=own_addresses(),
        open_files=number_in(_PROC / "sys/fs/nr_open"),
        system_files=number_in(_PROC / "sys/fs/file-max"),
        running=with_absent(up, project(root).services if up else ()),
        lines=status_lines(root) if up.get(INSIDE) == "healthy" else (),
    )


def _ports(values: dict[str, str], own: set[int], *, can_ask: bool) -> tuple[tuple[Holder, ...], str]:
    given = {name: values[name] for name in PORTS if name in values}
    wrong = [name for name, value in given.items() if not value.isdigit() or not 0 < int(value) < 2**16]
    if wrong:
        return (), f"{wrong[0]}={given[wrong[0]]} is no port"
    published, address = published_ports(can_ask), values.get("TAMGA_BIND", "")
    return tuple(holder_of(address, int(value), published, own) for value in given.values()), ""
