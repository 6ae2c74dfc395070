"""How events come into the outbox: under the next numbers of their entities, and the relay is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from shared.engine import ask, encode_json

CHANNEL = "tamga_outbox"
# One round trip for all events of a transaction. Counters are taken in the order of their names, so that two
# transactions never wait for each other.
_PUBLISH = text("""
WITH e AS (
  SELECT e.*, row_number() OVER (PARTITION BY e.entity ORDER BY e.number) AS nth,
         count(*) OVER (PARTITION BY e.entity) AS of_entity
  FROM ROWS FROM (jsonb_to_recordset(CAST(:events AS jsonb)) AS (
    id uuid, type text, version integer, entity text, programme text, "case" text, outcome text, body jsonb
  )) WITH ORDINALITY AS e (id, type, version, entity, programme, "case", outcome, body, number)
), counted AS (
  INSERT INTO outbox_sequence AS o (entity, last) SELECT entity, count(*) FROM e GROUP BY entity ORDER BY entity
  ON CONFLICT (entity) DO UPDATE SET last = o.last + excluded.last RETURNING o.entity, o.last
), written AS (
  INSERT INTO outbox (id, type, version, entity, sequence, "time", correlation_id, causation_id, traceparent,
                      programme, "case", outcome, body)
  SELECT e.id, e.type, e.version, e.entity, c.last - e.of_entity + e.nth, CAST(:time AS timestamptz),
         CAST(:correlation_id AS uuid), CAST(:causation_id AS uuid), :traceparent, e.programme, e."case", e.outcome,
         e.body
  FROM e JOIN counted c ON c.entity = e.entity ORDER BY e.number RETURNING 1
)
SELECT pg_notify(:channel, '') FROM written LIMIT 1
""")
# The same for one event, as most acts have it.
_PUBLISH_ONE = """
WITH counted AS (
  INSERT INTO outbox_sequence AS o (entity, last) VALUES (%(entity)s, 1)
  ON CONFLICT (entity) DO UPDATE SET last = o.last + 1 RETURNING o.last
), written AS (
  INSERT INTO outbox (id, type, version, entity, sequence, "time", correlation_id, causation_id, traceparent,
                      programme, "case", outcome, body)
  SELECT %(id)s, %(type)s, %(version)s, %(entity)s, last, %(time)s, %(correlation_id)s, CAST(%(causation_id)s AS uuid),
         %(traceparent)s, %(programme)s, %(case)s, %(outcome)s, CAST(%(body)s AS jsonb)
  FROM counted RETURNING 1
)
SELECT pg_notify(%(channel)s, '') FROM written
"""


def publish(connection: Connection, events: Sequence[Mapping[str, Any]], act: Mapping[str, Any]) -> None:
    """Write events and tell the relay; `act` has their time, correlation_id, causation_id and traceparent."""
    facts = {**act, "channel": CHANNEL}
    if len(events) == 1:
        ask(connection, _PUBLISH_ONE, {**facts, **events[0], "body": encode_json(events[0]["body"])})
    else:
        connection.execute(_PUBLISH, {**facts, "events": encode_json(events)})
