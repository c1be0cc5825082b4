"""A file system in which recorded graphics cards are found where Linux has them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from .recordings import RECORDED


def write_files(folder: Path, files: dict[str, Any]) -> None:
    """Recorded files below a folder: text, or bytes as {"base64": …}."""
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            file.write_bytes(base64.b64decode(content["base64"]))
        else:
            file.write_text(content)


def sysfs(root: Path, *cards: str) -> Path:
    """A root with these cards ("amdgpu/apu", "intelgpu/uhd-i915"), among other things that are called card."""
    drm = root / "sys/class/drm"
    for number, card in enumerate(cards):
        kind, _, _ = card.partition("/")
        folder = drm / f"card{number}" / ("device" if kind == "amdgpu" else "")
        write_files(folder, json.loads((RECORDED / f"{card}.json").read_text()))
        (drm / f"card{number}-DP-1").mkdir()
    write_files(
        root,
        {
            "usr/share/misc/pci.ids": (RECORDED / "pci.ids").read_text(),
            "sys/module/amdgpu/version": "6.7.8\n",
            "proc/sys/kernel/osrelease": "6.12.9-arch1\n",
        },
    )
    return root
