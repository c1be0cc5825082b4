"""A machine's credential as its page shows it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from agents import credentials, doubles
from agents.documents import Client

OVERDUE_AFTER = timedelta(days=1)  # an agent that renews does so with the next answer it gets


@dataclass(frozen=True)
class CredentialView:
    """`places`: where the two agents are that use it at a time; None when it is one, as it should be."""

    made_at: datetime
    revoked_at: datetime | None
    is_due: bool
    is_overdue: bool
    renewed_after_days: int
    places: str | None


def credential_view(client: Client) -> CredentialView:
    """What is known of it, without any of it."""
    made_at = credentials.made_at(client)
    due_at = made_at + settings.CREDENTIAL_RENEWED_AFTER
    return CredentialView(
        made_at=made_at,
        revoked_at=client.credential_revoked_at,
        is_due=credentials.is_due(client),
        is_overdue=client.last_seen_at is not None and client.last_seen_at - due_at > OVERDUE_AFTER,
        renewed_after_days=settings.CREDENTIAL_RENEWED_AFTER.days,
        places=doubles.where(client.boots) if doubles.is_doubled(client) else None,
    )
