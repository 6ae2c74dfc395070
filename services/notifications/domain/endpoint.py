"""Where a bank's own system wants to hear of things, which things, and the secrets that sign what it hears."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from services.notifications.domain.signing import Scheme
from shared.entity import Entity, Part
from shared.errors import ConflictError, InvalidError, Rule
from shared.events import event_types
from shared.events.webhooks import (
    EndpointChanged,
    EndpointDisabled,
    EndpointEnabled,
    EndpointRegistered,
    EndpointSecretMade,
    EndpointSecretRetired,
    EndpointSecretsResealed,
)

MOST_ENDPOINTS = 10  # of one organisation
LONGEST_URL, LONGEST_DESCRIPTION = 500, 200
OVERLAP = timedelta(hours=24)  # for which the old secret signs beside the new one
PATIENCE = timedelta(hours=120)  # of failing without one success
TEST = "tamga.test"
# In which a bank has a part: how a firm improves, and to whom else it consents, is not its affair.
_KINDS = ("guarantee", "loan", "product", "referral", "tape")
_KEPT_BACK = frozenset({"loans.referral.consented"})  # nothing has left for the bank yet
GONE, FAILING, BY_HAND = "gone", "failing", "person"


def catalogue() -> dict[str, list[str]]:
    """Return the event types that a bank can ask for, by what they are about: facts in which it has a part."""
    found: dict[str, list[str]] = {}
    for (name, _), model in sorted(event_types().items()):
        service, kind, _ = name.split(".")
        known = service == "loans" and kind in _KINDS and "bank_id" in model.model_fields
        if known and name not in _KEPT_BACK:
            found.setdefault(kind, []).append(name)
    return {kind: list(dict.fromkeys(names)) for kind, names in found.items()}


def known_types() -> frozenset[str]:
    """Return the whole catalogue, flat."""
    return frozenset(name for names in catalogue().values() for name in names)


class Secret(Part):
    """A secret as it is kept: sealed. `until` is when it stops signing, None while it is the newest."""

    number: int
    sealed: str
    public: str | None = None
    made_at: datetime
    made_by_name: str
    until: datetime | None = None

    def lives(self, now: datetime) -> bool:
        """Tell whether it still signs."""
        return self.until is None or now < self.until


class Endpoint(Entity):
    """An address of a bank's system. `failing_since` is the first failure after the last success."""

    KIND: ClassVar[str] = "endpoint"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"url", "secrets"})

    organisation: str
    url: str
    description: str = ""
    types: list[str]
    scheme: Scheme
    secrets: list[Secret] = []
    owner: str
    owner_name: str
    created_at: datetime
    enabled: bool = True
    off_because: str = ""
    off_at: datetime | None = None
    failing_since: datetime | None = None

    def parties(self) -> dict[str, list[str]]:
        return {"partner": [f"org:{self.organisation}"]}

    @property
    def host(self) -> str:
        """Return the address without its path, which may hold a token of the bank's."""
        return urlsplit(self.url).netloc

    def _facts(self) -> dict[str, Any]:
        return {"endpoint_id": self.id, "organisation_id": self.organisation, "host": self.host}

    def register(self, sealed: str, public: str | None) -> None:
        """Begin with its first secret."""
        self.secrets = [self._made(1, sealed, public, self.created_at, self.owner_name)]
        self.record(EndpointRegistered(**self._facts(), event_types=self.types, scheme=self.scheme.value))

    @staticmethod
    def _made(number: int, sealed: str, public: str | None, now: datetime, by: str) -> Secret:
        return Secret(number=number, sealed=sealed, public=public, made_at=now, made_by_name=by)

    def change(self, *, url: str, description: str, types: Sequence[str]) -> None:
        """Let it listen elsewhere, or to other things; what stays as it is records nothing."""
        if (url, description, list(types)) == (self.url, self.description, self.types):
            return
        self.url, self.description, self.types = url, description, list(types)
        self.record(EndpointChanged(**self._facts(), event_types=self.types))

    def live_secrets(self, now: datetime) -> list[Secret]:
        """Return the secrets that sign now, the newest first."""
        return [one for one in reversed(self.secrets) if one.lives(now)]

    def rotate(self, sealed: str, public: str | None, by: str, now: datetime) -> None:
        """Sign with a new secret, and for a day with the one before as well."""
        live = self.live_secrets(now)
        if len(live) > 1:
            raise ConflictError(
                "Two secrets are live already, the older until %(until)s: retire it before you make a third",
                until=f"{live[-1].until:%Y-%m-%d %H:%M} UTC",
            )
        until = now + OVERLAP
        older = live[0].model_copy(update={"until": until})
        self.secrets = [older, self._made(older.number + 1, sealed, public, now, by)]
        self.record(EndpointSecretMade(**self._facts(), number=older.number + 1, older_until=until))

    def retire(self, now: datetime) -> None:
        """Stop signing with the older secret at once."""
        live = self.live_secrets(now)
        if len(live) < 2:
            raise ConflictError("Only one secret is live: nothing is to be retired")
        self.secrets = live[:1]
        self.record(EndpointSecretRetired(**self._facts(), number=live[1].number))

    def reseal(self, seal: Callable[[int, str], str | None], key: str) -> list[int]:
        """Keep the secrets under another key of the house; `seal(number, sealed)` gives None for one that stays.

        Returns which were sealed anew. The secrets are the same: nothing changes for the bank.
        """
        anew = {one.number: made for one in self.secrets if (made := seal(one.number, one.sealed)) is not None}
        if anew:
            kept = (one.model_copy(update={"sealed": anew.get(one.number, one.sealed)}) for one in self.secrets)
            self.secrets = list(kept)
            self.record(EndpointSecretsResealed(**self._facts(), key=key, numbers=sorted(anew)))
        return sorted(anew)

    def enable(self) -> None:
        """Send to it again; what was held back waits until somebody has it sent."""
        if self.enabled:
            raise ConflictError("This endpoint is enabled already")
        self.enabled, self.off_because, self.off_at, self.failing_since = True, "", None, None
        self.record(EndpointEnabled(**self._facts()))

    def disable(self, because: str, now: datetime) -> None:
        """Send nothing to it; what happens meanwhile is kept for it."""
        if not self.enabled:
            raise ConflictError("This endpoint is disabled already")
        self.enabled, self.off_because, self.off_at = False, because, now
        since = self.failing_since
        self.record(EndpointDisabled(**self._facts(), because=because, failing_since=since))

    def succeeded(self) -> None:
        """Note that it hears us."""
        self.failing_since = None

    def failed(self, now: datetime, *, gone: bool) -> bool:
        """Note a failure; returns whether that was the last straw, and it is disabled now."""
        if not self.enabled:
            return False
        self.failing_since = self.failing_since or now
        if gone or now - self.failing_since >= PATIENCE:
            self.disable(GONE if gone else FAILING, now)
            return True
        return False


def checked(url: str, description: str, types: Sequence[str], *, plain_http: bool) -> tuple[str, str, list[str]]:
    """Return what was given, put in order; raises InvalidError that names each field and the rule it breaks."""
    wrong: dict[str, str] = {}
    if problem := _url_problem(url, plain_http=plain_http):
        wrong["url"] = problem
    if len(description) > LONGEST_DESCRIPTION:
        wrong["description"] = Rule(
            "has %(has)s characters; at most %(most)s", has=len(description), most=LONGEST_DESCRIPTION
        )
    if not types:
        wrong["types"] = "choose at least one kind of event"
    elif unknown := sorted(set(types) - known_types()):
        wrong["types"] = Rule("%(name)s is not in the catalogue", name=unknown[0])
    if wrong:
        raise InvalidError(wrong)
    return url, description, sorted(set(types))


def _url_problem(url: str, *, plain_http: bool) -> str | None:
    if len(url) > LONGEST_URL:
        return Rule("has %(has)s characters; at most %(most)s", has=len(url), most=LONGEST_URL)
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        parts, port = urlsplit("https:"), 0
    if parts.scheme not in ({"https", "http"} if plain_http else {"https"}):
        return "must begin with https://"
    if port == 0 or not parts.hostname or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "is not an address: write https://host/path"
    if parts.username is not None or parts.password is not None:
        return "may hold no user and password: the signature says who we are"
    if parts.fragment:
        return "may hold no part after #: it is never sent"
    return None
