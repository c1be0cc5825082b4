"""The table of cells, the pace that predicts them, and which failures end a job: without an Ollama."""

from __future__ import annotations

import dataclasses

import pytest

from agent.obt_agent.cells import SHAPES, in_order, prompt_target, refusal_of, why_not
from agent.obt_agent.contract import CellSpec, InstalledModel, PinnedOptions, RawCounters, SampleError
from agent.obt_agent.measure_outcome import JobFailed, failed_by, raise_if_fatal, raise_if_repeated
from agent.obt_agent.measure_pace import Pace
from agent.obt_agent.measure_setting import Setting, is_inherited, setting_of
from agent.obt_agent.metrics import APPLICABLE
from agent.obt_agent.ollama_errors import OllamaError, classified, clipped

from .measuring import CHAT, LOAD, PP64, PP512, TG16, TG128

MODEL = InstalledModel("m:1b", "d", capabilities=["completion", "tools"], context_length=8192)
RAW = RawCounters(
    load_duration=200_000_000,
    prompt_eval_count=100,
    prompt_eval_duration=50_000_000,
    eval_count=11,
    eval_duration=100_000_000,
)


def ordered(*cells: CellSpec) -> list[str]:
    return [spec.name for spec in in_order(cells, PinnedOptions())]


def test_cells_of_one_context_length_come_together_in_the_order_asked() -> None:
    assert ordered(TG16, PP512, PP64, CHAT) == ["tg16", "pp64", "pp512", "chat"]


def test_loading_comes_first_within_its_context_length() -> None:
    late_load = dataclasses.replace(LOAD, num_ctx=2048)
    assert ordered(TG16, PP512, late_load, TG128) == ["load", "tg16", "pp512", "tg128"]


def test_a_sweeps_cells_come_together_by_everything_that_reloads_the_model() -> None:
    four = dataclasses.replace(TG16, name="tg16[num_thread=4]", num_thread=4)
    cpu = dataclasses.replace(TG16, name="tg16[num_gpu=0]", num_gpu=0)
    small = dataclasses.replace(PP64, name="pp64[num_batch=64]", num_batch=64)
    four_too = dataclasses.replace(PP64, name="pp64[num_thread=4]", num_thread=4)
    assert ordered(TG16, four, cpu, small, PP64, four_too) == [
        "tg16", "pp64", "tg16[num_thread=4]", "pp64[num_thread=4]", "tg16[num_gpu=0]", "pp64[num_batch=64]",
    ]  # fmt: skip


def test_a_cells_own_parameter_goes_before_the_jobs_and_may_be_the_same() -> None:
    pinned = PinnedOptions(num_thread=4, num_gpu=20)
    assert setting_of(TG16, pinned) == Setting(2048, num_gpu=20, num_thread=4)
    assert setting_of(dataclasses.replace(TG16, num_thread=4), pinned) == setting_of(TG16, pinned)
    assert setting_of(dataclasses.replace(TG16, num_gpu=0), pinned).options == {
        "num_ctx": 2048,
        "num_gpu": 0,
        "num_thread": 4,
    }


@pytest.mark.parametrize(
    ("wanted", "loaded", "inherited"),
    [
        (Setting(2048), Setting(2048, num_gpu=0), True),
        (Setting(2048), None, True),
        (Setting(2048), Setting(4096), False),
        (Setting(2048, num_gpu=0), None, False),
        (Setting(2048, num_gpu=0), Setting(2048, num_gpu=99), False),
    ],
)
def test_no_wish_for_layers_would_keep_those_of_the_runner_before(
    wanted: Setting, loaded: Setting | None, inherited: bool
) -> None:
    assert is_inherited(wanted, loaded) is inherited


def test_a_depth_is_part_of_the_prompt() -> None:
    assert prompt_target(dataclasses.replace(TG128, depth=2048)) == 2080


def test_every_kind_that_can_be_measured_publishes_something() -> None:
    assert set(SHAPES) <= set(APPLICABLE)


@pytest.mark.parametrize("spec", [LOAD, PP512, TG128, CHAT, dataclasses.replace(TG128, depth=2048)])
def test_an_ordinary_model_can_do_every_cell(spec: CellSpec) -> None:
    assert why_not(spec, MODEL) is None


def test_a_model_that_says_nothing_about_itself_is_given_the_benefit_of_the_doubt() -> None:
    assert why_not(PP512, InstalledModel("m:1b", "d")) is None


@pytest.mark.parametrize(
    ("spec", "model", "words"),
    [
        (PP512, dataclasses.replace(MODEL, capabilities=["embedding"]), "does not offer completion"),
        (PP512, dataclasses.replace(MODEL, context_length=2048), "needs a context of 4096 tokens"),
        (dataclasses.replace(TG128, depth=4000), MODEL, "have 4160 tokens"),
        (dataclasses.replace(PP512, kind="dream"), MODEL, "of the kind dream"),
        (dataclasses.replace(PP512, kind="embed"), MODEL, "does not offer embedding"),
        (LOAD, dataclasses.replace(MODEL, capabilities=["vision"]), "does not offer completion or embedding"),
    ],
)
def test_a_cell_that_cannot_be_has_a_sentence(spec: CellSpec, model: InstalledModel, words: str) -> None:
    assert words in (why_not(spec, model) or "")


@pytest.mark.parametrize(
    ("capabilities", "words"),
    [
        (["vision"], "neither generates text nor embeds: it has vision."),
        (["insert", "tools"], "neither generates text nor embeds: it has insert, tools."),
        (["completion", "vision"], None),
        (["embedding"], None),
        ([], None),
    ],
)
def test_a_model_is_refused_by_what_it_says_it_can_do(capabilities: list[str], words: str | None) -> None:
    found = refusal_of(dataclasses.replace(MODEL, capabilities=capabilities))
    assert found == (None if words is None else f"The model m:1b {words}")


def test_a_cloud_model_is_refused_whatever_it_can_do() -> None:
    assert refusal_of(dataclasses.replace(MODEL, remote=True)) == (
        "The model m:1b runs in the cloud, not on this machine."
    )


def test_an_unknown_pace_predicts_nothing() -> None:
    assert [Pace().sample_s(spec) for spec in (LOAD, PP512, TG128)] == [None, None, None]


def test_a_cell_is_predicted_from_the_speeds_seen_elsewhere() -> None:
    pace = Pace()
    pace.learn(RAW, chunks=11)
    assert pace.sample_s(PP512) == pytest.approx(512 * 0.0005 + 0.02)
    assert pace.sample_s(CHAT) == pytest.approx(512 * 0.0005 + 127 * 0.01 + 0.02)
    assert pace.sample_s(LOAD) == pytest.approx(1.7)


def test_a_cells_own_rounds_are_the_better_prediction_and_one_hiccup_does_not_count() -> None:
    pace = Pace()
    pace.learn(RAW, chunks=11)
    for seconds in (9.0, 3.0, 30.0, 2.5):
        pace.took("pp512", seconds, first_token_ns=int(seconds * 0.5e9))
    assert pace.sample_s(PP512) == 3.0
    assert pace.slowest_first_token_s("pp512") == 15.0
    assert pace.slowest_first_token_s("tg128") == 0.0


def test_a_sweeps_settings_have_speeds_of_their_own_and_the_last_ones_until_they_are_seen() -> None:
    pace = Pace()
    on_cpu = dataclasses.replace(PP512, num_gpu=0)
    pace.enter(Setting(4096))
    pace.learn(RAW, chunks=11)
    assert pace.sample_s(on_cpu) == pace.sample_s(PP512)
    pace.enter(Setting(4096, num_gpu=0))
    assert not pace.is_probed
    pace.learn(dataclasses.replace(RAW, prompt_eval_duration=500_000_000), chunks=11)
    assert pace.is_probed
    assert pace.sample_s(on_cpu) == pytest.approx(512 * 0.005 + 0.02)
    assert pace.sample_s(PP512) == pytest.approx(512 * 0.0005 + 0.02)


def test_another_context_length_changes_no_speed() -> None:
    pace = Pace()
    pace.enter(Setting(4096))
    pace.learn(RAW, chunks=11)
    pace.enter(Setting(10_240))
    assert pace.is_probed


def test_a_fixed_prompt_is_as_long_as_its_characters_make_it() -> None:
    pace = Pace()
    pace.learn(RAW, chunks=11)
    pace.tokens_per_character = 0.5
    spec = dataclasses.replace(CHAT, kind="prompt", prompt_tokens=0, text="x" * 2000)
    assert pace.sample_s(spec) == pytest.approx(1000 * 0.0005 + 127 * 0.01 + 0.02)


def test_decoding_cannot_be_predicted_from_a_prompt_alone() -> None:
    pace = Pace()
    pace.learn(dataclasses.replace(RAW, eval_count=1, eval_duration=None), chunks=1)
    assert pace.sample_s(PP512) is not None
    assert pace.sample_s(TG128) is None


def test_a_short_prompts_fixed_cost_does_not_spoil_the_prediction_of_long_ones() -> None:
    pace = Pace()
    pace.learn(RAW, chunks=11)
    pace.learn(dataclasses.replace(RAW, prompt_eval_count=9, prompt_eval_duration=90_000_000), chunks=11)
    assert pace.sample_s(PP512) == pytest.approx(512 * 0.0005 + 0.02)


def test_a_length_is_predicted_from_the_one_measured_that_is_nearest_to_it() -> None:
    pace = Pace()
    pace.learn(dataclasses.replace(RAW, prompt_eval_count=2048, prompt_eval_duration=4_096_000_000), chunks=11)
    pace.learn(dataclasses.replace(RAW, eval_duration=50_000_000), chunks=11)  # 100 tokens
    assert pace.sample_s(dataclasses.replace(PP512, prompt_tokens=8192)) == pytest.approx(8192 * 0.002 + 0.02)
    assert pace.sample_s(dataclasses.replace(PP512, prompt_tokens=128)) == pytest.approx(128 * 0.0005 + 0.02)
    deep = dataclasses.replace(TG128, prompt_tokens=0, depth=2048)
    assert pace.sample_s(deep) == pytest.approx(2048 * 0.002 + 127 * 0.01 + 0.02)
    assert pace.sample_s(TG128) == pytest.approx(32 * 0.0005 + 127 * 0.005 + 0.02)
    assert pace.decode_rate == pytest.approx(200)


def test_a_batch_of_texts_is_as_long_as_all_of_them() -> None:
    pace = Pace()
    pace.learn_embedding(256, 0.256)
    pace.learn_embedding(8192, 4.096)
    embed = dataclasses.replace(PP512, kind="embed", prompt_tokens=256, output_tokens=0)
    assert pace.sample_s(embed) == pytest.approx(0.256 + 0.02)
    assert pace.sample_s(dataclasses.replace(embed, batch=32)) == pytest.approx(4.096 + 0.02)


def test_tokens_per_chunk_are_learned_from_the_last_answer() -> None:
    pace = Pace()
    assert pace.tokens_per_chunk == 1.0
    pace.learn(dataclasses.replace(RAW, eval_count=30), chunks=10)
    assert pace.tokens_per_chunk == 3.0


def test_a_sample_without_an_error_ends_nothing() -> None:
    raise_if_fatal(None)
    raise_if_repeated(None)
    raise_if_fatal(SampleError("not_done", "Once."))
    raise_if_repeated(SampleError("not_done", "Thrice."))


@pytest.mark.parametrize(
    ("kind", "ends_as", "outcome"),
    [
        ("refused", "ollama_unreachable", "failed"),
        ("broken_stream", "ollama_died", "failed"),
        ("stalled", "ollama_stalled", "failed"),
        ("out_of_memory", "out_of_memory", "failed"),
        ("deadline", "budget_exceeded", "timed_out"),
    ],
)
def test_a_fatal_error_ends_the_job_with_its_own_sentence(kind: str, ends_as: str, outcome: str) -> None:
    with pytest.raises(JobFailed, match="What happened") as caught:
        raise_if_fatal(SampleError(kind, "What happened."))
    assert (caught.value.error.kind, caught.value.outcome) == (ends_as, outcome)


def test_garbage_ends_a_job_only_when_it_is_repeated() -> None:
    raise_if_fatal(SampleError("garbage", "Noise."))
    with pytest.raises(JobFailed) as caught:
        raise_if_repeated(SampleError("garbage", "Noise."))
    assert caught.value.error.kind == "bad_response"


def test_an_error_nobody_foresaw_is_a_bad_response() -> None:
    assert failed_by(OllamaError("context_exceeded", "Too long.")).error.kind == "bad_response"


def test_somebody_elses_text_becomes_one_line_of_bounded_length() -> None:
    assert clipped("a\n\tb\x00c  d") == "a b c d"
    assert len(clipped("x" * 10_000)) == 500
    assert "\x1b" not in classified("\x1b[31mred", 500).message
