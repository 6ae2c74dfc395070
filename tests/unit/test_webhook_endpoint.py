"""Endpoints and messages of banks' systems: secrets, patience, the schedule, and what a message may carry."""

from __future__ import annotations

import ipaddress
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notifications.domain.endpoint import FAILING, GONE, PATIENCE, Endpoint, catalogue, checked, known_types
from services.notifications.domain.signing import Scheme
from services.notifications.domain.webhook import REVOKED, WAITS, Reply, State, Webhook, next_attempt
from services.notifications.egress import Egress, RefusedAddressError, retry_after
from shared.errors import ConflictError, InvalidError
from shared.settings import Settings, SettingsError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def endpoint() -> Endpoint:
    made = Endpoint(
        id="e1",
        organisation="bank",
        url="https://core.bank.example/hook",
        types=["loans.referral.submitted"],
        scheme=Scheme.HMAC,
        owner="u1",
        owner_name="Bo",
        created_at=NOW,
    )
    made.register("sealed-1", None)
    return made


def message(event_type: str = "loans.referral.submitted", **facts: str) -> Webhook:
    return Webhook(
        id="01a20056-2fe3-7867-a706-8c86287e8ca4",
        endpoint="e1",
        organisation="bank",
        event_id="01a20056-2fe3-7867-a706-8c86287e8ca5",
        event_type=event_type,
        happened_at=NOW,
        about="referral:REF-1",
        sequence=2,
        facts={"referral_id": "REF-1", "proposal_id": "LP-1"} | facts,
        correlation_id="01a20056-2fe3-7867-a706-8c86287e8ca6",
        created_at=NOW,
    )


def test_two_secrets_live_for_a_day() -> None:
    """A new secret stands first, the older signs 24 hours more or until it is retired; a third has to wait."""
    item = endpoint()
    item.rotate("sealed-2", None, "Bo", NOW)
    assert [one.number for one in item.live_secrets(NOW)] == [2, 1]
    with pytest.raises(ConflictError):
        item.rotate("sealed-3", None, "Bo", NOW)
    assert [one.number for one in item.live_secrets(NOW + timedelta(hours=24))] == [2]
    item.retire(NOW)
    assert [one.number for one in item.secrets] == [2]
    with pytest.raises(ConflictError):
        item.retire(NOW)


def test_an_endpoint_is_disabled_after_120_hours_of_failing() -> None:
    """One success begins the count anew; 410 disables at once; a disabled one counts nothing more."""
    item = endpoint()
    assert not item.failed(NOW, gone=False)
    item.succeeded()
    assert not item.failed(NOW + PATIENCE, gone=False)
    assert not item.failed(NOW + PATIENCE * 2 - timedelta(seconds=1), gone=False)
    assert item.failed(NOW + PATIENCE * 2, gone=False)
    assert (item.enabled, item.off_because) == (False, FAILING)
    assert not item.failed(NOW + PATIENCE * 3, gone=True)
    item.enable()
    assert item.failed(NOW, gone=True)
    assert item.off_because == GONE


def test_the_schedule_is_the_standards() -> None:
    """0, 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: ten attempts in 75 h 35 m 5 s, with 20 % of jitter."""
    assert sum(WAITS, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    failed = Reply(code=500)
    assert [next_attempt(tries, failed, NOW, lambda: 0.0) for tries in range(1, 11)] == [
        *(NOW + wait for wait in WAITS),
        None,
    ]
    assert next_attempt(2, failed, NOW, lambda: 1.0) == NOW + timedelta(minutes=6)
    assert next_attempt(1, Reply(code=429), NOW, lambda: 0.0) == NOW + timedelta(seconds=60)
    asked = Reply(code=503, retry_after=timedelta(hours=1))
    assert next_attempt(1, asked, NOW, lambda: 0.0) == NOW + timedelta(hours=1)
    for_ever = Reply(code=503, retry_after=timedelta(days=900))
    assert next_attempt(1, for_ever, NOW, lambda: 0.0) == NOW + timedelta(hours=24)
    assert next_attempt(1, Reply(code=410), NOW, lambda: 0.0) is None


@pytest.mark.parametrize(
    ("code", "state"), [(200, "delivered"), (299, "delivered"), (302, "retrying"), (None, "retrying")]
)
def test_only_2xx_is_success(code: int | None, state: str) -> None:
    """A redirect or silence is a failure."""
    item = message()
    item.queue(NOW)
    item.claim(NOW)
    assert item.conclude(1, Reply(code=code), NOW, lambda: 0.0)
    assert item.state_now == State(state)
    assert not item.conclude(1, Reply(code=200), NOW, lambda: 0.0), "another sender's outcome counts no more"


def test_a_message_carries_ids_and_addresses_alone() -> None:
    """The number of the proposal needs a live consent; of a revoked one only the referral's number is told."""
    data = json.loads(message().body("https://tamga.example/", consented=True))["data"]
    assert data == {
        "event_id": "01a20056-2fe3-7867-a706-8c86287e8ca5",
        "entity": "referral:REF-1",
        "sequence": 2,
        "referral_id": "REF-1",
        "proposal_id": "LP-1",
        "page": "https://tamga.example/loans/referrals/REF-1",
        "api": "https://tamga.example/loans/api/referrals/REF-1",
    }
    without = json.loads(message().body("https://tamga.example", consented=False))["data"]
    assert "LP-1" not in str(without)
    revoked = json.loads(message(REVOKED).body("https://tamga.example", consented=False))["data"]
    assert set(revoked) == {"event_id", "entity", "sequence", "referral_id"}
    with pytest.raises(ValueError, match="fewer than"):
        message(loan_id="x" * 20_000).body("https://tamga.example", consented=True)


def test_the_catalogue_is_what_concerns_a_bank() -> None:
    """Facts that name a bank, and not the consent that precedes the referral, nor proposals."""
    assert set(catalogue()) == {"referral", "loan", "product", "tape", "guarantee"}
    assert "loans.referral.submitted" in known_types()
    assert not known_types() & {"loans.referral.consented", "loans.proposal.submitted", "loans.record.viewed"}
    assert not {name for name in known_types() if name.startswith("loans.improvement.")}


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://bank.example/", "must begin with https://"),
        ("ftp://bank.example/", "must begin with https://"),
        ("https://", "is not an address: write https://host/path"),
        ("https://bank.example:99999/", "is not an address: write https://host/path"),
        ("https://bank.example/a b", "is not an address: write https://host/path"),
        ("https://bank.example/\r\nx: y", "is not an address: write https://host/path"),
        ("https://u:p@bank.example/", "may hold no user and password: the signature says who we are"),
        ("https://bank.example/#x", "may hold no part after #: it is never sent"),
        ("https://bank.example/" + "x" * 500, "has 521 characters; at most 500"),
    ],
)
def test_wrong_addresses_are_refused_by_name(url: str, rule: str) -> None:
    """Each wrong field and its rule is told, with the figure; nothing of it is kept."""
    with pytest.raises(InvalidError) as refused:
        checked(url, "x" * 201, ["loans.nothing.happened"], plain_http=False)
    assert refused.value.fields == {
        "url": rule,
        "description": "has 201 characters; at most 200",
        "types": "loans.nothing.happened is not in the catalogue",
    }


INSIDE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - an address that must not be called
    "255.255.255.255",
    "224.0.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2001:0:1::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_is_never_called(address: str) -> None:
    """Loopback, private, link-local, carrier's, unique-local, metadata, wrapped and unspecified addresses."""
    for found in ([address], ["93.184.215.14", address]):
        with pytest.raises(RefusedAddressError, match="no public address"):
            Egress(resolver=lambda _host, _port, found=found: found).address_of("bank.example", 443)


def test_a_name_that_nobody_explains_in_time_is_not_waited_for() -> None:
    """A resolver that hangs ends the attempt at the limit with words that say so, and what it raises is passed on."""
    over = threading.Event()

    def hangs(_host: str, _port: int) -> list[str]:
        over.wait(30)
        return ["93.184.215.14"]

    begun = time.monotonic()
    reply = Egress(resolver=hangs, naming=0.1).post("https://bank.example/hook", {}, b"{}")
    over.set()
    assert time.monotonic() - begun < 10
    assert (reply.code, reply.text) == (None, "The name bank.example could not be resolved in time")

    def fails(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(RefusedAddressError, match="can't be resolved"):
        Egress(resolver=fails).address_of("bank.example", 443)


def test_public_and_allowed_addresses_are_called() -> None:
    """The open internet, and inside networks that the operator named; a wrong network is a setting's error."""

    def stands_for(address: str, **allowed: Any) -> str:
        return Egress(resolver=lambda _host, _port: [address], **allowed).address_of("bank.example", 443)

    assert stands_for("93.184.215.14") == "93.184.215.14"
    assert stands_for("2a00:1450:4001:82a::200e")
    assert stands_for("64:ff9b::5db8:d70e"), "a public address behind NAT64"
    bank = (ipaddress.ip_network("10.20.0.0/16"),)
    assert stands_for("10.20.0.7", networks=bank) == "10.20.0.7"
    assert stands_for("::ffff:10.20.0.7", networks=bank)
    with pytest.raises(RefusedAddressError):
        stands_for("10.21.0.7", networks=bank)
    with pytest.raises(RefusedAddressError, match="resolved"):
        Egress(resolver=lambda _host, _port: []).address_of("bank.example", 443)
    with pytest.raises(SettingsError, match="TAMGA_WEBHOOK_NETWORKS"):
        Egress.of(Settings(webhook_networks="10.20.0.0/16, nonsense"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), (" 0 ", 0), ("Sun, 22 Nov 2026 12:01:00 GMT", 60), ("Sun, 22 Nov 2026 11:00:00 GMT", 0)],
)
def test_retry_after_is_read(header: str, seconds: int) -> None:
    """Seconds and dates are understood; what is past asks for nothing."""
    assert retry_after(header, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "\u0661"])
def test_a_retry_after_that_is_none_is_ignored(header: str | None) -> None:
    """Rubbish asks for nothing."""
    assert retry_after(header, NOW) is None
