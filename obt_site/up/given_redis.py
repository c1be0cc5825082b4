"""The Redis of `OBT_REDIS_URL`, tried before anything is started. Its URL is never repeated: it can hold a password."""

from __future__ import annotations

from obt_site.up.errors import CannotStart
from obt_site.up.given_mongodb import hosts

PROBE_S = 5.0


def check(url: str) -> None:
    """Refuses an OBT_REDIS_URL that does not answer."""
    import redis  # noqa: PLC0415  (only where one is used)
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    within, once = PROBE_S, Retry(NoBackoff(), 0)
    try:
        with redis.Redis.from_url(url, socket_timeout=within, socket_connect_timeout=within, retry=once) as client:
            client.ping()
    except (redis.AuthenticationError, redis.ResponseError):
        reason = "refused the user or password"
    except ValueError:
        raise CannotStart("OBT_REDIS_URL cannot be understood; it has to look like redis://host:6379/0.") from None
    except (redis.RedisError, OSError):
        reason = f"did not answer within {PROBE_S:.0f} s"
    else:
        return
    raise CannotStart(f"Redis at {hosts(url)} {reason}; check OBT_REDIS_URL and that it runs.")
