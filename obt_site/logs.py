"""One line per event, as text for people or JSON for machines. Line breaks in a message never start a new line."""

import json
import logging
from datetime import UTC, datetime

from obt_site.middleware import current_request_id

# Whatever a reader of lines may take for the end of one, and what turns the reading direction.
_BREAKS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\t",
    **{code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}


def _flat(text: str) -> str:
    return text.translate(_BREAKS)


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
        return json.dumps(entry)  # as ASCII: every sign that a reader could take for a line break is escaped
