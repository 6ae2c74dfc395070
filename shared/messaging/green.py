"""Imported first by the process that runs workers: makes the standard library and psycopg cooperative.

psycopg waits in C and would stop every greenlet; `wait_selector` waits in Python, through the patched selector.
It is chosen when psycopg is imported, so this module comes before anything that may import it.
"""

from __future__ import annotations

import os
import sys
import warnings

if "psycopg" in sys.modules or "kombu" in sys.modules:
    raise ImportError("shared.messaging.green must be imported before anything else")

os.environ["PSYCOPG_WAIT_FUNC"] = "wait_selector"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # eventlet says that it is in maintenance; it stays behind consumer.py
    import eventlet

    eventlet.monkey_patch()
