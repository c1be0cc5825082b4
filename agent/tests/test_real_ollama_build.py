"""`python -m agent.real_ollama build`, up to where the Go toolchain takes over: what it finds, refuses and skips."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from agent.real_ollama import build
from agent.real_ollama.fixtures import require_built_ollama
from agent.real_ollama.tools import DEFAULT_VERSION, OLDER_VERSION, ollama_dir, only_one_process

ROOT = Path(__file__).resolve().parents[2]


def run_build(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent.real_ollama", "build", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


def script(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def pretend_built(version: str, says: str) -> None:
    script(ollama_dir(version) / "ollama", says)
    script(ollama_dir(version) / "bench", "")


@pytest.fixture
def empty_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OBT_TOOLS_DIR", str(tmp_path / "tools"))
    return tmp_path / "tools"


@pytest.mark.real_ollama
def test_it_skips_at_once_what_is_built() -> None:
    require_built_ollama()
    done = run_build()

    assert done.returncode == 0
    assert f"{DEFAULT_VERSION} is there already" in done.stdout


def test_nothing_is_built_in_an_empty_folder(empty_tools: Path) -> None:
    assert not build.is_built(DEFAULT_VERSION)


def test_a_binary_that_says_another_version_is_not_taken_for_built(empty_tools: Path) -> None:
    pretend_built(OLDER_VERSION, f"client version is {DEFAULT_VERSION}")

    assert not build.is_built(OLDER_VERSION)


def test_a_binary_that_cannot_run_is_not_taken_for_built(empty_tools: Path) -> None:
    pretend_built(DEFAULT_VERSION, DEFAULT_VERSION)
    (ollama_dir() / "ollama").write_bytes(b"\x7fELF half a download")

    assert not build.is_built(DEFAULT_VERSION)


def test_it_refuses_a_go_that_cannot_fetch_its_successor(empty_tools: Path, tmp_path: Path) -> None:
    script(tmp_path / "bin" / "go", "go version go1.19.8 linux/amd64")
    done = run_build(OBT_TOOLS_DIR=str(empty_tools), PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    assert done.returncode == 1
    assert "go1.19.8" in done.stderr
    assert "must be Go 1.21 or newer" in done.stderr
    assert not ollama_dir().exists()


def test_it_refuses_a_version_that_it_cannot_build() -> None:
    assert run_build("--version", "0.30.0").returncode == 2


def test_a_release_without_the_tool_bench_is_built_without_it(empty_tools: Path) -> None:
    assert set(build.programs(DEFAULT_VERSION)) == {"ollama", "bench"}
    script(ollama_dir(OLDER_VERSION) / "ollama", f"client version is {OLDER_VERSION}")

    assert build.is_built(OLDER_VERSION)


@pytest.mark.parametrize(
    ("says", "flags"),
    [
        ("model name : old\nflags : fpu avx\n", None),
        ("flags : fpu avx avx2 bmi1 bmi2 f16c fma movbe\n", "-O2 -march=x86-64-v3"),
        ("", None),
    ],
)
def test_vector_instructions_are_used_where_the_processor_has_all_of_them(
    tmp_path: Path, says: str, flags: str | None
) -> None:
    (tmp_path / "cpuinfo").write_text(says)

    assert build.processor_flags(tmp_path / "cpuinfo") == flags
    assert build.processor_flags(tmp_path / "not there") is None


def test_missing_headers_are_named_with_the_command_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "HEADER_FOLDERS", ("/nowhere",))

    with pytest.raises(build.BuildError, match="sudo apt-get install nlohmann-json3-dev libstb-dev"):
        build.provide_headers(install=False)


def test_an_archive_with_other_content_is_not_used(tmp_path: Path) -> None:
    archive = tmp_path / build.MINIAUDIO_ARCHIVE
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(__file__, arcname=build.MINIAUDIO_HEADER)

    with pytest.raises(build.BuildError, match="Nothing was used of it"):
        build.header_in(archive)


def test_a_second_build_waits_and_then_uses_the_first_ones(empty_tools: Path) -> None:
    """The first is played by this test: it holds the lock, and what it builds is there when it lets go."""
    command = [sys.executable, "-m", "agent.real_ollama", "build"]
    with only_one_process(empty_tools / "ollama" / f".{DEFAULT_VERSION}.lock"):
        second = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=1)
        pretend_built(DEFAULT_VERSION, f"client version is {DEFAULT_VERSION}")
    output, _ = second.communicate(timeout=30)

    assert second.returncode == 0
    assert "compiling" not in output


@pytest.mark.parametrize(("arguments", "exit_code"), [([], 2), (["nonsense"], 2), (["--help"], 0)])
def test_without_a_command_it_lists_them(arguments: list[str], exit_code: int) -> None:
    command = [sys.executable, "-m", "agent.real_ollama", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == exit_code
    assert all(name in done.stdout + done.stderr for name in ("build", "models", "serve"))
