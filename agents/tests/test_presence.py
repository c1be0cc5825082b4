"""The rule for a machine's state, and its sentence."""

from datetime import UTC, datetime, timedelta

import pytest

from agents import presence
from agents.documents import Client
from agents.presence import Presence, judge
from benchmarks.tests import world
from obt_site.clock import now

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
WELL = {"reachable": True}
AWAY = {"reachable": False, "message": "Ollama refused the connection at http://127.0.0.1:11434"}


@pytest.mark.parametrize(
    ("silent_s", "ollama", "state"),
    [
        (0, WELL, Presence.ONLINE),
        (24, WELL, Presence.ONLINE),
        (26, WELL, Presence.LATE),
        (60, WELL, Presence.LATE),
        (61, WELL, Presence.OFFLINE),
        (0, AWAY, Presence.DEGRADED),
        (26, AWAY, Presence.LATE),
        (61, AWAY, Presence.OFFLINE),
        (0, None, Presence.ONLINE),
    ],
)
def test_the_state_follows_from_the_last_report_and_its_ollama(silent_s, ollama, state):
    assert judge(NOON - timedelta(seconds=silent_s), ollama, NOON, NOON).state is state


def test_a_machine_whose_ollama_is_away_says_which_and_since_when():
    since = NOON - timedelta(hours=2)

    verdict = judge(NOON, AWAY, since, NOON)

    assert verdict.reason == "Ollama refused the connection at http://127.0.0.1:11434"
    assert verdict.since == since


@pytest.mark.parametrize("silent_s", [30, 300])
def test_a_silent_machine_says_since_when(silent_s):
    last = NOON - timedelta(seconds=silent_s)

    verdict = judge(last, WELL, NOON, NOON)

    assert verdict.since == last
    assert verdict.reason


def test_a_machine_that_never_reported_is_offline_and_says_so():
    verdict = judge(None, None, None, NOON)

    assert verdict.state is Presence.OFFLINE
    assert "not reported yet" in verdict.reason


def test_a_machine_that_is_well_needs_no_sentence():
    assert judge(NOON, WELL, NOON, NOON).reason is None


def test_a_machine_that_nobody_reports_for_keeps_its_state_while_the_server_runs(database):
    made_up, real = world.machine("forge"), world.machine("atlas")
    long_ago = now() - timedelta(hours=1)
    Client.objects.update(set__last_seen_at=long_ago)
    Client.objects(id=made_up.id).update_one(set__has_agent=False)

    presence.refresh_all()

    made_up.reload()
    real.reload()
    assert (made_up.state, real.state) == (Presence.ONLINE, Presence.OFFLINE)
    assert made_up.last_seen_at > long_ago
