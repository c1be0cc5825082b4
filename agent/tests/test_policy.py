"""The policy file of a machine: what it may say, and what is refused rather than guessed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.obt_agent.policy import Hours, Policy, PolicyError, matches, parse, read

WHOLE = """\
# of this machine's owner
[policy]
models = llama3.2:*, qwen*
    gemma3:4b
not_models = *-abliterated*
largest_model = 20 GB
hours = 22:00-06:00, 12:30 – 13:15
may_pull = no
may_delete = False
most_disk = 1.5 GiB
nice = 10
on_battery = no
"""


def test_every_key_is_read() -> None:
    assert parse(WHOLE) == Policy(
        models=("llama3.2:*", "qwen*", "gemma3:4b"),
        not_models=("*-abliterated*",),
        largest_model=20 * 10**9,
        hours=(Hours(22 * 60, 6 * 60), Hours(12 * 60 + 30, 13 * 60 + 15)),
        may_pull=False,
        may_delete=False,
        most_disk=1_610_612_736,
        nice=10,
        on_battery=False,
    )


def test_an_empty_section_allows_what_no_file_allows() -> None:
    assert parse("[policy]\n") == Policy()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "one section"),
        ("models = x", "cannot be understood"),
        ("[policy]\n[more]\n", "one section"),
        ("[DEFAULT]\nmodels = x\n[policy]\n", "one section"),
        ("[policy]\nmodells = x\n", "'modells'"),
        ("[policy]\nmodels = a\nmodels = b\n", "cannot be understood"),
        ("[policy]\nmodels\n", "cannot be understood"),
        ("[policy]\nmodels = ,\n", "no name in models"),
        ("[policy]\nnot_models =\n", "no name in not_models"),
        ("[policy]\nlargest_model = big\n", "no size such as 20 GB"),
        ("[policy]\nlargest_model = -1 GB\n", "no size such as 20 GB"),
        ("[policy]\nlargest_model = 1e99\n", "no size such as 20 GB"),
        ("[policy]\nmost_disk = 3 MB\n", "the agent needs 100 MB"),
        ("[policy]\nhours = 22-6\n", "22:00-06:00"),
        ("[policy]\nhours = 22:00-22:00\n", "22:00-06:00"),
        ("[policy]\nhours = 25:00-26:00\n", "22:00-06:00"),
        ("[policy]\nhours = 22:00-24:30\n", "22:00-06:00"),
        ("[policy]\nhours =\n", "22:00-06:00"),
        ("[policy]\nmay_pull = perhaps\n", "yes or no"),
        ("[policy]\nnice = 20\n", "0 to 19"),
        ("[policy]\nnice = -5\n", "0 to 19"),
        ("[policy]\nmodels = %(x)s\nnice = ٣\n", "0 to 19"),
    ],
)
def test_what_cannot_be_understood_is_refused_and_said(text: str, hint: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "model", "means"),
    [
        ("llama3.2:*", "llama3.2:3b", True),
        ("llama3.2", "llama3.2:latest", True),
        ("llama3.2", "llama3.2:70b", True),
        ("llama3.2:latest", "llama3.2:3b", False),
        ("LLAMA*", "llama3.2:3b", True),
        ("llama*", "hf.co/somebody/llama3:3b", False),
        ("hf.co/*", "hf.co/somebody/Evil:Q4", True),
        ("*:70b*", "llama3.3:70b-instruct", True),
        ("qwen?:8b", "qwen3:8b", True),
        ("localhost:5000/own", "localhost:5000/own:latest", True),
    ],
)
def test_patterns_mean_what_the_document_says(pattern: str, model: str, means: bool) -> None:
    assert matches(pattern, model) is means


def test_a_model_is_allowed_by_name_forbidden_by_name_and_by_size() -> None:
    policy = parse("[policy]\nmodels = llama*, qwen*\nnot_models = *:70b\nlargest_model = 20 GB\n")

    assert policy.refuses("llama3.2:3b", 2 * 10**9) is None
    assert policy.refuses("llama3.2:3b", 20 * 10**9) is None
    assert "it allows llama*, qwen*" in (policy.refuses("gemma3:4b", 1) or "")
    assert "does not let llama3.3:70b run" in (policy.refuses("llama3.3:70b", 1) or "")
    assert "over 20 GB run; qwen3:32b has 20.2 GB" in (policy.refuses("qwen3:32b", 20_200_000_000) or "")
    assert "is not known" in (policy.refuses("qwen3:32b", None) or "")


@pytest.mark.parametrize(
    ("clock", "waits"),
    [
        ("22:00", None),
        ("23:59", None),
        ("00:00", None),
        ("05:59", None),
        ("06:00", "12:30"),
        ("12:29", "12:30"),
        ("12:30", None),
        ("13:15", "22:00"),
        ("21:59", "22:00"),
    ],
)
def test_hours_go_over_midnight_and_the_next_ones_are_named(clock: str, waits: str | None) -> None:
    hour, minute = clock.split(":")
    said = parse(WHOLE).waits(int(hour) * 60 + int(minute))

    if waits is None:
        assert said is None
    else:
        assert said == (
            f"It waits until {waits}: jobs run from 22:00 to 06:00 and 12:30 to 13:15 only (policy of the machine)."
        )


def test_a_day_may_end_at_24() -> None:
    assert parse("[policy]\nhours = 00:00-24:00\n").waits(1439) is None
    assert parse("[policy]\nhours = 20:00-24:00\n").waits(0) is not None


def test_the_words_say_everything_that_is_in_force() -> None:
    said = " ".join(parse(WHOLE).in_words())

    for part in ("llama3.2:*", "*-abliterated*", "20 GB", "22:00 to 06:00", "battery", "1.6 GB", "level 10"):
        assert part in said
    assert "may not be pulled and may not be deleted" in said


# -- the file ----------------------------------------------------------------------------------------------------


def written(tmp_path: Path, mode: int = 0o600, content: bytes = b"[policy]\nnice = 1\n") -> Path:
    file = tmp_path / "policy.ini"
    file.write_bytes(content)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o400])
def test_a_file_that_only_its_owner_changes_is_read(tmp_path: Path, mode: int) -> None:
    assert read(written(tmp_path, mode)).nice == 1


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_change_is_not_believed(tmp_path: Path, mode: int) -> None:
    with pytest.raises(PolicyError, match="can be changed by other users"):
        read(written(tmp_path, mode))


def test_a_file_of_somebody_else_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path)
    if os.getuid() == 0:
        os.chown(file, 12345, 12345)
    else:
        monkeypatch.setattr("agent.obt_agent.policy.os.getuid", lambda: os.stat(file).st_uid + 1)
    with pytest.raises(PolicyError, match="belongs to another user"):
        read(file)


def test_what_is_no_text_file_of_its_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="not UTF-8"):
        read(written(tmp_path, content=b"[policy]\n# \xff\n"))
    with pytest.raises(PolicyError, match="64 kB"):
        read(written(tmp_path, content=b"[policy]\n" + b"#" * 70_000))
    with pytest.raises(PolicyError, match=r"cannot be read|ordinary"):
        read(tmp_path)
    assert read(written(tmp_path, content=b"\xef\xbb\xbf[policy]\r\nnice = 3\r\n")).nice == 3
