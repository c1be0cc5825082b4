"""How often somebody may call: shared by processes, nearly free, and nobody's trouble when the store is away."""

import dataclasses
import threading
import time

import pymongo
import pytest
import redis

from obt_site import rate_store, rate_table, rates
from obt_site.rate_table import Rate
from obt_site.rates import Limiter, network
from obt_site.tests.redis_server import redis_url as redis_url
from obt_site.tests.server import free_port

LONG_S = 1000.0  # a window that no test lives to see the end of, but at its begin
RATE = Rate(100, LONG_S)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test moves."""
    moment = [1_000_500.0]
    monkeypatch.setattr(rates.time, "time", lambda: moment[0])
    return moment


@pytest.fixture(params=["database", "redis"])
def store(request: pytest.FixtureRequest, settings) -> str:
    """An empty store that processes share: each of the two kinds."""
    if request.param == "redis":
        address = request.getfixturevalue("redis_url")
        settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, redis_url=address)
        with redis.Redis.from_url(address) as connection:
            connection.flushdb()
    else:
        request.getfixturevalue("database")
    return str(request.param)


def allowed(limiter: Limiter, times: int, rate: Rate = RATE, caller: str = "machine:1") -> int:
    counts = [limiter.take("agent_sync", caller, rate) for _ in range(times)]
    return sum(count is not None and count.allowed for count in counts)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, store: str) -> list[str]:
    """The keys that the store was asked about."""
    keys: list[str] = []
    lease = rate_store.lease

    def noting(key: str, *rest: object) -> int:
        keys.append(key)
        return lease(key, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(rate_store, "lease", noting)
    return keys


def test_as_many_calls_as_the_limit_are_let_through_and_no_more(store):
    assert allowed(Limiter(), 130) == 100


def test_processes_together_let_no_more_through(store):
    one, two = Limiter(), Limiter()

    assert sum(allowed(each, 1) for _ in range(150) for each in (one, two)) == 100


def test_processes_that_ask_at_the_same_moment_let_no_more_through(store):
    limiters, found = [Limiter() for _ in range(4)], []

    def call(limiter: Limiter) -> None:
        found.append(allowed(limiter, 60))

    threads = [threading.Thread(target=call, args=(each,)) for each in limiters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 80 <= sum(found) <= 100  # of the last block a little may stay with a process that has no more calls


def test_the_store_is_asked_once_for_a_twentieth_of_the_limit(asked):
    assert allowed(Limiter(), 100) == 100
    assert len(asked) == 20


def test_a_caller_who_is_refused_costs_the_store_nothing(asked):
    limiter = Limiter()
    allowed(limiter, 101)
    before = len(asked)

    assert allowed(limiter, 50) == 0
    assert len(asked) == before


def test_callers_have_accounts_of_their_own(store):
    limiter = Limiter()

    assert allowed(limiter, 101, caller="machine:1") == 100
    assert allowed(limiter, 1, caller="machine:2") == 1


def test_a_new_window_begins_anew(store, clock):
    limiter = Limiter()
    assert allowed(limiter, 101) == 100

    clock[0] += LONG_S

    assert allowed(limiter, 101) == 100
    assert allowed(Limiter(), 1) == 0


def test_the_count_says_what_is_left_and_for_how_long(database):
    limiter = Limiter()
    counts = [limiter.take("agent_sync", "machine:1", RATE) for _ in range(101)]

    assert [count.remaining for count in counts[:3]] == [99, 98, 97]
    assert counts[99].remaining == 0
    assert not counts[100].allowed
    assert counts[0].reset_s == 500


def test_without_asking_the_store_it_says_that_it_would_have_to(database):
    limiter = Limiter()

    assert limiter.take("agent_sync", "machine:1", RATE, ask=False) is None
    assert limiter.take("agent_sync", "machine:1", RATE) is not None
    assert limiter.take("agent_sync", "machine:1", RATE, ask=False) is not None


def test_a_store_that_is_away_refuses_nobody_and_is_not_asked_each_time(monkeypatch, caplog):
    tries = []

    def away(*_: object) -> int:
        tries.append(1)
        raise pymongo.errors.ServerSelectionTimeoutError

    monkeypatch.setattr(rate_store, "lease", away)

    assert allowed(Limiter(), 130) == 100  # each process by itself
    assert len(tries) == 1
    assert "does not answer (ServerSelectionTimeoutError)" in caplog.text


def test_a_redis_that_is_away_refuses_nobody(settings, caplog):
    address = f"redis://127.0.0.1:{free_port()}/0"
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, redis_url=address)
    rate_store._redis.cache_clear()

    assert allowed(Limiter(), 130) == 100
    assert "does not answer (ConnectionError)" in caplog.text


def test_redis_forgets_a_window_after_it_ended(redis_url, settings):
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, redis_url=redis_url)
    rate_store.lease("machine:1", 7, 5, 60.0)

    with redis.Redis.from_url(redis_url) as connection:
        assert 60 < connection.ttl("obt:rate:machine:1:7") <= 120


def test_an_address_of_ipv6_is_counted_by_its_site():
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2:ffff::1") != network("2001:db8:1:3::4")
    assert network("::ffff:10.0.0.1") == network("10.0.0.1") == "10.0.0.1"
    assert network("unknown") == "unknown"


def test_counts_of_callers_who_are_gone_are_removed(database, monkeypatch):
    from obt_site import mongo

    monkeypatch.setattr(rate_store, "_forgotten_at", 0.0)
    rate_store.lease("old", 1, 5, 60.0)
    mongo.database()["rates"].update_one({"_id": "old"}, {"$set": {"at": time.time() - 7200}})
    rate_store.lease("new", 1, 5, 60.0)
    rate_store.lease("new", 2, 5, 60.0)

    assert [each["_id"] for each in mongo.database()["rates"].find()] == ["new"]


@pytest.mark.parametrize(
    ("text", "kind", "rate"),
    [
        ("agent_sync=600", "agent_sync", Rate(600)),
        (" api_read = 100/10 , export=1 ", "api_read", Rate(100, 10)),
        ("", "page_read", rate_table.BY_CALLER["page_read"]),
    ],
)
def test_the_environment_changes_single_limits(text, kind, rate):
    by_caller, by_address = rate_table.read(text)

    assert by_caller[kind] == rate
    assert by_address == rate_table.BY_ADDRESS


def test_the_environment_changes_limits_of_addresses_and_can_turn_all_off():
    assert rate_table.read("address.register=5")[1]["register"] == Rate(5)
    assert rate_table.read("off") == ({}, {})


@pytest.mark.parametrize("text", ["x=1", "agent_sync", "agent_sync=0", "api_read=5/0", "register=5", "agent_sync=-1"])
def test_what_is_no_limit_is_refused_with_what_is(text):
    with pytest.raises(ValueError, match="has to be 'off' or a list like agent_sync=600"):
        rate_table.read(text)
