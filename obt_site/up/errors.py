"""Why `up` does not start, or stopped.

CannotStart
├── AlreadyRunning   another `up` (or a command that uses the embedded database) holds the data folder
└── ChildEnded       a part ended by itself
StopRequested        Ctrl-C or SIGTERM while starting
"""

from __future__ import annotations


class CannotStart(Exception):
    """The text is one sentence for the person at the terminal; the exit code is 1."""


class AlreadyRunning(CannotStart):
    """Somebody else holds the data folder."""


class ChildEnded(CannotStart):
    """A child process ended without being asked to."""


class StopRequested(Exception):
    """A person or the system asked `up` to stop before it was ready."""
