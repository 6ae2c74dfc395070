"""Bank details of an organisation: entered by its people, confirmed by finance, let go before their time."""

from __future__ import annotations

from services.demo.stage import Stage


def tell(stage: Stage, key: str, iban: str) -> None:
    """Let `key` enter the account of their organisation, and others make it one that can be paid to."""
    person = stage.people[key]
    me = stage.get(key, "/api/me")
    path = f"/grants/api/organisations/{me['organisation']}/bank"
    if any(item["status"] == "confirmed" for item in stage.get(key, path)["details"]):
        return  # the story has been told in this house before: the account is in use
    about = {"iban": iban, "holder": me["organisation_name"], "bank": "First Partner Bank"}
    answer = person.upload(path, ("bank-letter.pdf", b"%PDF-1.4\n% account\n%%EOF\n"), **about)
    details = stage.remember(person, "enters the bank details", answer)
    number = details["details"][-1]["number"]
    body = {"note": "Called back at the number of the register", "version": details["version"]}
    details = stage.act("finance", "confirms them", "POST", f"{path}/{number}/confirmation", json=body)
    body = {"why": "The account has been known for years", "version": details["version"]}
    stage.act("manager", "ends the cooling-off", "POST", f"{path}/{number}/lift", json=body)
