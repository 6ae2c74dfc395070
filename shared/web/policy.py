"""Who may do what: role × action × scope, as data. Denied unless the table says otherwise.

Scopes: `own` (made by this person's organisation or person), `org` (addressed to their organisation),
`assigned` (given to this person), `programme` (of their programmes), `all`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import ForbiddenError, NotFoundError
from shared.web.identity import Identity

SCOPES = ("own", "org", "assigned", "programme", "all")


@dataclass(frozen=True)
class Policy:
    """A service's table: {"grants.application.read": {"applicant": "own", "officer": "programme"}}.

    The role "anyone" stands for people who have not signed in, "signed_in" for everybody who has.
    """

    table: Mapping[str, Mapping[str, str]]

    def __post_init__(self) -> None:
        for action, roles in self.table.items():
            for role, scope in roles.items():
                if scope not in SCOPES:
                    raise ValueError(f"{action}: {role} has the unknown scope {scope}")

    def scopes(self, action: str, identity: Identity | None) -> dict[str, str]:
        """Return {role: scope} of this person's roles that may do `action`; empty when none may."""
        roles = self.table[action]
        held = {"anyone"} | ({"signed_in", *identity.roles} if identity else set())
        return {role: scope for role, scope in roles.items() if role in held}

    def require(self, action: str, identity: Identity | None) -> dict[str, str]:
        """Return the scopes in which this person may do `action`; raises ForbiddenError when in none."""
        scopes = self.scopes(action, identity)
        if not scopes:
            raise ForbiddenError("Your role does not allow this")
        return scopes

    def role_for(
        self,
        action: str,
        identity: Identity,
        *,
        own: bool = False,
        org: bool = False,
        assigned: bool = False,
        programme: str | None = None,
    ) -> str:
        """Return the role in which this person may do `action` to a thing with those relations.

        Raises NotFoundError when there is none: whoever may not know of a thing is not told that it exists.
        """
        reach = {
            "own": own,
            "org": org,
            "assigned": assigned,
            "programme": programme is not None and programme in identity.programmes,
            "all": True,
        }
        for role, scope in self.require(action, identity).items():
            if reach[scope]:
                return role
        raise NotFoundError("There is no such record")
