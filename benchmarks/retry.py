"""The retry policy: which failures are the infrastructure's, and when a job is tried again by itself."""

from typing import Any

from django.conf import settings

from benchmarks.documents import Job
from obt_site.clock import now

# What Ollama or the model does is a finding and ends the job; what got lost between agent and server is tried again.
INFRASTRUCTURE = frozenset({"agent_restarted", "server_busy"})


def after(job: Job, kind: str) -> dict[str, Any]:
    """What to set on a job that failed with this kind of error: when it is queued again, if it is."""
    delays = settings.RETRY_DELAYS
    if kind not in INFRASTRUCTURE or job.retries >= len(delays):
        return {"not_before": None}
    return {"not_before": now() + delays[job.retries], "retries": job.retries + 1}
