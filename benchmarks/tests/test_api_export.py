"""GET results/export, in every format."""

import csv
import io
import json
import re
from dataclasses import replace
from typing import get_args

import pytest
import requests

from agent.obt_agent import contract
from benchmarks.api.export import FormatName
from benchmarks.exports import FORMATS
from benchmarks.exports.flat import COLUMNS
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api, problem
from obt_site.access import Role
from obt_site.tokens import create_token

pytestmark = pytest.mark.django_db
LLAMA, QWEN, _ = world.MODELS
LLAMA_BENCH = """
    build_commit build_number cpu_info gpu_info backends model_filename model_type model_size model_n_params n_batch
    n_ubatch n_threads type_k type_v n_gpu_layers flash_attn n_prompt n_gen n_depth test_time avg_ns stddev_ns avg_ts
    stddev_ts samples_ns samples_ts
"""


@pytest.fixture
def api(database):
    return Api()


@pytest.fixture
def forge(database):
    return world.machine("forge")


def export(api, format, **query):
    response = api.get("results/export", format=format, **query)
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content).decode()


def rows(api, **query):
    return list(csv.DictReader(io.StringIO(export(api, "csv", **query))))


def test_csv_has_a_line_per_result_and_cell_with_units_in_the_columns(api, forge):
    result = world.result(forge, LLAMA, rate=100.0)

    told = rows(api)

    assert [row["cell"] for row in told] == list(world.CELLS)
    tg128 = told[2]
    assert (tg128["result"], tg128["machine"], tg128["model"]) == (result.id, "forge", LLAMA)
    assert float(tg128["decode_rate_tok_per_s_median"]) == pytest.approx(100.25)
    assert tg128["energy_per_output_token_j_per_tok_median"] == ""
    assert (tg128["valid"], tg128["simulated"], tg128["n"]) == ("true", "false", "6")
    assert tuple(told[0]) == COLUMNS


def test_every_number_of_a_metric_has_its_unit_in_its_columns_name():
    plain = {"number", "session_number", "attempt", "n", "planned", "left_out"}
    measured = [name for name in COLUMNS if name.endswith(("_median", "_low", "_high"))]

    assert len(measured) > 30
    units = ("tok_per_s", "ms", "s", "req_per_s", "items_per_s", "j_per_tok", "percent", "req")
    for name in measured:
        assert name.rsplit("_", 1)[0].endswith(units), name
    assert plain <= set(COLUMNS)


def test_json_and_json_lines_have_the_same_rows_as_csv(api, forge):
    world.result(forge, LLAMA)

    array = json.loads(export(api, "json"))
    lines = [json.loads(line) for line in export(api, "jsonl").splitlines()]

    assert array == lines
    assert [tuple(row) for row in array] == [COLUMNS] * 4
    for row, line in zip(array, rows(api), strict=True):
        for name, value in row.items():
            said = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
            assert line[name] == said, name


def test_what_was_not_measured_is_null_and_never_zero(api, forge):
    world.result(forge, LLAMA)

    load = json.loads(export(api, "json"))[0]

    assert load["decode_rate_tok_per_s_median"] is None
    assert load["load_time_s_median"] > 0


@pytest.mark.parametrize("format", ["json", "llama-bench"])
def test_an_array_without_results_is_an_empty_array(api, format):
    assert json.loads(export(api, format)) == []


@pytest.mark.parametrize("name", ["=1+2", "+1", "-1", "@x", "\tx", "=cmd|' /C calc'!A0"])
def test_a_text_that_looks_like_a_formula_is_none_in_csv_and_itself_in_json(api, database, name):
    forge = world.machine("forge", models=[name])
    world.result(forge, name)

    assert {row["model"] for row in rows(api)} == {f"'{name}"}
    assert {row["model"] for row in json.loads(export(api, "json"))} == {name}


def test_a_report_has_hardware_versions_table_and_validity(api, forge):
    world.result(forge, LLAMA)
    world.result(forge, QWEN)

    said = export(api, "markdown")

    assert said.count("### `") == 2
    assert "NVIDIA GeForce RTX 4090" in said
    assert "| `tg128` |" in said
    assert "0.24.0" in said


def test_benchstat_has_a_line_per_step_of_every_sample_that_counts(api, forge):
    world.result(forge, LLAMA, rate=100.0)

    said = export(api, "benchstat")

    assert said.startswith(f"# Model: {LLAMA} | Params: 3.2B | Quant: Q4_K_M")
    tg128 = said.split("cell: tg128\n")[1].split("cell:")[0]
    generate = re.findall(r"^BenchmarkModel/name=(\S+)/step=generate 1 (\S+) ns/token (\S+) token/sec$", tg128, re.M)
    assert [name for name, _, _ in generate] == [LLAMA] * 6
    for _, per_token, rate in generate:
        assert float(per_token) * float(rate) == pytest.approx(1e9, rel=1e-3)
    for step in ("ttft", "load", "total"):
        assert re.search(rf"^BenchmarkModel/name=\S+/step={step} 1 \d+ ns/op$", tg128 + said, re.M), step
    for line in filter(None, said.splitlines()):
        assert re.match(r"# |[a-z]+: |Benchmark\S+ 1 (\S+ \S+)( \S+ \S+)*$", line), line


def test_benchstat_leaves_out_what_does_not_count(api, forge):
    offer = world.running(forge, LLAMA, cells=["tg128"])
    run = world.run_of(offer.cells[0])
    bad = replace(run.samples[-1], raw=replace(run.samples[-1].raw, done_reason="stop", eval_count=3))
    world.deliver(forge, offer, world.body(offer, cells=[contract.CellRun(run.spec, [*run.samples[:-1], bad])]))

    assert export(api, "benchstat").count("step=generate") == 5


def test_llama_bench_has_its_fields_and_null_for_what_is_unknown(api, forge):
    world.result(forge, LLAMA, rate=100.0)

    pp512, tg128 = json.loads(export(api, "llama-bench"))

    assert list(pp512) == list(tg128) == LLAMA_BENCH.split()
    assert (pp512["n_prompt"], pp512["n_gen"], tg128["n_prompt"], tg128["n_gen"]) == (512, 0, 0, 128)
    assert (tg128["model_filename"], tg128["model_type"]) == (LLAMA, "llama3.2 3.2B Q4_K_M")
    assert tg128["gpu_info"] == "NVIDIA GeForce RTX 4090"
    assert tg128["avg_ts"] == pytest.approx(100.25)
    assert len(tg128["samples_ts"]) == len(tg128["samples_ns"]) == 6
    for unknown in ("build_commit", "n_ubatch", "n_batch", "type_k", "flash_attn", "model_n_params", "backends"):
        assert tg128[unknown] is None


def test_it_takes_the_filters_of_the_list(api, forge):
    wanted = world.result(forge, LLAMA)
    world.result(forge, QWEN)

    assert {row["result"] for row in rows(api, model=LLAMA)} == {wanted.id}
    assert rows(api, until="2020-01-01T00:00:00Z") == []


def test_it_has_more_results_than_any_page(api, forge, monkeypatch):
    from benchmarks import listing

    monkeypatch.setattr(listing, "EVERY_AT_ONCE", 2)
    numbers = [world.result(forge, LLAMA).number for _ in range(5)]

    told = list(dict.fromkeys(int(row["number"]) for row in rows(api)))

    assert told == sorted(numbers, reverse=True)


@pytest.mark.parametrize(("name", "value"), [("format", "xml"), ("limit", "5"), ("cursor", "x"), ("model[$ne]", "x")])
def test_what_it_does_not_take_is_refused(api, name, value):
    problem(api.get("results/export", **{name: value}), 422, name)


def test_the_description_names_every_format():
    assert set(get_args(FormatName)) == set(FORMATS)


@pytest.mark.parametrize("format", FORMATS)
def test_each_is_a_download_of_its_kind(api, forge, format):
    world.result(forge, LLAMA)

    response = api.get("results/export", format=format)

    assert response["Content-Type"] == f"{FORMATS[format].media_type}; charset=utf-8"
    assert response["Content-Disposition"].endswith(f'.{FORMATS[format].suffix}"')


def test_a_real_server_sends_it_in_pieces(server):
    world.result(world.machine("forge"), LLAMA)
    headers = {"Authorization": f"Bearer {create_token('export', Role.VIEWER)}"}

    answer = requests.get(f"{server.url}/api/v1/results/export", headers=headers, timeout=30, stream=True)

    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert len(answer.text.splitlines()) == 5
    assert answer.headers["X-Request-ID"]
