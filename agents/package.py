"""The agent as one file (`agent.pyz`), built from this checkout's sources and kept in the data folder."""

import os
from pathlib import Path

from django.conf import settings

from agent import zipapp_build

NAME = "agent.pyz"


def zipapp() -> Path:
    """The file, built anew when a source is newer. Two processes may build at once: the finished file is renamed."""
    target = Path(settings.DATA_DIR) / NAME
    if not target.exists() or target.stat().st_mtime < _newest_source():
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"{NAME}.{os.getpid()}")
        zipapp_build.build(fresh)
        fresh.replace(target)
    return target


def _newest_source() -> float:
    sources = Path(settings.BASE_DIR, "agent", "obt_agent").rglob("*.py")
    return max((source.stat().st_mtime for source in sources), default=0.0)
