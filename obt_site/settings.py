"""Django settings, from the environment only (`obt_site/env.py` has every variable).

Timeouts and limits of OBT itself are named once at the end of this file or in the wire contract.
"""

from datetime import timedelta

import dj_database_url

from obt_site import env, rate_table

ENVIRONMENT = env.read()
BASE_DIR = env.ROOT
DATA_DIR = ENVIRONMENT.data_dir

SECRET_KEY = env.secret_key(ENVIRONMENT)
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts) or ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "daphne",
    "obt_site.apps.ObtAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "channels",
    "ninja",
    "obt_site",
    "agents",
    "benchmarks",
]

MIDDLEWARE = [
    "obt_site.middleware.request_id",
    "obt_site.middleware.security_headers",
    "obt_site.middleware.cors",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "obt_site.middleware.SqueezePages",
    "obt_site.limits.rate_limit",
    "obt_site.middleware.body_cap",
    "obt_site.middleware.RefusalMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "obt_site.accounts.proxied.ProxyUser",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
# What agents' calls do without (`obt_site/agent_door.py`).
FOR_BROWSERS = frozenset(
    {
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "obt_site.middleware.SqueezePages",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "obt_site.accounts.proxied.ProxyUser",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "django_htmx.middleware.HtmxMiddleware",
    }
)

ROOT_URLCONF = "obt_site.urls"
ASGI_APPLICATION = "obt_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "obt_site.context.page",
            ],
            "builtins": ["obt_site.templatetags.obt"],
        },
    }
]

DATABASES = {
    "default": dj_database_url.parse(ENVIRONMENT.database_url)
    if ENVIRONMENT.database_url
    else {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA_DIR / "django.sqlite3",
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MONGODB_URI = ENVIRONMENT.mongodb_uri  # None: the embedded database that `up` runs; see obt_site/mongo.py

CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [ENVIRONMENT.redis_url]}}
    if ENVIRONMENT.redis_url
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}

AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "obt_site.accounts.proxied.ProxyUserBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "fleet"
PASSWORD_RESET_TIMEOUT = 24 * 60 * 60  # how long a link to choose a password is good for, in seconds
PUBLIC_READ = ENVIRONMENT.public_read
TRUSTED_PROXY = ENVIRONMENT.trusted_proxy  # see obt_site/address.py
PROXY_USER_HEADER = ENVIRONMENT.proxy_user_header

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

SESSION_ENGINE = "obt_site.accounts.sessions"
SESSION_COOKIE_NAME = f"obt_session_{ENVIRONMENT.port}"  # cookies know no ports; two instances share a host
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"obt_csrf_{ENVIRONMENT.port}"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "obt_site.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = (
    ENVIRONMENT.tls_cert is not None
)  # a proxy's https is known per request only
SECURE_HSTS_SECONDS = 365 * 24 * 3600  # sent with what came by https
CORS_ORIGINS = ENVIRONMENT.cors_origins
DEFAULT_EXCEPTION_REPORTER_FILTER = "obt_site.error_reports.HidesSecrets"
SILENCED_SYSTEM_CHECKS = [
    # SecurityMiddleware is not there: `security_headers` of obt_site/middleware.py does its work and more, for async
    # views without a change of thread. test_headers.py and test_https.py hold it to that.
    "security.W001",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024  # the body cap in the middleware is stricter, per kind of call
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # one field per chosen model on a machine

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "obt_site.logs.TextFormatter"},
        "json": {"()": "obt_site.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": ENVIRONMENT.log_format}},
    "root": {"handlers": ["stderr"], "level": ENVIRONMENT.log_level},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # anyone can send one; the answer is a 400
        "django.channels.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "pymongo": {"level": "WARNING"},
        "asyncio": {"level": "WARNING"},
    },
}

# -- OBT's own times and limits ------------------------------------------------------------------------------------

USER_BODY_BYTES = 64 * 1024
FORM_BODY_BYTES = 2 * 1024 * 1024
ENROLMENT_TOKEN_LIFETIME = timedelta(hours=1)
CREDENTIAL_RENEWED_AFTER = timedelta(days=30)
CREDENTIAL_OVERLAP = timedelta(hours=24)  # a new credential that is not used for so long lapses

LATE_AFTER = timedelta(seconds=25)
OFFLINE_AFTER = timedelta(seconds=60)

OFFER_LIFETIME = timedelta(seconds=60)
OFFER_DELIVERIES = 3
LOST_AFTER = timedelta(minutes=5)
LOST_FAILS_AFTER = timedelta(hours=24)
QUEUED_FAILS_AFTER_OFFLINE = timedelta(hours=24)
CANCEL_FORCED_AFTER = timedelta(seconds=120)
RETRY_DELAYS = (timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=8))
SWEEP_EVERY_S = 2.0
SWEEP_LEASE = timedelta(seconds=15)  # how long one process holds the right to sweep
FREEZE_AFTER_GAP = timedelta(seconds=30)  # nobody swept for so long: the server was down
FREEZE_FOR = timedelta(minutes=5)

# How much of everything there may be: docs/limits.md.
SESSION_JOBS_MAXIMUM = ENVIRONMENT.jobs_per_session
QUEUED_JOBS_MAXIMUM = ENVIRONMENT.jobs_queued
SESSIONS_UNDER_WAY_MAXIMUM = ENVIRONMENT.sessions_under_way
EXPORT_RESULTS_MAXIMUM = ENVIRONMENT.results_per_export
SAVED_VIEWS_MAXIMUM = ENVIRONMENT.views_per_person
MACHINES_MAXIMUM = ENVIRONMENT.machines
SOCKETS_PER_PERSON = ENVIRONMENT.sockets_per_person
RATES, RATES_BY_ADDRESS = rate_table.read(ENVIRONMENT.rate_limits or "")

# How long a connection may take (obt_site/patience.py).
HEAD_WITHIN_S = 30.0
BODY_SILENCE_S = 30.0
BODY_SLOWEST_BYTES = 8 * 1024  # a second
KEEP_ALIVE_S = 60.0
UNREAD_S = 60.0
HEADERS_BYTES = 16 * 1024
HEADERS_MAXIMUM = 100
SOCKET_FRAME_BYTES = 4 * 1024  # pages only listen
SOCKET_PING_EVERY_S = 20
SOCKET_PONG_WITHIN_S = 30

PAGE_ITEMS = 50
API_ITEMS_MAXIMUM = 200
LIVE_EVERY_S = 1.0
LIVE_TICK_S = 10.0
