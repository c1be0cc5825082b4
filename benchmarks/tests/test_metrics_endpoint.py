"""GET /metrics."""

import re

import pytest
from django.test import Client

from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site.access import Role
from obt_site.tests.people import signed_in

pytestmark = pytest.mark.django_db
LINE = re.compile(r'^[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\\\|\\")*"(,[a-z_]+="(?:[^"\\\n]|\\\\|\\")*")*\})? [-+.e\d]+$')
HEADS = re.compile(r"^# (HELP|TYPE) [a-z_]+ .+$")


@pytest.fixture
def api(database):
    return Api()


def read(api, accept="*/*"):
    return api.client.get("/metrics", headers={**api.headers, "Accept": accept})


def test_it_tells_machines_queue_and_results(api):
    forge = world.machine("forge")
    world.result(forge, rate=100.0)
    world.session(forge, *world.MODELS)

    said = read(api).content.decode().splitlines()

    assert 'obt_machines{state="online"} 1' in said
    assert 'obt_machines{state="offline"} 0' in said
    assert 'obt_machine_up{machine="forge"} 1' in said
    assert 'obt_jobs{state="queued"} 3' in said
    assert 'obt_sessions{state="queued"} 1' in said
    assert "obt_results_total 1" in said
    assert any(line.startswith("obt_build_info{version=") for line in said)


def test_a_models_newest_numbers_are_told_with_machine_model_and_quantisation(api):
    world.result(world.machine("forge"), world.MODELS[0], rate=100.0)

    said = read(api).content.decode()

    labels = f'{{machine="forge",model="{world.MODELS[0]}",quantization="Q4_K_M",simulated="false"}}'
    (rate,) = re.findall(rf"^obt_decode_tokens_per_second{re.escape(labels)} (\S+)$", said, re.MULTILINE)
    assert float(rate) == pytest.approx(100.25)
    (ttft,) = re.findall(rf"^obt_ttft_seconds{re.escape(labels)} (\S+)$", said, re.MULTILINE)
    assert 0 < float(ttft) < 60


def test_every_line_is_one_that_prometheus_reads_whatever_machines_are_called(api):
    world.machine('a"b\\c{} #')
    world.result(world.machine("forge", models=['m"\\o{d}\u2028el']), 'm"\\o{d}\u2028el')

    lines = read(api).content.decode().splitlines()

    assert lines[-1] == "# EOF"
    assert [line for line in lines[:-1] if not LINE.match(line) and not HEADS.match(line)] == []


def test_each_name_is_described_once_and_stands_together(api):
    world.result(world.machine("forge"))

    names = re.findall(r"^# TYPE (\S+)", read(api).content.decode(), re.MULTILINE)

    assert len(names) == len(set(names))


def test_it_comes_in_the_form_that_is_asked_for(api):
    assert read(api)["Content-Type"].startswith("text/plain; version=0.0.4")
    asked = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    assert read(api, asked)["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")


def test_a_stranger_gets_nothing_not_even_from_this_machine(database):
    problem(Client().get("/metrics"), 401)
    problem(Client().get("/metrics", headers={"Authorization": "Bearer obtu_x_y"}), 401)


def test_a_person_who_is_signed_in_may_look(database):
    assert signed_in(Role.VIEWER).get("/metrics").status_code == 200


def test_it_is_only_read(api):
    assert api.client.post("/metrics", headers=api.headers).status_code in (403, 405)
