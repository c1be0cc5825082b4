"""What Django's own error pages and reports leave out: every setting that can hold a secret, also inside a URL."""

import re

from django.views.debug import SafeExceptionReporterFilter


class HidesSecrets(SafeExceptionReporterFilter):
    """Django's names, our cookies', and those of addresses that carry a user and a password."""

    hidden_settings = re.compile(
        SafeExceptionReporterFilter.hidden_settings.pattern
        + "|MONGODB|REDIS|DATABASE|CHANNEL_LAYERS|ENVIRONMENT|OBT_SESSION|OBT_CSRF",
        flags=re.IGNORECASE,
    )
