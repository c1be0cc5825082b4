"""How long the agent waits before it tries a call again."""

from __future__ import annotations

import email.utils
import time

from agent.obt_agent.backoff import LONGEST_RETRY_AFTER_S, Backoff
from agent.obt_agent.link import retry_after_s


def test_waiting_grows_with_full_jitter_up_to_its_ceiling() -> None:
    waits = [Backoff().next_s() for _ in range(300)]
    assert 0 <= min(waits) < 0.1
    assert 0.9 < max(waits) <= 1.0
    late = []
    for _ in range(300):
        backoff = Backoff()
        backoff.failures = 50
        late.append(backoff.next_s())
    assert min(late) < 3
    assert 27 < max(late) <= 30


def test_waiting_begins_anew_after_a_success() -> None:
    backoff = Backoff()
    for _ in range(10):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 1.0


def test_retry_after_is_a_least_wait_and_itself_bounded() -> None:
    assert Backoff().next_s(5.0) >= 5.0
    assert Backoff().next_s(1e9) == LONGEST_RETRY_AFTER_S


def test_retry_after_is_read_in_both_forms() -> None:
    assert retry_after_s("12") == 12.0
    in_a_minute = retry_after_s(email.utils.formatdate(time.time() + 60, usegmt=True))
    assert in_a_minute is not None
    assert 55 < in_a_minute <= 61
    assert retry_after_s("Fri, 01 Jan 1999 00:00:00 GMT") == 0.0
    for nonsense in (None, "", "soon", "-5", "1e3"):
        assert retry_after_s(nonsense) is None
