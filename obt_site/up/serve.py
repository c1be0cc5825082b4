"""The server process of `up`: loads the project while the database still starts, and listens once it may.

    python -m obt_site.up.serve GATE daphne DAPHNE-ARGUMENTS…

GATE is a file that `up` makes when the stored data is checked and brought forward; until then nothing here touches it.
Loading beside the other parts instead of after them saves a second or two of every start.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

GATE_POLL_S = 0.02


def main(argv: list[str]) -> None:
    """Loads, waits for the gate, serves until it is told to stop."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "obt_site.settings")
    importlib.import_module("obt_site.asgi")  # sets Django up
    daphne = importlib.import_module("daphne.cli")
    from django.urls import get_resolver  # noqa: PLC0415  (after Django is set up)

    assert get_resolver().url_patterns  # loads every view now instead of at the first request
    gate = Path(argv[0])
    while not gate.exists():
        time.sleep(GATE_POLL_S)
    daphne.CommandLineInterface().run(argv[2:])


if __name__ == "__main__":
    main(sys.argv[1:])
