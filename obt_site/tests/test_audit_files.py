"""/audit.csv and /audit.jsonl: every entry under the page's filters, streamed, harmless in a spreadsheet."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from obt_site import actor, audit
from obt_site.access import Role
from obt_site.audit import AuditEntry
from obt_site.auditing import log
from obt_site.tests.people import signed_in, words

pytestmark = pytest.mark.django_db
JO = actor.Actor(actor.PERSON, "jo", "1", "192.0.2.1")


@pytest.fixture
def admin(database):
    return signed_in(Role.ADMIN, "ada")


def text(answer):
    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]
    return b"".join(answer.streaming_content).decode()


def rows(answer):
    return list(csv.DictReader(io.StringIO(text(answer))))


def objects(answer):
    return [json.loads(line) for line in text(answer).splitlines()]


def test_both_files_hold_every_entry_newest_first_beyond_a_page(admin, monkeypatch):
    monkeypatch.setattr(log, "AT_ONCE", 2)
    for i in range(7):
        audit.record("data.try", f"change {i}", by=JO)

    expected = [f"change {i}" for i in reversed(range(7))]
    assert [row["what"] for row in rows(admin.get("/audit.csv"))] == expected
    assert [each["words"] for each in objects(admin.get("/audit.jsonl"))] == expected


def test_they_hold_what_the_filters_of_the_page_let_through(admin):
    audit.record("data.try", "one", by=JO)
    audit.record("data.other", "two", by=JO)

    assert [row["what"] for row in rows(admin.get("/audit.csv?action=data.other"))] == ["two"]
    assert [each["words"] for each in objects(admin.get("/audit.jsonl?q=ONE"))] == ["one"]


def test_a_filter_that_makes_no_sense_is_refused_and_never_widens_the_file(admin):
    answer = admin.get("/audit.csv?as=robot")

    assert answer.status_code == 422
    assert "robot" in words(answer)


def test_nothing_in_the_csv_is_a_formula(admin):
    hostile = actor.Actor(actor.TOKEN, "=cmd|' /C calc'!A0", "1")
    audit.record("data.try", "+1+1", about=("data", "-2", "@SUM(A1)"), before={"name": "=1"}, by=hostile)

    (row,) = rows(admin.get("/audit.csv"))

    assert (row["actor"], row["what"], row["about"]) == ("'=cmd|' /C calc'!A0", "'+1+1", "'@SUM(A1)")
    assert row["about_id"] == "'-2"
    assert all(not value.startswith(("=", "+", "-", "@")) for value in row.values())


def test_times_and_values_come_whole_in_json(admin):
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    audit.record("data.try", "a try", before={"at": at, "labels": ["a"]}, after={"at": None}, by=JO)
    entry = AuditEntry.objects.first()

    (found,) = objects(admin.get("/audit.jsonl"))

    assert found["before"] == {"at": "2026-01-31T12:00:00.000Z", "labels": ["a"]}
    assert found["after"] == {"at": None}
    assert found["number"] == entry.number
    assert found["actor"] == {"kind": "person", "name": "jo", "id": "1", "address": "192.0.2.1"}
