"""The server's clock. Only it decides anything; everything asks here, so that tests can move it."""

from datetime import UTC, datetime


def now() -> datetime:
    """Aware UTC, cut to milliseconds because that is what MongoDB keeps."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def rfc3339(moment: datetime | None) -> str | None:
    """`2026-01-31T12:00:00.000Z`, or None for None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
