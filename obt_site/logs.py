"""One line per event, as text for people or JSON for machines. Line breaks in a message never start a new line."""

import json
import logging
from datetime import UTC, datetime

from obt_site.middleware import current_request_id


def _flat(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00Z INFO agents.verbs [request id] message`"""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        request = f" [{current_request_id()}]" if current_request_id() else ""
        line = f"{when} {record.levelname} {record.name}{request} {_flat(record.getMessage())}"
        if record.exc_info:
            line += " | " + _flat(self.formatException(record.exc_info))
        return line


class JsonFormatter(logging.Formatter):
    """The same as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": current_request_id(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)
