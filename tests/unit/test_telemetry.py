"""Traces by W3C's rules, and spans that cost next to nothing while nobody collects them."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from shared import telemetry, telemetry_export

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_a_valid_traceparent_is_continued_under_a_span_of_our_own() -> None:
    """Trace and flags stay as the caller gave them, the span is new."""
    version, trace, span, flags = telemetry.continued(GIVEN).split("-")
    assert (version, trace, flags) == ("00", TRACE, "00")
    assert span != "b7ad6b7169203331"


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "",
        GIVEN.upper(),
        GIVEN[:-1],
        f"{GIVEN}-more",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff{GIVEN[2:]}",
        f"{GIVEN}\n",
        "x" * 4000,
    ],
)
def test_an_invalid_traceparent_begins_a_trace(wrong: str | None) -> None:
    """What the standard does not allow is not passed on, and the new traceparent fits its column."""
    made = telemetry.continued(wrong)
    assert telemetry.parse(made) is not None
    assert len(made) == 55
    assert TRACE not in made


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    """A version to come may have more fields behind those that we know."""
    assert telemetry.trace_id(f"cc{GIVEN[2:]}-more") == TRACE
    assert telemetry.trace_id(f"cc{GIVEN[2:]}more") is None


def test_a_line_of_the_log_names_trace_and_correlation() -> None:
    """Within a span each line has both ids; outside of one it has none; what the line says itself stays."""
    with telemetry.begin("grants", "work", parent=GIVEN, correlation_id="c-1"):
        inside = telemetry.name_trace(None, "info", {"event": "x"})
        own = telemetry.name_trace(None, "info", {"event": "x", "correlation_id": "own"})
    assert inside == {"event": "x", "trace_id": TRACE, "correlation_id": "c-1"}
    assert own["correlation_id"] == "own"
    assert telemetry.name_trace(None, "info", {"event": "x"}) == {"event": "x"}


def test_without_a_collector_nothing_of_the_sdk_is_imported() -> None:
    """The memory that OpenTelemetry takes is paid for only where an endpoint is configured."""
    script = """
import sys
from shared import telemetry
import shared.messaging.relay
telemetry.start("web")
with telemetry.begin("grants", "work") as span:
    assert not span.recording
telemetry.stop()
wanted = ("opentelemetry.sdk", "opentelemetry.exporter", "google.protobuf", "requests")
sys.exit(any(name.startswith(wanted) for name in sys.modules))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, check=False, env={"PYTHONPATH": str(root)})
    assert done.returncode == 0


class Collector(SpanExporter):
    """Takes spans, or refuses them, or keeps its caller waiting."""

    def __init__(self) -> None:
        self.taken: list[ReadableSpan] = []
        self.result = SpanExportResult.SUCCESS
        self.open = threading.Event()
        self.open.set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.open.wait(20)
        if self.result is SpanExportResult.SUCCESS:
            self.taken += spans
        return self.result

    def shutdown(self) -> None:
        self.open.set()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Give a collector that gets this process's spans."""
    taking = Collector()
    before = logging.getLogger("opentelemetry").level
    monkeypatch.setattr(telemetry, "_exporting", telemetry_export.Exporter("unit", "", exporter=taking))
    yield taking
    telemetry.stop(0.1)
    logging.getLogger("opentelemetry").setLevel(before)


def _dropped(why: str) -> float:
    return float(telemetry_export.DROPPED.labels(why)._value.get())


def test_spans_have_their_parents_and_never_an_error_s_message(collector: Collector) -> None:
    """The child names the parent's span; a failure is told by its type alone."""
    with telemetry.begin("grants", "outer", parent=GIVEN[:-1] + "1") as outer:  # noqa: SIM117 - one stands in the other
        with pytest.raises(ValueError, match="Ana"), telemetry.begin("grants", "inner", parent=outer.traceparent):
            raise ValueError("Ana Petrova was here")
    telemetry.stop()
    inner_span, outer_span = collector.taken
    assert inner_span.parent is not None
    assert outer_span.parent is not None
    assert inner_span.parent.span_id == outer_span.context.span_id
    assert f"{outer_span.parent.span_id:016x}" == GIVEN[36:52]
    assert {f"{span.context.trace_id:032x}" for span in collector.taken} == {TRACE}
    assert "Ana" not in inner_span.to_json()
    assert inner_span.attributes is not None
    assert inner_span.attributes["error.type"] == "ValueError"


def test_what_the_caller_did_not_sample_is_not_exported(collector: Collector) -> None:
    """The caller's word not to record is kept, and passed on."""
    with telemetry.begin("grants", "work", parent=GIVEN) as span:
        assert span.traceparent.endswith("-00")
    telemetry.stop()
    assert collector.taken == []


def test_an_idle_timer_is_not_exported(collector: Collector) -> None:
    """A span that had nothing to do is dropped on purpose."""
    with telemetry.begin("grants", "timer") as span:
        span.note({telemetry.IDLE: True})
    telemetry.begin("grants", "work").end()
    telemetry.stop()
    assert [span.name for span in collector.taken] == ["work"]


def test_a_collector_that_hangs_costs_bounded_memory_and_the_rest_is_counted(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ending a span never waits: what the queue has no room for is dropped, and counted as such."""
    outbound: Any = telemetry._exporting.outbound  # type: ignore[union-attr]
    monkeypatch.setattr(outbound, "waiting", 200)
    collector.open.clear()
    queue, end = _dropped("queue"), _dropped("end")
    for _ in range(1000):
        telemetry.begin("grants", "work").end()
    held = len(outbound._queue)
    telemetry.stop(0.1)
    assert held <= 200
    assert _dropped("queue") - queue >= 1000 - 200 - outbound.batch
    assert _dropped("queue") - queue + _dropped("end") - end == 1000


def test_what_a_collector_refuses_is_counted_and_the_next_is_tried(collector: Collector) -> None:
    """A refusal drops its batch and ends nothing."""
    refused = _dropped("collector")
    collector.result = SpanExportResult.FAILURE
    telemetry.begin("grants", "first").end()
    outbound: Any = telemetry._exporting.outbound  # type: ignore[union-attr]
    outbound._send()
    collector.result = SpanExportResult.SUCCESS
    telemetry.begin("grants", "second").end()
    telemetry.stop()
    assert _dropped("collector") - refused == 1
    assert [span.name for span in collector.taken] == ["second"]
