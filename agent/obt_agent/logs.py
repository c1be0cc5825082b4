"""The agent's log: one line per event on stderr, sentences for people or JSON for machines."""

from __future__ import annotations

import json
import logging
import sys
import time

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


class _Line(logging.Formatter):
    """Keeps an event on one line, whatever the message holds."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return f"{stamp} {record.levelname.lower():<7} {self.sentence(record)}"

    def sentence(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text = f"{text} | {self.formatException(record.exc_info)}"
        return text.replace("\r", " ").replace("\n", " | ")


class _JsonLine(_Line):
    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        event = {"time": stamp, "level": record.levelname.lower(), "message": self.sentence(record)}
        return json.dumps(event, ensure_ascii=False)


def set_up(level: str = "info", style: str = "text") -> None:
    """Send this package's log to stderr. `level` is one of LEVELS, `style` one of FORMATS."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine() if style == "json" else _Line())
    root = logging.getLogger(__package__)
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
