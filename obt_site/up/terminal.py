"""What a person sees while `up` or `bootstrap` works: one line, rewritten on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import time
from typing import TextIO

ERASE_LINE = "\r\x1b[2K"
REWRITE_PAUSE_S = 0.1


class Terminal:
    """Progress goes to `out`, problems to `err`. A closed terminal never stops the work."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err
        self.rewrites = self.out.isatty()
        self._line_is_open = False
        self._rewritten_at_s = 0.0
        for stream in (self.out, self.err):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal without UTF-8 shows "?" instead of failing

    def step(self, text: str) -> None:
        """Says what is being done now."""
        if self.rewrites:
            self._rewrite(text)
        else:
            self._print(self.out, f"{text} …\n")

    def detail(self, text: str) -> None:
        """Says how far the step is; shown only where the line can be rewritten."""
        if self.rewrites and time.monotonic() - self._rewritten_at_s > REWRITE_PAUSE_S:
            self._rewrite(text)

    def say(self, text: str) -> None:
        """Prints a text that stays."""
        self._erase()
        self._print(self.out, text + "\n")

    def problem(self, text: str) -> None:
        """Prints why it did not work."""
        self._erase()
        self._print(self.err, text + "\n")

    def _rewrite(self, text: str) -> None:
        width = shutil.get_terminal_size().columns
        shown = f"{text} …" if len(text) + 3 < width else text[: max(width - 4, 1)] + " …"
        self._print(self.out, ERASE_LINE + shown)
        self._line_is_open = True
        self._rewritten_at_s = time.monotonic()

    def _erase(self) -> None:
        if self._line_is_open:
            self._print(self.out, ERASE_LINE)
            self._line_is_open = False

    @staticmethod
    def _print(stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except OSError:  # nobody reads any more: what is still buffered must not fail the exit either
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
