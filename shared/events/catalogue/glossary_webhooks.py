"""What the fields of events about banks' own systems mean; see glossary.py."""

from __future__ import annotations

from typing import Any

# Also of the keys with which a bank's systems come to us.
WEBHOOKS: dict[str, tuple[str, Any]] = {
    "endpoint.because": ("Why it was disabled: person, gone (it answered 410) or failing (for 120 hours).", "gone"),
    "endpoint.number": ("Which secret of the endpoint, from 1.", 2),
    "endpoint.key": ("The name of the key of the house under which its secrets are kept now.", "5f0c21ab"),
    "endpoint.numbers": ("Which secrets of the endpoint, from 1.", [1, 2]),
    "endpoint_id": ("The endpoint: where a bank's system listens.", "01a2051a-6889-75e5-ad94-a326bfa7833a"),
    "event_types": ("Which events it asks for.", ["loans.referral.submitted"]),
    "failing_since": ("When the first failure after the last success was; none when there was none.", None),
    "host": ("The host of the address; the rest may hold a token of the bank's.", "core.bank.example"),
    "kept": ("Whether it waits for the endpoint to be enabled again.", True),
    "message_id": ("The message's id, the same at every attempt.", "msg_01a2051a688975e5ad94a326bfa7833a"),
    "older_until": ("Until when the older secret signs beside the new one.", None),
    "scopes": ("What the key is limited to; nothing means all that its person may do.", ["referrals:read"]),
    "scheme": ("How messages are signed: v1 (HMAC-SHA256) or v1a (Ed25519).", "v1"),
    "webhook.again": ("Whether a person had it sent again.", False),
    "webhook.because": (
        "Why it is not sent: disabled, consent (revoked meanwhile) or never_told (nothing of the referral arrived).",
        "consent",
    ),
    "webhook.code": ("The HTTP status of the answer; none when there was no answer.", 503),
}
