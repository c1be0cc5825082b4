"""The agent's own errors.

AgentError: the agent cannot go on; its message is the one sentence it prints before it exits with 1.
"""

from __future__ import annotations


class AgentError(Exception):
    """One sentence that says what is wrong and what to do."""
