"""What the facts mean: for each check its result, why it matters, and the command that mends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Optional

from deploy.compose import files
from deploy.compose.engine import OLDEST_COMPOSE, OLDEST_ENGINE, numbers
from deploy.compose.environment import MAIL_FILE
from deploy.compose.facts import ABSENT, DONE, PREPARING, SERVERS, STOPPED, WELL, Facts
from deploy.compose.questions import NOBODY, wrong_values

GOOD, LOOK, BAD, UNKNOWN = "good", "look", "bad", "unknown"
MB, GB = 2**20, 2**30
LEAST_MEMORY, ENOUGH_MEMORY = 2.4 * GB, 3.5 * GB  # the stack takes up to 2 GB at rest
LEAST_DISK, ENOUGH_DISK = 2 * GB, 10 * GB
MOST_SKEW = 2.0
POOLS = 30  # networks that Docker's own address pools are good for
# What data that are there know by their first start; all other passwords are given to the servers at each start.
KNOWN_TO_DATA = ("postgres_password", "backup_key")
HANDBOOK = "docs/operations.md"
GONE = frozenset({STOPPED, ABSENT, "created"})
MOST_NAMED = 6  # parts in one line; the first of them is the one to begin with
LEAST_OPEN_FILES, LEAST_SYSTEM_FILES = 65_536, 100_000


@dataclass(frozen=True)
class Finding:
    """One check's outcome."""

    check: str
    state: str
    result: str
    why: str
    cure: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it for JSON."""
        return asdict(self)


def engine(facts: Facts) -> Finding:
    """Judge whether the engine can be used, by this user, in this version."""
    known, why = facts.engine, "Everything runs in containers."
    if known.state == "absent":
        return Finding("Docker", BAD, "is not installed", why, "sudo apt-get install docker.io   # or docs.docker.com")
    if known.state == "denied":
        joined = "newgrp docker   # or sign in anew" if facts.in_docker_group else "sudo usermod -aG docker $USER"
        return Finding("Docker", BAD, "is there, and this user may not use it", why, joined)
    if known.state == "silent":
        return Finding("Docker", BAD, "is there and does not answer", why, "sudo systemctl restart docker")
    if known.state == "stopped":
        return Finding("Docker", BAD, f"is not running ({known.said[:90]})", why, "sudo systemctl start docker")
    if numbers(known.version) < OLDEST_ENGINE:
        return Finding("Docker", BAD, f"{known.version} is too old", why, "sudo apt-get install docker.io")
    return Finding("Docker", GOOD, known.version, why)


def compose(facts: Facts) -> Finding:
    """Judge whether Compose v2 is there."""
    name, why = "Docker Compose", "It starts the containers in order and waits until they work."
    if not facts.engine.compose:
        cure = "sudo apt-get install docker-compose-v2   # Debian 13: docker-compose"
        return Finding(name, BAD, "version 2 is not installed", why, cure)
    if numbers(facts.engine.compose) < OLDEST_COMPOSE:
        cure = "sudo apt-get install docker-compose-v2"
        return Finding(name, BAD, f"{facts.engine.compose} is too old: 2.1 has `--wait`", why, cure)
    return Finding(name, GOOD, facts.engine.compose, why)


def memory(facts: Facts) -> Finding:
    """Judge the machine's memory."""
    name, why = "Memory", "With too little of it the kernel ends the broker or the database."
    if facts.memory is None:
        return Finding(name, UNKNOWN, "can't be seen from here", why)
    words = f"{facts.memory / GB:.1f} GB"
    if facts.memory < LEAST_MEMORY:
        return Finding(name, BAD, f"{words}, and 2.4 GB are the least", why, "Give this machine more memory.")
    state = GOOD if facts.memory >= ENOUGH_MEMORY else LOOK
    return Finding(name, state, words, why, "" if state == GOOD else "Give this machine 4 GB when people work on it.")


def disk(facts: Facts) -> Finding:
    """Judge the free room where images and data go."""
    name, why = "Disk", "A full disk stops the database and the broker; nothing is lost, and nothing goes on."
    if not facts.disks:
        return Finding(name, UNKNOWN, "can't be seen from here", why)
    folder, free = min(facts.disks.items(), key=lambda one: one[1])
    words = f"{free / GB:.1f} GB free at {folder}"
    if free >= ENOUGH_DISK:
        return Finding(name, GOOD, words, why)
    cure = "docker image prune   # then look with: df -h; docker system df"
    return Finding(name, BAD if free < LEAST_DISK else LOOK, words, why, cure)


def ports(facts: Facts) -> Finding:
    """Judge whether the proxy's ports can be had; our own running stack may have them."""
    name, why = "Ports", "The pages are served there."
    if facts.ports_problem:
        return Finding(name, BAD, facts.ports_problem, why, "edit TAMGA_HTTP_PORT and TAMGA_HTTPS_PORT in .env")
    taken = [one for one in facts.ports if one.name]
    if taken:
        words = "; ".join(f"{one.port} is taken by {one.name}" for one in taken)
        return Finding(name, BAD, words, why, "stop that, or choose other ports in .env, then: make up")
    if not facts.ports:
        return Finding(name, UNKNOWN, "none are chosen yet", why, "make init")
    words = ", ".join(f"{one.port} {'ours' if one.ours else 'free'}" for one in facts.ports)
    return Finding(name, GOOD, words, why)


def clock(facts: Facts) -> Finding:
    """Judge whether times can be believed."""
    name, why = "Clock", "Deadlines, sessions and the audit log go by it."
    if facts.skew is not None and abs(facts.skew) > MOST_SKEW:
        words = f"the database is {facts.skew:+.0f} s from this machine"
        return Finding(name, BAD, words, why, "sudo systemctl restart docker")
    if facts.synchronised is None:
        return Finding(name, UNKNOWN, "nobody here says whether it is synchronised", why)
    if not facts.synchronised:
        return Finding(name, LOOK, "is not synchronised", why, "sudo timedatectl set-ntp true")
    return Finding(name, GOOD, "synchronised", why)


def rights(facts: Facts) -> Finding:
    """Judge whether others on this machine could read or change the secrets."""
    name, why = "Rights of secrets", "Who reads them can read and change everything."
    if facts.open_to_others:
        words = f"open to others: {', '.join(facts.open_to_others)}"
        return Finding(name, BAD, words, why, "chmod 700 secrets && chmod 444 secrets/*")
    if facts.closed_secrets:
        words = f"the containers can't read {', '.join(facts.closed_secrets)}; the folder keeps others out"
        why = "A container has users of its own, who read what everybody may read."
        return Finding(name, BAD, words, why, f"chmod 444 {' '.join(f'secrets/{one}' for one in facts.closed_secrets)}")
    return Finding(name, GOOD, "the owner's alone", why)


def variables(facts: Facts) -> Finding:
    """Judge whether every variable that the compose file insists on is set."""
    name, why = "Settings", "A container without its setting would not start."
    if facts.absent_files:
        words = f"{', '.join(facts.absent_files)} is not here"
        return Finding(name, BAD, words, why, f"git checkout {' '.join(facts.absent_files)}   # or mend COMPOSE_FILE")
    if not facts.has_environment:
        return Finding(name, BAD, "there is no .env yet", why, "make init")
    missing = sorted(one for one in facts.required if not facts.values.get(one))
    if missing:
        return Finding(name, BAD, f"not set in .env: {', '.join(missing)}", why, "make init")
    if wrong := wrong_values(facts.values):
        return Finding(name, BAD, "; ".join(wrong.values()), why, f"edit {', '.join(wrong)} in .env")
    if facts.values.get("TAMGA_OPERATOR_EMAIL") in {None, "", NOBODY}:
        words = "nobody is named who signs in first"
        return Finding(name, LOOK, words, "The first sign-in link is for them.", "edit TAMGA_OPERATOR_EMAIL in .env")
    return Finding(name, GOOD, f"{len(facts.required)} of {len(facts.required)} set", why)


def secrets(facts: Facts) -> Finding:
    """Judge the secrets: all there, none a placeholder."""
    name, why = "Secrets", "A guessable one opens the house; a missing one keeps it shut."
    if facts.unmade:
        words = f"a compose file asks for what nobody makes: {', '.join(facts.unmade)}"
        return Finding(name, BAD, words, why, f"put them into secrets/: {', '.join(facts.unmade)}")
    found = facts.secret_problems
    if not found:
        return Finding(name, GOOD, "all there, none guessable", why)
    if facts.has_data and (lost := [one for one in found if one in KNOWN_TO_DATA]):
        words = "; ".join(f"{one} {found[one]}" for one in lost)
        cure = f"put {', '.join(f'secrets/{one}' for one in lost)} back from your copy   # none: {HANDBOOK}, Secrets"
        return Finding(name, BAD, f"{words}, and there are data that know the former", why, cure)
    if set(found.values()) == {"is missing"}:
        words = "all are missing" if len(found) > 10 else f"missing: {', '.join(found)}"
        return Finding(name, BAD, words, why, "make init")
    wrong = {one: words for one, words in found.items() if words != "is missing"}
    words = "; ".join(f"{one} {words}" for one, words in wrong.items())
    return Finding(name, BAD, words, why, f"rm -f {' '.join(f'secrets/{one}' for one in wrong)} && make init")


def images(facts: Facts) -> Finding:
    """Judge whether the engine has the images."""
    name, why = "Images", "They are not fetched behind your back."
    if facts.engine.state != "ready":
        return Finding(name, UNKNOWN, "the engine can't be asked", why)
    if not any(one.endswith("_IMAGE") for one in facts.values):
        return Finding(name, UNKNOWN, "none are chosen yet", why, "make init")
    if not facts.missing_images:
        return Finding(name, GOOD, "all there", why)
    cure = "deploy/airgap/load" if facts.has_archive else "make images"
    return Finding(name, BAD, f"missing: {', '.join(facts.missing_images)}", why, cure)


def networks(facts: Facts) -> Finding:
    """Judge whether the engine has addresses left for our networks."""
    name, why = "Networks", "Docker has addresses for some thirty networks, and ours need a few."
    if facts.networks is None:
        return Finding(name, UNKNOWN, "the engine can't be asked", why)
    if facts.networks >= POOLS and not facts.running:
        return Finding(name, BAD, f"{facts.networks} networks there already", why, "docker network prune")
    return Finding(name, GOOD, f"{facts.networks} there", why)


def domain(facts: Facts) -> Finding:
    """Judge whether people who use the name arrive here; another machine may stand before this one."""
    name, why = "Name", "People and certificates go by it."
    wanted = facts.values.get("TAMGA_DOMAIN", "")
    if not wanted:
        return Finding(name, UNKNOWN, "none is chosen yet", why, "make init")
    if facts.addresses is None:
        return Finding(name, LOOK, f"{wanted} is known to nobody", why, f"add {wanted} to your DNS or to /etc/hosts")
    if not set(facts.addresses) & set(facts.own_addresses):
        words = f"{wanted} leads to {', '.join(facts.addresses[:3])}, not here"
        return Finding(name, LOOK, words, why, "right behind a proxy of yours; else mend your DNS")
    return Finding(name, GOOD, f"{wanted} leads here", why)


def kernel(facts: Facts) -> Finding:
    """Judge the limits of open files, of which the broker needs many."""
    name, why = "Kernel limits", "RabbitMQ needs an open file for each connection and queue."
    if facts.open_files is None or facts.system_files is None:
        return Finding(name, UNKNOWN, "can't be seen from here", why)
    if facts.open_files < LEAST_OPEN_FILES:
        words = f"a process may open {facts.open_files} files"
        return Finding(name, BAD, words, why, f"sudo sysctl -w fs.nr_open={2**20}")
    if facts.system_files < LEAST_SYSTEM_FILES:
        words = f"all together may open {facts.system_files} files"
        return Finding(name, BAD, words, why, f"sudo sysctl -w fs.file-max={2**20}")
    return Finding(name, GOOD, f"{facts.open_files:,} files a process", why)


def mail(facts: Facts) -> Finding:
    """Judge whether letters can reach the mail server that is named."""
    name, why = "Letters", "Without a way out they wait, and are caught instead of sent."
    if not facts.values.get("TAMGA_SMTP_URL"):
        return Finding(name, GOOD, "caught and shown, not sent", why)
    if not facts.letters_get_out:
        cure = f"COMPOSE_FILE={files.COMPOSE}:{MAIL_FILE}   # in .env, then: make up"
        return Finding(name, LOOK, "a mail server is named, and nothing lets letters out", why, cure)
    return Finding(name, GOOD, "sent", why)


def _is_gone(service: str, state: str) -> bool:
    """Say whether starting it is the cure; what prepares and failed has said why."""
    return state in GONE or (service != PREPARING and state.startswith("ended"))


def _order_of_cure(part: tuple[str, str]) -> tuple[bool, bool, bool]:
    """Return what puts first whom others wait for: both servers, then what prepares, then what does not run."""
    service, state = part
    return service not in SERVERS, service != PREPARING or state == ABSENT, not _is_gone(service, state)


def health(facts: Facts) -> Finding:
    """Judge our own containers, when there are any."""
    name, why = "Containers", "A part that is not healthy does not do its work."
    if not facts.running:
        return Finding(name, UNKNOWN, "Tamga is not running", why, "make up")
    ill = sorted(((one, state) for one, state in facts.running.items() if state not in WELL), key=_order_of_cure)
    if ill:
        shown = [f"{one} is {state}" if state in GONE else f"{one} {state}" for one, state in ill[:MOST_NAMED]]
        more = [f"and {len(ill) - MOST_NAMED} more"] if len(ill) > MOST_NAMED else []
        first, state = ill[0]
        cure = "make up" if _is_gone(first, state) else f"make logs s={first}"
        return Finding(name, BAD, ", ".join([*shown, *more]), why, cure)
    return Finding(name, GOOD, f"{len(facts.running)} well", why)


def backups(facts: Facts) -> Finding | None:
    """Pass on what the running stack says of its backups and of the last drill."""
    states = [line for line in facts.lines if str(line.get("key", "")).startswith(("backup", "drill"))]
    if not states:
        return None
    why = "A backup that nobody has restored is a hope."
    if facts.running.get(SERVERS[0], DONE) not in WELL:
        return Finding("Backups", UNKNOWN, "not known: the database does not answer", why)
    order = (GOOD, LOOK, BAD)
    worst = max(states, key=lambda line: order.index(line["state"]) if line.get("state") in order else 0)
    words = " ".join(str(sentence) for sentence in worst.get("says") or [])
    cures = worst.get("commands") or ["make backup" if str(worst["key"]).startswith("backup") else "make drill"]
    cure = str(cures[0])
    state = str(worst.get("state", UNKNOWN))
    return Finding("Backups", state, words or state, why, "" if state == GOOD else cure)


Check = Callable[[Facts], Optional[Finding]]
# What would keep `make up` from ending well; the rest is worth knowing.
BEFORE_START: tuple[Check, ...] = (
    *(engine, compose, memory, disk, variables, secrets, rights, ports, images, networks, kernel),
)
ALL: tuple[Check, ...] = (*BEFORE_START, clock, domain, mail, health, backups)


def findings(facts: Facts, checks: tuple[Check, ...] = ALL) -> list[Finding]:
    """Return what each check finds."""
    return [found for check in checks if (found := check(facts)) is not None]
