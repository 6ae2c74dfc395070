"""What a person chose to get by e-mail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from shared.entity import Entity
from shared.events.notifications import PreferenceChanged


class Preference(Entity):
    """The categories that one person does not want by e-mail; `id` is the user id. The inbox gets everything."""

    KIND: ClassVar[str] = "preference"

    muted: list[str] = []

    def choose(self, muted: Iterable[str]) -> None:
        """Keep the person's choice; choosing what is chosen already records nothing."""
        wanted = sorted(set(muted))
        if wanted == self.muted:
            return
        self.muted = wanted
        self.record(PreferenceChanged(user_id=self.id, muted=wanted))
