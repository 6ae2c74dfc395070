"""What a programme publishes of its grants: the facts it states, both formats checked, the files kept by their hash."""

from __future__ import annotations

import hashlib

from services.demo.people import DemoError
from services.demo.stage import Stage
from services.demo.story.text import PUBLIC_FACTS

_PLACE = "/grants/api/programmes/business-ecosystem"


def tell(stage: Stage) -> None:
    """Act the publication as 360Giving and IATI; raises DemoError when a record breaks a rule of its standard."""
    stage.chapter = "Open data"
    known = stage.get("manager", f"{_PLACE}/publishing-facts")
    body = {"facts": PUBLIC_FACTS, "version": known["version"]}
    stage.act("manager", "states what is published of it", "PUT", f"{_PLACE}/publishing-facts", json=body)
    for form, name, kind in (("360giving", "360Giving", "json"), ("iati", "IATI", "xml")):
        draft = stage.act("officer", f"checks the draft for {name}", "GET", f"{_PLACE}/publications/{form}/draft")
        wrong = [item["problems"] for item in draft["records"] if item["problems"]]
        if wrong or not draft["records"]:
            raise DemoError(f"the file for {name} is not valid: {wrong[:3]}")
        body = {"invalid": "refuse", "seen": draft["fingerprint"]}
        made = stage.act("officer", f"publishes {name}", "POST", f"{_PLACE}/publications/{form}", json=body)
        path = f"/grants/api/publications/{made['id']}/files/{kind}"
        content = stage.read("auditor", f"opens the file for {name}", path)
        if hashlib.sha256(content).hexdigest() != made["files"][0]["sha256"]:
            raise DemoError(f"the file for {name} is not the one of its hash")
