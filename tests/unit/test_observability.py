"""Logs without personal data, and signs of life."""

import json
import logging
import threading
from pathlib import Path

import pytest
import structlog

from shared import heartbeat, telemetry
from shared.observability import HIDDEN, configure_logging, without_personal_data


def test_personal_data_never_reach_a_log() -> None:
    """Names, addresses and secrets are hidden at any depth; facts that explain a failure stay."""
    event = {
        "event": "moved",
        "email": "a@b.example",
        "facts": {"Name": "Ana", "stage": "draft"},
        "case": "BSO-2026-0001",
    }
    cleaned = without_personal_data(None, "info", event)
    assert cleaned["email"] == HIDDEN
    assert cleaned["facts"] == {"Name": HIDDEN, "stage": "draft"}
    assert cleaned["case"] == "BSO-2026-0001"


def test_logs_are_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Our own logs and the standard library's come out in the same form, with process, trace and correlation."""
    before, kept = logging.getLogger().handlers[:], structlog.get_config()
    try:
        configure_logging("unit")
        with telemetry.begin("grants", "work", correlation_id="c-1") as span:
            structlog.get_logger().info("ours", token="secret")
            logging.getLogger("theirs").warning("said %s", "something")
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finally:
        logging.getLogger().handlers[:] = before
        structlog.configure(**kept)  # the library's own default draws tracebacks for seconds, in every test after
    assert [line["process"] for line in lines] == ["unit", "unit"]
    assert lines[0]["token"] == HIDDEN
    assert lines[1]["event"] == "said something"
    assert {line["trace_id"] for line in lines} == {telemetry.trace_id(span.traceparent)}
    assert {line["correlation_id"] for line in lines} == {"c-1"}


def test_who_falls_silent_is_not_alive(tmp_path: Path) -> None:
    """A heartbeat counts for a quarter of a minute, and one that never was does not count."""
    assert not heartbeat.is_alive(tmp_path, "web")
    heartbeat.beat(tmp_path, "web")
    moment = heartbeat.heartbeat_file(tmp_path, "web").stat().st_mtime
    assert heartbeat.is_alive(tmp_path, "web", now=moment + 14)
    assert not heartbeat.is_alive(tmp_path, "web", now=moment + 16)


def test_only_those_who_live_are_kept_beating(tmp_path: Path) -> None:
    """The list is asked anew at every beat, so that a dead thread's file grows old."""
    stopped, asked = threading.Event(), threading.Event()

    def living() -> list[str]:
        asked.set()
        return ["relay.grants"]

    thread = heartbeat.keep_beating(tmp_path, living, stopped)
    assert asked.wait(10)
    stopped.set()
    thread.join(10)
    assert [file.name for file in (tmp_path / "heartbeats").iterdir()] == ["relay.grants"]
