"""Partners of an application and of its agreement: named, checked, agreed, spent and amended by their shares."""

from __future__ import annotations

import re
from typing import Any

import pytest
from grants_world import BUDGET, Case, World

from shared.events.portal import OrganisationRegistered
from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service that knows a possible partner."""
    world = World(stand.database("grants"), tmp_path_factory.mktemp("grants"))
    known = {"name": "Vocational Centre", "kind": "other", "country": "MK", "registration_number": "6 123 456"}
    world.hear(OrganisationRegistered(organisation_id="centre", **known), "organisation:centre")
    return world


def partner(**more: Any) -> dict[str, Any]:
    """Return a partner as the applicant writes it."""
    share = {"amount": "10000.00", "currency": "EUR"}
    about = {"name": "Vocational Centre", "country": "mk", "registration_number": "6123456", "part": "Holds courses"}
    return about | {"people": ["Elena Markova"], "shares": {"experts": share}} | more


@pytest.mark.english
def test_partners_are_named_in_the_draft(world: World) -> None:
    """Wrong shares are refused with figures, the form keeps what was typed, and a budget that shrank is noticed."""
    case = Case(world).draft()
    path, page = f"{case.path}/partners", f"{case.path}/partners"
    too_much = partner(shares={"experts": {"amount": "28000.01", "currency": "EUR"}})
    refused = world.applicant.api("PUT", path, 422, partners=[too_much], version=0)
    assert refused["errors"][0]["field"] == "partners.experts"
    told = refused["errors"][0]["rule"].replace("\u00a0", " ")
    assert "28,000.01 EUR, but the budget gives it 28,000.00 EUR" in told
    short = partner(shares={"experts": {"amount": "28000.00", "currency": "EUR"}})
    refused = world.applicant.api("PUT", path, 422, partners=[short], version=0)
    assert "that is 30.0 %; at least 40 % must stay with it" in refused["errors"][0]["rule"]
    typed = {"name": "Vocational Centre", "part": "", "share.experts": "ten", "version": "0"}
    answer = world.applicant.post(page, 422, **typed).text
    assert "is not an amount" in answer
    typed |= {"part": "Holds courses", "share.experts": "10 000,00", "people": "Elena Markova\n"}
    typed |= {"country": "MK", "registration_number": "6123456"}
    world.applicant.post(page, 303, **typed)
    seen = world.applicant.api("GET", path)
    assert (seen["partners"][0]["shares"], "organisation" in seen["partners"][0]) == (
        [{"line": "experts", "grant": {"amount": "10000.00", "currency": "EUR"}}],
        False,
    )
    assert seen["lead"]["share"] == {"amount": "30000.00", "currency": "EUR"}
    assert "30,000.00" in world.applicant.page(page)
    stale = world.applicant.api("PUT", path, 409, partners=[partner()], version=seen["version"] + 1)
    assert stale["status"] == 409
    assert world.events(case.reference).count("grants.partnership.named") == 1
    world.lead_firm.api("GET", path, 404)
    world.officer.api("PUT", path, 403, partners=[], version=1)
    less = [BUDGET[0] | {"grant": {"amount": "9000", "currency": "EUR"}}, BUDGET[1]]
    case.save(budget=less)
    body = {"transition": "submit", "version": case.seen(world.applicant)["version"]}
    refused = world.applicant.api("POST", f"{case.path}/moves", 422, **body)
    assert "partners.experts" in {item["field"] for item in refused["errors"]}
    case.save(budget=BUDGET)
    case.move(world.applicant, "submit")
    world.applicant.api("PUT", path, 409, partners=[], version=seen["version"])
    assert world.officer.api("GET", path)["partners"][0]["organisation"] == "centre"
    assert "Elena Markova" in world.officer.page(page)
    case.checks("eligibility")
    case.move(world.officer, "pass-screening")
    body = {"reviewers": [world.reviewer_one.identity.user], "version": case.seen()["version"]}
    asked = world.officer.request("POST", f"/api{case.path}/reviews", json=body)
    (review,) = asked.json()
    assert review["status"] == "recused"
    assert "Vocational Centre, a partner" in asked.text
    world.manager.api("POST", "/assessor/interests", organisation="centre", tie="board", version=0)
    for page in ("/", "/board"):
        assert "You sit or sat on a board of Vocational Centre" in world.manager.page(page)
        assert "Conflict of interest" not in world.officer.page(page)
    world.manager.api("POST", "/assessor/interests/1/end", until="2020-01-01", version=1)
    assert "Conflict of interest" not in world.manager.page("/")


class Shared(Case):
    """A case with a partner."""

    def draft(self) -> Shared:
        """Start a draft and name the partner."""
        super().draft()
        self.world.applicant.api("PUT", f"{self.path}/partners", partners=[partner(people=[])], version=0)
        return self

    def offer(self, expect: int = 303, amounts: tuple[str, ...] = ()) -> Any:
        """Offer the agreement by its form, in which the shares that were applied for stand already."""
        assert not amounts, "the form has the call's own"
        page = self.world.officer.page(f"{self.path}/money")
        assert 'name="p.1.experts" value="10000.00"' in page
        tags = re.findall(r'<input[^>]* name="((?:m|l|p)\.[^"]*)"[^>]* value="([^"]*)"', page)
        lines = re.findall(r'<select name="(l\.\d\.line)".*?<option value="([^"]*)" selected', page)
        typed = dict([*tags, *lines]) | {f"m.{n}.due": "2026-09-01" for n in range(3)}
        typed |= {"conditions": "Report by quarter", "version": str(self.seen()["version"])}
        path = f"{self.path}/agreement"
        for share, said in (("28000.01", "28,000.01 EUR, but the budget gives it 28,000.00 EUR"), ("ten", "amount")):
            refused = self.world.officer.post(path, 422, **typed | {"p.1.experts": share}).text
            assert f'value="{share}"' in refused
            assert said in refused.replace("\u00a0", " ")
        return self.world.officer.post(path, expect, **typed)


@pytest.mark.slow
def test_an_agreement_carries_shares_that_reports_and_amendments_follow(world: World) -> None:
    """A cost is a partner's and stands beside its share; a moved share is a budget move; the end says who used what."""
    case = Shared(world).concluded()
    terms = case.award()["terms"]
    assert [(item["name"], item["shares"][0]["grant"]["amount"]) for item in terms["partners"]] == [
        ("Vocational Centre", "10000.00")
    ]
    page = world.applicant.page(f"{case.path}/agreement")
    assert "Vocational Centre" in page
    assert "Shares of budget lines" in page
    world.clock.forward(days=100)
    first = f"/reports/{case.reference}-R1"
    cost = COST | {"partner": 9}
    version = world.applicant.api("GET", first)["version"]
    refused = world.applicant.api("POST", f"{first}/costs", 422, version=version, costs=[cost])
    assert [item["field"] for item in refused["errors"]] == ["costs.1.partner"]
    world.applicant.api("POST", f"{first}/costs", 201, version=version, costs=[cost | {"partner": 1}])
    page = world.applicant.page(first)
    assert "Spending beside each share" in page
    assert "20.0" in page  # per cent above the share: 12,000 of 10,000
    used = world.officer.api("GET", f"{case.path}/closeout")["used"]
    assert [(row["number"], row["share"]["amount"]) for row in used] == [(0, "30000.00"), (1, "10000.00")]
    shares = {"1": {"experts": {"amount": "12000.00", "currency": "EUR"}}}
    body = {"why": "More courses", "partners": shares, "version": case.award()["version"]}
    asked = world.applicant.api("POST", f"{case.path}/award/amendments", **body)
    assert (asked["verdict"]["kinds"], asked["verdict"]["moved"]["amount"]) == (["budget_minor"], "2000.00")
    much = {"1": {"experts": {"amount": "28000.00", "currency": "EUR"}}}
    world.applicant.api("POST", f"{case.path}/award/amendments", 422, **body | {"partners": much})
    assert "Shares of the partners" in world.applicant.page(f"{case.path}/agreement/amendment")


COST = {
    "paid_on": "2026-03-20",
    "line": "experts",
    "description": "Trainers in March",
    "invoice_number": "2026/17",
    "supplier": "Skills Ltd",
    "supplier_tax_id": "4080012345678",
    "claimed": {"amount": "12000.00", "currency": "EUR"},
}
