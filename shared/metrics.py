"""A process's figures for Prometheus, on a port of its own that only this machine reaches unless told otherwise."""

from __future__ import annotations

import os

import structlog
from prometheus_client import PROCESS_COLLECTOR, start_http_server

from shared.observability import REGISTRY, gauge, release

log = structlog.get_logger(__name__)

RUNS = gauge("build_info", "Which release this process runs", "version")
PORT, HOST = "TAMGA_METRICS_PORT", "TAMGA_METRICS_HOST"


def serve(process: str) -> bool:
    """Answer /metrics on TAMGA_METRICS_PORT from now on; without that variable nobody asks. Returns whether it does.

    A port that is taken is said and no more: figures are not worth a process.
    """
    if not (port := os.environ.get(PORT)):
        return False
    REGISTRY.register(PROCESS_COLLECTOR)
    RUNS.labels(release()).set(1)
    try:
        start_http_server(int(port), addr=os.environ.get(HOST, "127.0.0.1"), registry=REGISTRY)
    except OSError as error:
        REGISTRY.unregister(PROCESS_COLLECTOR)
        log.error("figures can't be served", process=process, port=port, error=str(error))  # noqa: TRY400 - one line
        return False
    return True
