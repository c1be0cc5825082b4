"""Where all server processes count together: Redis where there is one, else the database.

A count is a number per key and window that only grows. `lease` adds to it and says what it came to.
"""

import time
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from pymongo.errors import DuplicateKeyError
from redis.backoff import NoBackoff
from redis.retry import Retry

from obt_site import mongo

COLLECTION = "rates"
ANSWER_WITHIN_S = 0.5
FORGET_AFTER_S = 3600.0
_forgotten_at = 0.0


def lease(key: str, window: int, wanted: int, seconds: float) -> int:
    """Add to this key's count in this window; the count afterwards, or a newer one. Raises the store's errors."""
    if settings.ENVIRONMENT.redis_url:
        return _in_redis(f"obt:rate:{key}:{window}", wanted, seconds)
    return _in_database(key, window, wanted)


def _in_redis(key: str, wanted: int, seconds: float) -> int:
    with _redis(settings.ENVIRONMENT.redis_url).pipeline(transaction=True) as pipe:
        pipe.incrby(key, wanted)
        pipe.pexpire(key, int(2000 * seconds))
        return int(pipe.execute()[0])


@lru_cache(maxsize=1)
def _redis(url: str) -> Any:
    once = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(url, socket_timeout=ANSWER_WITHIN_S, socket_connect_timeout=ANSWER_WITHIN_S, retry=once)


def _in_database(key: str, window: int, wanted: int) -> int:
    """One document per key, which begins anew with each window. Every write names the window that it is about, so of
    two processes that begin one, the second adds to what the first began."""
    rates = mongo.database()[COLLECTION]
    while True:
        if rates.update_one({"_id": key, "window": window}, {"$inc": {"leased": wanted}}).matched_count:
            found = rates.find_one({"_id": key}) or {}
            if found.get("window") == window:
                return int(found["leased"])
            return wanted  # the next window has begun meanwhile
        began = {"window": window, "leased": wanted, "at": time.time()}
        if rates.update_one({"_id": key, "window": {"$lt": window}}, {"$set": began}).matched_count:
            _forget(rates)
            return wanted
        try:
            rates.insert_one({"_id": key, **began})
        except DuplicateKeyError:
            if (rates.find_one({"_id": key}) or {}).get("window", 0) > window:
                return wanted
        else:
            return wanted


def _forget(rates: Any) -> None:
    """Once an hour, remove the counts of callers who are gone."""
    global _forgotten_at
    if time.monotonic() - _forgotten_at < FORGET_AFTER_S and _forgotten_at:
        return
    _forgotten_at = time.monotonic()
    rates.delete_many({"at": {"$lt": time.time() - FORGET_AFTER_S}})
