"""What the documents promise is there."""

import re

from obt_site import env

ROOT = env.ROOT


def table_places() -> list[str]:
    section = (ROOT / "README.md").read_text().split("## Where things happen")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) > 20
    return [place for row in rows for place in re.findall(r"`([^`]+)`", row.split("|")[2])]


def test_every_place_of_the_where_things_happen_table_exists():
    missing = [place for place in table_places() if not (ROOT / place).exists()]

    assert missing == []


def test_every_room_of_the_server_and_the_agent_is_in_the_table():
    named = " ".join(table_places())

    for room in ("obt_site", "agents", "benchmarks", "agent/obt_agent", "agent/simulator", "agent/real_ollama"):
        assert f"{room}/" in named, room


def test_the_pictures_of_the_readme_exist():
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / picture).exists(), picture


def test_the_two_commands_of_the_readme_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()

    for target in ("up", "test", "ollama"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_state_of_a_job_is_in_the_glossary():
    from benchmarks.lifecycle import State

    glossary = (ROOT / "docs/glossary.md").read_text()
    assert [state for state in State if f"`{state.value}`" not in glossary] == []
