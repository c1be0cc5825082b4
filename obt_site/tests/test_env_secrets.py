"""Secrets from files: each `*_FILE` variable, what is refused, and that no text of ours repeats one."""

import pytest

from obt_site import env

VALUES = {
    "OBT_MONGODB_URI": "mongodb://ada:hunter2@db.example/obt",
    "OBT_REDIS_URL": "redis://:hunter2@cache.example:6379/0",
    "DATABASE_URL": "postgres://ada:hunter2@sql.example/obt",
    "OBT_SECRET_KEY": "hunter2" * 8,
    "OBT_ADMIN_PASSWORD": "hunter2-hunter2",
}
BESIDE = {"OBT_ADMIN_PASSWORD": {"OBT_ADMIN_USERNAME": "ada"}}


def test_every_secret_has_a_file_variable():
    assert set(VALUES) == set(env.SECRETS)
    assert {f"{name}_FILE" for name in env.SECRETS} <= {each.name for each in env.VARIABLES}


@pytest.mark.parametrize("name", VALUES)
def test_a_secret_is_read_from_its_file_without_the_line_break_at_its_end(tmp_path, name):
    (tmp_path / "secret").write_text(VALUES[name] + "\n", encoding="utf-8")

    by_file = env.read({f"{name}_FILE": str(tmp_path / "secret"), **BESIDE.get(name, {})}, tmp_path)

    assert by_file == env.read({name: VALUES[name], **BESIDE.get(name, {})}, tmp_path)


def test_a_relative_file_starts_at_the_project_root(tmp_path):
    (tmp_path / "key").write_text("k" * 50, encoding="utf-8")

    assert env.read({"OBT_SECRET_KEY_FILE": "key"}, tmp_path).secret_key == "k" * 50


def refusal(tmp_path, **given):
    with pytest.raises(env.BadEnvironment) as caught:
        env.read(given, tmp_path)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", VALUES)
def test_value_and_file_together_are_refused(tmp_path, name):
    (tmp_path / "secret").write_text(VALUES[name], encoding="utf-8")
    both = {name: VALUES[name], f"{name}_FILE": str(tmp_path / "secret")}

    assert refusal(tmp_path, **both).startswith(f"{name} and {name}_FILE are both set")


@pytest.mark.parametrize(
    ("content", "hint"),
    [(None, "cannot be read"), (b"", "empty"), (b" \n", "empty"), (b"hunter2\nmore", "one line"), (b"\xff", "no text")],
)
def test_a_file_that_holds_no_secret_is_named(tmp_path, content, hint):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)

    said = refusal(tmp_path, OBT_SECRET_KEY_FILE=str(path))

    assert hint in said
    assert str(path) in said


def test_a_bad_uri_in_a_file_is_refused_like_any_other_and_not_repeated(tmp_path):
    (tmp_path / "uri").write_text("ada:hunter2@db.example", encoding="utf-8")

    assert "mongodb://" in refusal(tmp_path, OBT_MONGODB_URI_FILE=str(tmp_path / "uri"))


def test_what_was_read_shows_no_secret_when_it_is_printed(tmp_path):
    assert "hunter2" not in repr(env.read({**VALUES, "OBT_ADMIN_USERNAME": "ada"}, tmp_path))


def test_a_command_that_can_store_nothing_makes_no_data_folder(tmp_path):
    given = env.read({}, tmp_path)

    assert len(env.secret_key(given)) >= 50
    assert env.secret_key(given) != env.secret_key(given)
    assert not given.data_dir.exists()


def test_with_a_database_elsewhere_the_key_is_kept(tmp_path):
    given = env.read({"OBT_MONGODB_URI": VALUES["OBT_MONGODB_URI"]}, tmp_path)

    assert env.secret_key(given) == env.secret_key(given)
