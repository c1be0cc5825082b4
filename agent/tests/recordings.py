"""Recorded outputs of hardware and drivers, answering in place of the real ones."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml

RECORDED = Path(__file__).parent / "recorded"


class RecordedNvml:
    """pynvml's own constants, errors and structures; its functions answer from a recording."""

    def __init__(self, name: str) -> None:
        self.answers = json.loads((RECORDED / "nvml" / f"{name}.json").read_text())
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if not (name.startswith(("nvmlDevice", "nvmlSystem")) or name == "nvmlInit"):
            return getattr(pynvml, name)
        if name == "nvmlDeviceGetCurrentClocksEventReasons" and name not in self.answers["devices"][0]:
            raise AttributeError(name)
        return lambda *args: self._answer(name, *args)

    def _answer(self, name: str, *args: Any) -> Any:
        self.asked.append(name)
        if name == "nvmlInit":
            return None
        if name == "nvmlDeviceGetCount":
            return len(self.answers["devices"])
        if name == "nvmlDeviceGetHandleByIndex":
            return args[0]
        answer = self.answers[name] if name.startswith("nvmlSystem") else self.answers["devices"][args[0]][name]
        if isinstance(answer, str) and answer.startswith("NVML_ERROR"):
            raise pynvml.NVMLError(getattr(pynvml, answer))
        return self._structure(name, answer, args)

    def _structure(self, name: str, answer: Any, args: tuple[Any, ...]) -> Any:
        if name == "nvmlDeviceGetMemoryInfo":
            return pynvml.c_nvmlMemory_t(**answer)
        if name == "nvmlDeviceGetClockInfo" and isinstance(answer, dict):
            return answer[str(args[1])]
        if name in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses"):
            return [SimpleNamespace(**one) for one in answer]
        if name == "nvmlDeviceGetUtilizationRates":
            return pynvml.c_nvmlUtilization_t(**answer)
        if name == "nvmlDeviceGetFieldValues":
            field = pynvml.c_nvmlFieldValue_t(nvmlReturn=answer["nvmlReturn"])
            field.value.uiVal = ctypes.c_uint(answer["uiVal"])
            return [field]
        return answer
