"""The walls of the house: who may import what, who may publish, who may commit."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from shared.settings import SERVICES

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = sorted([*(ROOT / "shared").rglob("*.py"), *(ROOT / "services").rglob("*.py")])
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# The programs that gather the services, each on its own account.
GATHERING = {
    "__init__",
    "__main__",
    "watch",
    "signer",
    "comparing",
    "measures",
    "support",
    "web",
    "work",
    "relay",
    "prepare",
    "status",
    "backbone",
    "backup",
    "catalogue",
    "launcher",
    "demo",
}
# Beside the published language and the kernel's plain parts: libraries that compute and touch nothing.
DOMAIN_MAY = (
    *("shared.events", "shared.money", "shared.workflow", "shared.entity", "shared.errors", "shared.forms"),
    "shared.asking",
    *("pydantic", "rfc8785", "cryptography", "pyxirr", "holidays", "stdnum", "phonenumbers"),
)
RUNNER = {"nameko", "eventlet", "greenlet"}
WEB = {"fastapi", "starlette", "uvicorn"}
MAY_KNOW_THE_RUNNER = {"shared/messaging/consumer.py", "shared/messaging/green.py"}
# Connections of their own: the unit of work, migrations (one transaction a service).
MAY_COMMIT = {"shared/database.py", "shared/engine.py", "shared/migrations.py"}
MAY_PUBLISH = {"shared/messaging/publisher.py", "shared/messaging/relay.py"}


def name_of(path: Path) -> str:
    """Return a file's path inside the repository."""
    return path.relative_to(ROOT).as_posix()


def is_test_kit(path: Path) -> bool:
    """Say whether a file helps tests alone: those send and commit what nobody else may, and schedule greenlets."""
    return name_of(path).startswith("shared/testing/")


@dataclass
class Facts:
    """What the walls are about in one file."""

    lines: int
    imports: list[str] = field(default_factory=list)
    calls: list[tuple[str, int]] = field(default_factory=list)
    functions: list[tuple[str, int, int]] = field(default_factory=list)


@cache
def facts(path: Path) -> Facts:
    """Read a file, once for all tests."""
    text = path.read_text()
    found = Facts(len(text.splitlines()))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.imports += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found.calls.append((node.func.attr, node.lineno))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.functions.append((node.name, node.lineno, own_lines(node)))
    return found


def imports(path: Path) -> list[str]:
    """Return the full names that a file imports, also those inside functions."""
    return facts(path).imports


def calls(path: Path) -> list[tuple[str, int]]:
    """Return the names of the methods that a file calls, with the line."""
    return facts(path).calls


def room(path: Path) -> tuple[str, str]:
    """Return (service, layer) of a file under services: ("grants", "domain")."""
    parts = path.relative_to(ROOT / "services").with_suffix("").parts
    return parts[0], parts[1] if len(parts) > 1 else ""


def service_files(*layers: str) -> list[Path]:
    """Return the files of every service's layers of that name."""
    found = [path for path in PRODUCT if path.is_relative_to(ROOT / "services") and room(path)[0] in SERVICES]
    return [path for path in found if any(room(path)[1] == layer for layer in layers)]


def is_any(name: str, packages: set[str] | tuple[str, ...]) -> bool:
    """Say whether an imported name lies in one of the packages."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def test_there_is_something_to_check() -> None:
    """The walls are checked on the real tree: every service has a domain, handlers and storage."""
    for layer in ("domain", "handlers", "storage"):
        assert {room(path)[0] for path in service_files(layer)} == set(SERVICES), layer


def test_services_never_import_each_other() -> None:
    """What services say to each other is in shared.events alone."""
    crossings = [
        f"{name_of(path)} imports {name}"
        for path in PRODUCT
        if path.is_relative_to(ROOT / "services") and (own := room(path)[0]) not in GATHERING
        for name in imports(path)
        if is_any(name, ("services",)) and not is_any(name, (f"services.{own}",))
    ]
    assert crossings == []


def test_shared_never_imports_services() -> None:
    """Shared stands below the services."""
    upward = [
        f"{name_of(path)} imports {name}"
        for path in PRODUCT
        if path.is_relative_to(ROOT / "shared")
        for name in imports(path)
        if is_any(name, ("services",))
    ]
    assert upward == []


def test_domains_are_plain_python() -> None:
    """A domain knows rules and the published language; no database, no web, no runner, no clock."""
    impure = [
        f"{name_of(path)} imports {name}"
        for path in service_files("domain")
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not is_any(name, (*DOMAIN_MAY, f"services.{room(path)[0]}.domain"))
    ]
    assert impure == []


def test_handlers_know_neither_web_nor_runner() -> None:
    """A use case runs the same from a page, a message, a timer or a test."""
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in service_files("handlers")
        for name in imports(path)
        if is_any(name, RUNNER | WEB | {"kombu", "amqp"})
    ]
    assert wrong == []


def test_only_the_consumer_and_the_workers_know_nameko() -> None:
    """The runner can be replaced without touching a rule."""
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in PRODUCT
        if name_of(path) not in MAY_KNOW_THE_RUNNER and path.name != "worker.py" and not is_test_kit(path)
        for name in imports(path)
        if is_any(name, RUNNER)
    ]
    assert wrong == []


def test_pages_and_api_reach_storage_only_through_its_module() -> None:
    """The only SQL of a service is in its storage: pages, API and handlers import no SQL builder."""
    builders = ("sqlalchemy.select", "sqlalchemy.insert", "sqlalchemy.update", "sqlalchemy.delete", "sqlalchemy.text")
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in service_files("domain", "handlers", "pages", "api", "worker", "policy")
        for name in imports(path)
        if name in builders
    ]
    assert wrong == []


def test_nobody_commits_but_the_unit_of_work() -> None:
    """One request or message is one transaction, committed at the edge."""
    wrong = [
        f"{name_of(path)}:{line}"
        for path in PRODUCT
        if name_of(path) not in MAY_COMMIT and not is_test_kit(path)
        for name, line in calls(path)
        if name == "commit"
    ]
    assert wrong == []


def test_nobody_publishes_but_the_relay() -> None:
    """An event reaches the broker only from the outbox."""
    verbs = {"basic_publish", "basic_publish_confirm", "publish", "Producer"}
    wrong = [
        f"{name_of(path)}:{line}"
        for path in PRODUCT
        if name_of(path) not in MAY_PUBLISH and not is_test_kit(path)
        for name, line in calls(path)
        if name in verbs
    ]
    assert wrong == []


def own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function has, those of functions inside it apart."""
    inner = [node for node in ast.walk(function) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    spans = {line for node in inner if node is not function for line in range(first_line(node), last_line(node) + 1)}
    return len(set(range(function.lineno, last_line(function) + 1)) - spans)


def first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the line of a function's first decorator, or of its `def`."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def last_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return a function's last line."""
    return node.end_lineno or node.lineno


# Travels alone, to people who have nothing of ours.
ONE_FILE = {"services/audit/offline/verify.py"}


def test_files_and_functions_stay_small() -> None:
    """No file has more than 400 lines, no function more than 40 of its own."""
    long_files = [name_of(path) for path in PRODUCT if facts(path).lines > 400 and name_of(path) not in ONE_FILE]
    long_files += [name_of(path) for path in TESTS if len(path.read_text().splitlines()) > 400]
    long_functions = [
        f"{name_of(path)}:{line} {name}"
        for path in PRODUCT
        if "migrations/versions" not in name_of(path) and path.stem != "tables"  # declarations
        for name, line, length in facts(path).functions
        if length > 40
    ]
    assert long_files + long_functions == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_reads_the_same(service: str) -> None:
    """Know one service, and you know where everything is in the others."""
    folder = ROOT / "services" / service
    expected = ["domain", "handlers", "storage", "pages", "policy", "application"]
    missing = [name for name in expected if not ((folder / f"{name}.py").exists() or (folder / name).is_dir())]
    assert missing == []
    assert (folder / "migrations" / "versions").is_dir()


def test_no_package_registry_is_named() -> None:
    """The lock carries versions and hashes only: it works behind any mirror."""
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "registry." + "npmjs")
    texts = [ROOT / "requirements.lock", ROOT / "pyproject.toml", ROOT / "Makefile", *(ROOT / "deploy").rglob("*")]
    texts = [path for path in texts if path.is_file() and path.suffix != ".pyc"]
    found = [name_of(path) for path in texts if any(host in path.read_text() for host in hosts)]
    assert found == []
