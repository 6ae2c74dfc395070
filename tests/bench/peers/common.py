"""What every peer does the same: its state row, its message, one INSERT a message."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
from pace import FACTS

STORE = "INSERT INTO stored (id, entity, sent, body) VALUES (%s, %s, to_timestamp(%s), %s)"
CHANGE = "UPDATE state SET version = version + 1, body = %s WHERE id = %s"


def connect() -> psycopg.Connection[Any]:
    """Return a connection on which every statement commits by itself."""
    return psycopg.connect(FACTS["database_url"], autocommit=True)


def message_of(number: int) -> dict[str, Any]:
    """Return the message of an act, as large as the body of a Tamga event with its headers."""
    entity = f"BSO-2026-{number * 7919 % FACTS['cases']:05d}"
    officer = f"user:{number % 40:036d}"
    return {
        "id": str(uuid.uuid4()),
        "type": "grants.application.assigned",
        "entity": f"application:{entity}",
        "correlation": str(uuid.uuid4()),
        "data": {
            "reference": entity,
            "title": f"Crafts of valley {number % 2000}",
            "call": "digital-2026",
            "organisation_id": "chamber-of-crafts",
            "organisation_name": "Chamber of Crafts",
            "notify": ["applicant"],
            "officer_id": officer,
            "officer_name": f"Person Number{number % 40}",
        },
        "actor": {"id": officer, "kind": "person", "name": f"Person Number{number % 40}", "role": "officer"},
        "changes": {"officer_id": [None, officer], "stage": ["submitted", "screening"]},
        "after_hash": "ab" * 32,
        "parties": {"applicant": ["org:chamber-of-crafts"], "officer": [officer]},
        "reason": None,
    }


def change_state(connection: psycopg.Connection[Any], message: dict[str, Any]) -> None:
    """Write the act's own state, in a transaction that knows nothing of the message: these systems have no outbox."""
    connection.execute(CHANGE, (json.dumps(message["data"]), message["entity"]))


def store(connection: psycopg.Connection[Any], message: dict[str, Any]) -> None:
    """Write the one row that a message is to leave."""
    row = (message["id"], message["entity"], message["sent"], json.dumps(message))
    connection.execute(STORE, row)


def acting(publish: Callable[[dict[str, Any]], object]) -> Callable[[int], None]:
    """Return what one act is: the state row, and the message when there is a confirm for it."""
    database = connect()

    def act(number: int) -> None:
        message = message_of(number)
        if FACTS["state"]:
            change_state(database, message)
        message["sent"] = time.time()
        publish(message)

    return act
