"""All addresses, grouped by what they are about. Every page address has a name."""

from django.contrib import admin
from django.urls import path, re_path

from agents import api as agent_api
from agents import views as fleet
from benchmarks import consumers
from benchmarks.api import api
from benchmarks.views import compare, dashboard, history, models, palette, queue, results, saved_views, sessions
from benchmarks.views.metrics import metrics
from obt_site import about, assets, health, styleguide
from obt_site.accounts import people_pages as people
from obt_site.accounts import settings_page, tokens_page
from obt_site.accounts import views as accounts
from obt_site.auditing import views as audit

handler400 = "obt_site.errors.bad_request"
handler403 = "obt_site.errors.permission_denied"
handler404 = "obt_site.errors.page_not_found"
handler500 = "obt_site.errors.server_error"

accounts_urls = [
    path("setup", accounts.setup_page, name="setup"),
    path("sign-in", accounts.sign_in, name="sign_in"),
    path("sign-out", accounts.sign_out, name="sign_out"),
    path("password", people.choose_password, name="choose_password"),
    path("settings", settings_page.settings_page, name="settings"),
    path("settings/sessions/end", people.end_own_sessions, name="own_sessions_end"),
    path("settings/people", people.people_page, name="people"),
    path("settings/people/<int:person_id>", people.person_page, name="person"),
    path("settings/people/<int:person_id>/role", people.change_role, name="person_role"),
    path("settings/people/<int:person_id>/active", people.change_active, name="person_active"),
    path("settings/people/<int:person_id>/password", people.reset_password, name="person_password"),
    path("settings/people/<int:person_id>/sessions/end", people.end_sessions, name="person_sessions_end"),
]
fleet_urls = [
    path("", dashboard.home, name="home"),
    path("home/live", dashboard.home_live, name="home_live"),
    path("fleet", fleet.fleet, name="fleet"),
    path("fleet/live", fleet.fleet_live, name="fleet_live"),
    path("machines/add", fleet.add, name="machine_add"),
    path("machines/enrolments/<str:token_id>", fleet.enrolment_steps, name="machine_enrolment"),
    path("machines/enrolments/<str:token_id>/revoke", fleet.revoke_enrolment, name="machine_enrolment_revoke"),
    path("machines/<str:client_id>", fleet.machine, name="machine"),
    path("machines/<str:client_id>/live", fleet.machine_live, name="machine_live"),
    path("machines/<str:client_id>/labels", fleet.labels, name="machine_labels"),
    path("machines/<str:client_id>/remove", fleet.remove, name="machine_remove"),
    path("machines/<str:client_id>/revoke", fleet.revoke_credential, name="machine_revoke"),
    path("machines/<str:client_id>/rename", fleet.rename, name="machine_rename"),
    path("machines/<str:client_id>/pause", fleet.pause, name="machine_pause"),
    path("events", fleet.events, name="events"),
    path("events/live", fleet.events_live, name="events_live"),
    path("agent.pyz", fleet.agent_file, name="agent_file"),
]
benchmark_urls = [
    path("palette", palette.palette, name="palette"),
    path("queue", queue.queue, name="queue"),
    path("models", models.models, name="models"),
    path("models/estimate", models.models_estimate, name="models_estimate"),
    path("sessions", sessions.sessions, name="sessions"),
    path("sessions/new", sessions.new, name="session_new"),
    path("sessions/<str:session_id>", sessions.session, name="session"),
    path("sessions/<str:session_id>/live", sessions.session_live, name="session_live"),
    path("sessions/<str:session_id>/pause", sessions.pause, name="session_pause"),
    path("sessions/<str:session_id>/resume", sessions.resume, name="session_resume"),
    path("sessions/<str:session_id>/cancel", sessions.cancel, name="session_cancel"),
    path("sessions/<str:session_id>/retry", sessions.retry, name="session_retry"),
    path("jobs/<str:job_id>/cancel", sessions.cancel_job, name="job_cancel"),
    path("jobs/<str:job_id>/retry", sessions.retry_job, name="job_retry"),
    path("compare", compare.compare, name="compare"),
    path("history", history.history, name="history"),
    path("results", results.results, name="results"),
    path("results.csv", results.results_csv, name="results_csv"),
    path("results/views", saved_views.saved_views, name="saved_views"),
    path("results/views/save", saved_views.save, name="saved_view_save"),
    path("results/views/<str:view_id>/rename", saved_views.rename, name="saved_view_rename"),
    path("results/views/<str:view_id>/remove", saved_views.remove, name="saved_view_remove"),
    path("results/<str:result_id>.md", results.result_markdown, name="result_markdown"),
    path("results/<str:result_id>/samples.csv", results.result_samples, name="result_samples"),
    path("results/<str:result_id>/telemetry.json", results.result_telemetry, name="result_telemetry"),
    path("results/<str:result_id>", results.result, name="result"),
]
audit_urls = [
    path("audit", audit.audit, name="audit"),
    path("audit.csv", audit.audit_csv, name="audit_csv"),
    path("audit.jsonl", audit.audit_jsonl, name="audit_jsonl"),
    path("audit/<int:number>", audit.entry, name="audit_entry"),
    path("audit/<int:number>/undo", audit.undo_entry, name="audit_undo"),
]
agent_urls = [
    path("api/v1/agent/register", agent_api.register),
    path("api/v1/agent/credential", agent_api.renew_credential),
    path("api/v1/agent/sync", agent_api.sync),
    path("api/v1/agent/jobs/<str:job_id>/progress", agent_api.job_progress),
    path("api/v1/agent/jobs/<str:job_id>/result", agent_api.job_result),
]
urlpatterns = [
    *agent_urls,  # first: asked for most, and each pattern before costs them time
    *accounts_urls,
    *fleet_urls,
    *benchmark_urls,
    *audit_urls,
    path("api/v1/", api.urls),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("metrics", metrics, name="metrics"),
    path("styleguide", styleguide.styleguide, name="styleguide"),
    path("static/<path:name>", assets.asset, name="asset"),
    path("about", about.about, name="about"),
    path("settings/tokens", tokens_page.tokens_page, name="tokens"),
    path("settings/tokens/<str:token_id>/revoke", tokens_page.revoke_token, name="token_revoke"),
    path("admin/login/", accounts.admin_sign_in),
    path("admin/", admin.site.urls),
]
websocket_urlpatterns = [
    path("ws/fleet", consumers.FleetConsumer.as_asgi()),
    path("ws/events", consumers.EventsConsumer.as_asgi()),
    re_path(r"^ws/machines/(?P<client_id>[0-9a-f]{24})$", consumers.MachineConsumer.as_asgi()),
    re_path(r"^ws/sessions/(?P<session_id>[0-9a-f]{24})$", consumers.SessionConsumer.as_asgi()),
    re_path(r"", consumers.Nowhere.as_asgi()),
]
