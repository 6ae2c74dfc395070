"""The people of the demonstration, each signed in with a browser's session of their own."""

from __future__ import annotations

import json
import re
import ssl
from pathlib import Path
from typing import Any

import httpx

from shared.settings import Settings

JSON = {"accept": "application/json"}
FORBIDDEN = 403
STEP_UP = "step-up-required"


class DemoError(RuntimeError):
    """The story could not go on; the message says where and why."""


class Person:
    """One person with their own cookie. Calls return the response; anything but the expected status is an error."""

    def __init__(self, key: str, facts: dict[str, Any], settings: Settings) -> None:
        self.key, self.name, self.email = key, facts["name"], facts["email"]
        self.user_id: str = facts.get("user_id", "")
        self._password: str = facts["password"]
        self.http = httpx.Client(
            base_url=settings.own_url, timeout=30, headers={"origin": settings.base_url}, verify=_trusted(settings)
        )
        self._sign_in()

    def _sign_in(self) -> None:
        page = self.http.get("/sign-in")
        form = {"email": self.email, "password": self._password}
        if found := re.search(r'name="csrf" value="([^"]*)"', page.text):
            form["csrf"] = found[1]
        answer = self.http.post("/sign-in", data=form)
        if answer.status_code != 303:
            raise DemoError(f"{self.name} could not sign in: {answer.status_code}")
        token = re.search(r'name="csrf" value="([^"]*)"', self.http.get("/account").text)
        self.csrf = token[1] if token else ""

    def call(self, method: str, path: str, *, expect: int | None = None, **content: Any) -> httpx.Response:
        """Return the answer to a request; raises DemoError when it is not `expect` (any 2xx if not given)."""
        answer = self.http.request(method, path, headers=JSON, **content)
        if answer.status_code == FORBIDDEN and STEP_UP in answer.text and self._confirmed():
            answer = self.http.request(method, path, headers=JSON, **content)
        fits = answer.status_code == expect if expect else answer.is_success
        if not fits:
            wanted = expect or "2xx"
            raise DemoError(
                f"{self.name}: {method} {path} gave {answer.status_code}, not {wanted}: {answer.text[:600]}"
            )
        return answer

    def _confirmed(self) -> bool:
        """Give the password again, as somebody does who thought for longer than five minutes."""
        headers = {**JSON, "x-csrf-token": self.csrf}
        return self.http.post("/api/confirm", headers=headers, json={"password": self._password}).is_success

    def get(self, path: str, **content: Any) -> Any:
        """Return the JSON of a read."""
        return self.call("GET", path, **content).json()

    def upload(self, path: str, file: tuple[str, bytes], **fields: str) -> httpx.Response:
        """Send a document with a form's fields, as a browser does."""
        name, content = file
        kind = "text/csv" if name.endswith(".csv") else "application/pdf"
        files = {"file": (name, content, kind)}
        return self.call("POST", path, files=files, data={"csrf": self.csrf, **fields})


class People:
    """Everybody by key, signed in when first needed."""

    def __init__(self, settings: Settings) -> None:
        path = people_file(settings.home)
        if not path.exists():
            raise DemoError(f"{path} is missing: start Tamga with `make run` first")
        self._facts = {entry["key"]: entry for entry in json.loads(path.read_text())}
        self._settings = settings
        self._signed_in: dict[str, Person] = {}

    def __getitem__(self, key: str) -> Person:
        if key not in self._signed_in:
            self._signed_in[key] = Person(key, self._facts[key], self._settings)
        return self._signed_in[key]

    def close(self) -> None:
        """Close every connection."""
        for person in self._signed_in.values():
            person.http.close()


def _trusted(settings: Settings) -> ssl.SSLContext | bool:
    """Return whose certificates count: the system's, and those of the installation's own authority if it has one."""
    if settings.ca_file is None:
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(settings.ca_file)
    return context


def people_file(home: Path) -> Path:
    """Return the owner-readable file with the demonstration people's passwords."""
    return home / "people.json"
