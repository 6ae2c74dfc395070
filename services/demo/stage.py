"""The stage: every act of the story is called here, so that it can be counted, shown and measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from services.demo.people import DemoError, People, Person


@dataclass(frozen=True)
class Act:
    """One act: who did what, and the correlation id of the request by which the record can be found."""

    number: int
    chapter: str
    who: str
    what: str
    status: int
    correlation_id: UUID


class Stage:
    """Runs acts and remembers them. `on_act` is told of each one, for the progress bar; `pause` is in seconds."""

    def __init__(self, people: People, on_act: Callable[[Act], None], *, pause: float = 0.0) -> None:
        self.people, self._on_act, self._pause = people, on_act, pause
        self.acts: list[Act] = []
        self.chapter = ""

    def act(self, key: str, what: str, method: str, path: str, *, expect: int | None = None, **content: Any) -> Any:
        """Let a person do something over HTTP; returns the JSON of the answer (None when it has none)."""
        person = self.people[key]
        answer = person.call(method, path, expect=expect, **content)
        return self.remember(person, what, answer)

    def upload(self, key: str, what: str, path: str, file: str, /, **fields: str) -> Any:
        """Let a person upload a small PDF."""
        content = f"%PDF-1.4\n% {file}\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n".encode()
        return self.send(key, what, path, (file, content), **fields)

    def send(self, key: str, what: str, path: str, file: tuple[str, bytes], /, **fields: str) -> Any:
        """Let a person upload a file."""
        return self.remember(self.people[key], what, self.people[key].upload(path, file, **fields))

    def wait(self, done: Callable[[], bool], what: str, *, seconds: float = 20) -> None:
        """Wait for something that the product does by itself; raises DemoError."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise DemoError(f"{what} did not come within {seconds:.0f} seconds")
            time.sleep(0.1)

    def read(self, key: str, what: str, path: str) -> bytes:
        """Let a person open a file; returns its bytes."""
        answer = self.people[key].call("GET", path)
        self.remember(self.people[key], what, answer)
        return answer.content

    def remember(self, person: Person, what: str, answer: httpx.Response) -> Any:
        """Count an answered request as an act."""
        act = Act(
            number=len(self.acts) + 1,
            chapter=self.chapter,
            who=person.name,
            what=what,
            status=answer.status_code,
            correlation_id=UUID(answer.headers["x-correlation-id"]),
        )
        self.acts.append(act)
        self._on_act(act)
        time.sleep(self._pause)
        is_json = "json" in answer.headers.get("content-type", "")
        return answer.json() if is_json and answer.content else None

    def get(self, key: str, path: str, **content: Any) -> Any:
        """Let a person read something that is not an act of the story."""
        return self.people[key].get(path, **content)
