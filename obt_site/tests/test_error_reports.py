"""Django's own error pages, which OBT_DEBUG shows on loopback, and what they leave out."""

from django.test import RequestFactory
from django.views.debug import ExceptionReporter, get_default_exception_reporter_filter

SECRET = "hunter2"


def test_no_setting_that_carries_a_password_is_shown(settings):
    settings.MONGODB_URI = f"mongodb://ada:{SECRET}@db.example/obt"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "x", "CONFIG": {"hosts": [f"redis://:{SECRET}@cache"]}}}
    settings.DATABASE_URL = f"postgres://ada:{SECRET}@sql/obt"
    settings.SECRET_KEY = SECRET

    shown = get_default_exception_reporter_filter().get_safe_settings()

    assert SECRET not in repr(shown)
    assert shown["SESSION_COOKIE_NAME"] == settings.SESSION_COOKIE_NAME


def test_a_request_s_credentials_are_not_in_the_page_of_its_error(settings):
    headers = {
        "Authorization": f"Bearer obtu_{SECRET}",
        "Cookie": f"{settings.SESSION_COOKIE_NAME}={SECRET}; {settings.CSRF_COOKIE_NAME}={SECRET}",
    }
    request = RequestFactory().get("/", headers=headers)

    html = ExceptionReporter(request, ValueError, ValueError("broken"), None).get_traceback_html()

    assert "broken" in html
    assert SECRET not in html
