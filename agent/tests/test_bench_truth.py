"""The proofs of timing, CPU, memory and telemetry: how their rows come about. No figure of a busy machine is judged."""

from __future__ import annotations

import pytest

from agent.bench import cpu, memory, telemetry, truth
from agent.bench.report import CannotRun
from agent.bench.truth import Against, measure
from agent.obt_agent.contract import CellRun, CellSpec, RawCounters, ResultBody, Sample, SampleError, Telemetry, Timing
from agent.obt_agent.ollama import Generation
from agent.obt_agent.ollama_errors import OllamaError
from agent.truth.process import TruthProcess
from agent.truth.records import Record, Sent

MS = 1_000_000


def sent(*at_ms: float, took_ms: float = 0.05) -> Record:
    """A request that was there at 0 and whose tokens were sent then."""
    pieces = [Sent(round(at * MS), round(at * MS), 1, round(took_ms * MS)) for at in at_ms]
    return Record("steady", 0, pieces, round(at_ms[-1] * MS))


def seen(*at_ms: float, tokens: int | None = None) -> Generation:
    """What the client made of it."""
    stamps = [round(at * MS) for at in at_ms]
    raw = RawCounters(eval_count=len(stamps) if tokens is None else tokens, done=True)
    return Generation(raw=raw, ttft_ns=stamps[0], last_token_ns=stamps[-1], chunk_ns=stamps, chunks=len(stamps))


def test_added_is_what_the_clients_ttft_has_more_than_the_server_took() -> None:
    one = Against("steady")
    one.add(seen(100.4, 120.4, 140.4), sent(100, 120, 140))
    assert one.added_ms == [pytest.approx(0.4)]
    assert one.itl_off_percent == [pytest.approx(0)]
    assert one.row().ok is True


@pytest.mark.parametrize(
    ("arrivals", "ok"),
    [
        ((100.9, 120.9, 140.9), True),
        ((101.1, 121.1, 141.1), False),  # more than 1 ms at the median
        ((100.2, 120.2, 140.3), True),  # 0.25 % of the mean gap
        ((100.2, 120.2, 140.5), False),  # 0.75 %
    ],
)
def test_a_row_is_met_within_its_limits_only(arrivals: tuple[float, ...], ok: bool) -> None:
    one = Against("steady")
    for _ in range(5):
        one.add(seen(*arrivals), sent(100, 120, 140))
    assert one.row().ok is ok


def test_one_late_start_of_twenty_is_within_the_95th_percentile_and_three_are_not() -> None:
    for late, ok in ((0, True), (3, False)):
        one = Against("steady")
        for number in range(20):
            extra = 5.0 if number < late else 0.3
            one.add(seen(100 + extra, 120 + extra, 140 + extra), sent(100, 120, 140))
        assert one.row().ok is ok


def test_a_request_whose_truth_is_not_known_is_set_aside_and_too_many_prove_nothing() -> None:
    one = Against("steady")
    one.add(seen(100.1, 120.1), sent(100, 120))
    one.add(seen(190, 220), sent(100, 120, took_ms=90))
    with pytest.raises(CannotRun, match="too busy"):
        one.row()
    one.add(seen(100.1, 120.1), sent(100, 120))
    assert one.row().details["set_aside"] == 1


def test_what_a_bare_socket_adds_is_shown_and_changes_no_verdict() -> None:
    one = Against("steady")
    one.add(seen(101.5, 121.5), sent(100, 120))
    one.add_bare(101 * MS, sent(100, 120))
    one.add_bare(500 * MS, sent(100, 120, took_ms=300))
    row = one.row()
    assert "(bare socket +1.00, +1.00)" in row.measured
    assert row.ok is False


def test_a_failed_request_proves_nothing() -> None:
    failed = Generation(error=OllamaError("stalled", "Ollama stopped answering"))
    with pytest.raises(CannotRun, match="stopped answering"):
        Against("steady").add(failed, sent(100, 120))
    with pytest.raises(CannotRun, match="counts differ"):
        Against("steady").add(seen(100, 120, tokens=5), sent(100, 120))


def test_every_profile_is_measured_through_the_real_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truth, "OTHER_TOKENS", 8)
    monkeypatch.setattr(truth, "TOKENS", {})
    found = [Against(name) for name in ("several", "multibyte", "fast")]
    with TruthProcess() as server:
        measure(server, found, 1)
    for one in found:
        assert len(one.added_ms) + one.set_aside == 1
        assert all(added >= 0 for added in one.bare_ms)
        assert all(added >= 0 for added in one.added_ms)


CELL = CellSpec("tg3200", "decode", 1, 0, prompt_tokens=32, output_tokens=3200, num_ctx=8192)


def measured(points: int, error: SampleError | None = None) -> ResultBody:
    sample = Sample("tg3200", 0, False, RawCounters(), Timing(start_s=1.0), error=error)
    series = Telemetry(interval_ms=200, t_s=[0.2 * number for number in range(points)])
    return ResultBody(1, "lease", "succeeded", 65.0, [CellRun(CELL, [sample])], telemetry=series)


@pytest.mark.parametrize(("used_s", "ok"), [(0.59, True), (0.6, False), (0.9, False)])
def test_the_agents_cpu_is_a_share_of_one_core(used_s: float, ok: bool) -> None:
    row = cpu.row(used_s, 60.0, measured(320))
    assert row.ok is ok
    assert row.measured == f"{100 * used_s / 60:.2f} % of one core"


def test_an_agent_that_measured_nothing_is_not_called_cheap() -> None:
    with pytest.raises(CannotRun, match="3 points"):
        cpu.row(0.1, 60.0, measured(3))
    with pytest.raises(CannotRun, match="broke off"):
        cpu.row(0.1, 60.0, measured(320, SampleError("broken_stream", "it broke off")))


@pytest.mark.parametrize(("peak", "ok"), [(149_000_000, True), (150_000_000, False)])
def test_memory_is_met_below_150_mb(peak: int, ok: bool) -> None:
    assert memory.row("agent's memory", "how", peak, {}).ok is ok


def test_a_long_stream_that_was_not_kept_proves_nothing() -> None:
    sample = Sample("tg100000", 0, False, RawCounters(), Timing(start_s=1.0, chunk_ns=[1, 2]))
    with pytest.raises(CannotRun, match=r"\[2\]"):
        memory.check_flood([sample], 1)


@pytest.mark.parametrize(
    ("on", "off", "ok"),
    [
        ([[400.0] * 3] * 4, [[401.0] * 3] * 4, True),
        ([[390.0] * 3] * 4, [[401.0] * 3] * 4, False),
        ([[390.0] * 3] * 4, [[380.0] * 3, [420.0] * 3] * 2, True),  # off differs from off by more
    ],
)
def test_telemetry_may_cost_one_percent_or_what_no_telemetry_differs_by(
    on: list[list[float]], off: list[list[float]], ok: bool
) -> None:
    row = telemetry.row(telemetry.Turns(on, off, 10), 2)
    assert row.ok is ok
    assert "off against off" in row.measured
