"""obt_site/env.py: what can be told from outside, and the sentence for each value that cannot be used."""

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from obt_site import env


def read(tmp_path: Path, **given: str) -> env.Environment:
    return env.read(given, tmp_path)


def refusal(tmp_path: Path, **given: str) -> str:
    with pytest.raises(env.BadEnvironment) as caught:
        read(tmp_path, **given)
    return str(caught.value)


def test_nothing_given_means_loopback_and_the_documented_defaults(tmp_path):
    found = read(tmp_path)
    assert (found.host, found.port, found.data_dir) == ("127.0.0.1", 8881, tmp_path / "var")
    assert found.ollama_url == "http://127.0.0.1:11434"
    assert (found.mongodb_uri, found.redis_url, found.database_url, found.secret_key) == (None, None, None, None)
    assert (found.debug, found.allowed_hosts, found.log_level, found.log_format) == (False, (), "INFO", "text")


def test_every_value_is_read(tmp_path):
    found = read(
        tmp_path,
        OBT_HOST="0.0.0.0",
        OBT_PORT="9000",
        OBT_DATA_DIR="/srv/obt",
        OBT_MONGODB_URI="mongodb+srv://u:p@db.example/obt",
        OBT_REDIS_URL="redis://cache:6379/1",
        DATABASE_URL="postgres://u:p@sql/obt",
        OBT_SECRET_KEY="k" * 50,
        OBT_DEBUG="Yes",
        OBT_ALLOWED_HOSTS="bench.example, 10.0.0.5,",
        OBT_TLS_CERT="/srv/tls/cert.pem",
        OBT_TLS_KEY="/srv/tls/key.pem",
        OBT_CORS_ORIGINS="https://dash.example:443, http://127.0.0.1:3000/",
        OBT_ADMIN_USERNAME="ada",
        OBT_ADMIN_PASSWORD="lovelace-1843",
        OBT_OLLAMA_URL="https://gpu.example:11434/",
        OBT_LOG_LEVEL="debug",
        OBT_LOG_FORMAT="JSON",
    )
    assert found == env.Environment(
        host="0.0.0.0",
        port=9000,
        data_dir=Path("/srv/obt"),
        mongodb_uri="mongodb+srv://u:p@db.example/obt",
        redis_url="redis://cache:6379/1",
        database_url="postgres://u:p@sql/obt",
        secret_key="k" * 50,
        debug=True,
        allowed_hosts=("bench.example", "10.0.0.5"),
        tls_cert=Path("/srv/tls/cert.pem"),
        tls_key=Path("/srv/tls/key.pem"),
        cors_origins=("https://dash.example", "http://127.0.0.1:3000"),
        admin_username="ada",
        admin_password="lovelace-1843",
        ollama_url="https://gpu.example:11434",
        log_level="DEBUG",
        log_format="json",
    )


BAD = [
    ("OBT_PORT", "eighty", "1 to 65535"),
    ("OBT_PORT", "0", "1 to 65535"),
    ("OBT_PORT", "70000", "1 to 65535"),
    ("OBT_PORT", "٨٨", "1 to 65535"),
    ("OBT_HOST", "http://127.0.0.1", "address or a host name"),
    ("OBT_HOST", "127.0.0.1:80", "address or a host name"),
    ("OBT_DEBUG", "maybe", "true or false"),
    ("OBT_LOG_LEVEL", "LOUD", "DEBUG, INFO"),
    ("OBT_LOG_FORMAT", "xml", "text, json"),
    ("OBT_OLLAMA_URL", "127.0.0.1:11434", "http://"),
    ("OBT_OLLAMA_URL", "http://", "host"),
    ("OBT_OLLAMA_URL", "http://host:99999", "port"),
    ("OBT_MONGODB_URI", "localhost:27017", "mongodb://"),
    ("OBT_MONGODB_URI", "mongodb://", "mongodb://"),
    ("OBT_REDIS_URL", "http://cache", "redis://"),
    ("DATABASE_URL", "obt.sqlite3", "sqlite://"),
    ("DATABASE_URL", "foo://x", "postgres://"),
    ("OBT_ALLOWED_HOSTS", "*", "any page on the web"),
    ("OBT_ALLOWED_HOSTS", "http://bench.example", "without http://"),
    ("OBT_ALLOWED_HOSTS", "bench.example:8881", "and port"),
    ("OBT_ALLOWED_HOSTS", "bench.example other.example", "with commas"),
    ("OBT_ALLOWED_HOSTS", "10.0.0.256", "such as bench.example"),
    ("OBT_ALLOWED_HOSTS", "::1", "such as bench.example"),
    ("OBT_ALLOWED_HOSTS", "a..b", "such as bench.example"),
    ("OBT_CORS_ORIGINS", "*", "https://dash.example:3000"),
    ("OBT_CORS_ORIGINS", "null", "https://dash.example:3000"),
    ("OBT_CORS_ORIGINS", "dash.example", "https://dash.example:3000"),
    ("OBT_CORS_ORIGINS", "https://*.example", "https://dash.example:3000"),
    ("OBT_CORS_ORIGINS", "https://dash.example/page", "https://dash.example:3000"),
    ("OBT_CORS_ORIGINS", "https://dash.example:99999", "https://dash.example:3000"),
    ("OBT_CORS_ORIGINS", "https://ada@dash.example", "more than scheme"),
]


@pytest.mark.parametrize(("name", "value", "hint"), BAD)
def test_a_bad_value_gets_one_sentence_with_its_name_and_what_is_allowed(tmp_path, name, value, hint):
    sentence = refusal(tmp_path, **{name: value})
    assert sentence.startswith(name)
    assert hint in sentence
    assert "\n" not in sentence


def test_a_refused_uri_is_not_repeated_because_it_can_hold_a_password(tmp_path):
    for name in ("OBT_MONGODB_URI", "OBT_REDIS_URL", "DATABASE_URL", "OBT_OLLAMA_URL"):
        assert "hunter2" not in refusal(tmp_path, **{name: "user:hunter2@host"})


def test_administrator_name_and_password_go_together(tmp_path):
    assert "both or neither" in refusal(tmp_path, OBT_ADMIN_USERNAME="ada")
    assert "both or neither" in refusal(tmp_path, OBT_ADMIN_PASSWORD="x")


def test_an_empty_variable_means_its_default(tmp_path):
    assert read(tmp_path, OBT_PORT="", OBT_MONGODB_URI="  ") == read(tmp_path)


def test_the_file_is_read_and_the_real_environment_wins(tmp_path):
    (tmp_path / ".env").write_text("OBT_PORT=9001\nOBT_LOG_LEVEL=ERROR\n", encoding="utf-8")
    found = read(tmp_path, OBT_PORT="9002")
    assert (found.port, found.log_level) == (9002, "ERROR")


def test_the_file_takes_comments_quotes_and_export(tmp_path):
    path = tmp_path / ".env"
    path.write_text("\ufeff# a comment\n\nexport A=1 # one\nB = 'two # 2'\nC=\"x=y\"\nD=p#q\nE=\n", encoding="utf-8")
    assert env.parse_file(path) == {"A": "1", "B": "two # 2", "C": "x=y", "D": "p#q", "E": ""}


def test_a_line_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / ".env").write_text("OBT_PORT=9001\njust words\n", encoding="utf-8")
    assert ".env, line 2" in refusal(tmp_path)


def test_a_relative_data_folder_starts_at_the_project_root_wherever_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert read(tmp_path, OBT_DATA_DIR="data").data_dir == tmp_path / "data"


def test_host_names_addresses_and_whole_domains_are_taken(tmp_path):
    given = "bench.example,.lab.example,10.0.0.5,[::1],localhost,XN--BCHER-KVA.example"
    assert ",".join(read(tmp_path, OBT_ALLOWED_HOSTS=given).allowed_hosts) == given


def test_a_server_with_a_certificate_is_reached_by_https(tmp_path):
    assert read(tmp_path, OBT_TLS_CERT="c", OBT_TLS_KEY="k").local_url == "https://127.0.0.1:8881"


@pytest.mark.parametrize(
    ("host", "is_loopback", "url"),
    [
        ("127.0.0.1", True, "http://127.0.0.1:8881"),
        ("localhost", True, "http://localhost:8881"),
        ("::1", True, "http://[::1]:8881"),
        ("[::1]", True, "http://[::1]:8881"),
        ("0.0.0.0", False, "http://127.0.0.1:8881"),
        ("::", False, "http://[::1]:8881"),
        ("10.1.2.3", False, "http://10.1.2.3:8881"),
        ("bench.example", False, "http://bench.example:8881"),
    ],
)
def test_it_knows_who_can_reach_an_address_and_how_this_machine_does(tmp_path, host, is_loopback, url):
    found = read(tmp_path, OBT_HOST=host)
    assert (found.is_loopback, found.local_url) == (is_loopback, url)


def test_the_example_file_names_every_variable_with_its_default_and_a_line_about_it():
    text = (env.ROOT / ".env.example").read_text(encoding="utf-8")
    found = re.findall(r"^# (.+)\n#([A-Z_]+)=(.*)$", text, flags=re.MULTILINE)
    assert found == [(each.description, each.name, each.default) for each in env.VARIABLES]


def test_the_example_file_with_its_marks_removed_is_a_valid_one(tmp_path):
    text = (env.ROOT / ".env.example").read_text(encoding="utf-8")
    (tmp_path / ".env").write_text(re.sub(r"^#([A-Z_]+=)", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    assert read(tmp_path) == env.read({}, tmp_path / "no-file-here").__class__(
        **{**read(tmp_path / "no-file-here").__dict__, "data_dir": tmp_path / "var"}
    )


# --- the secret key --------------------------------------------------------------------------------------------------


def test_a_given_secret_key_is_used_and_nothing_is_written(tmp_path):
    assert env.secret_key(read(tmp_path, OBT_SECRET_KEY="given")) == "given"
    assert not (tmp_path / "var").exists()


def test_a_secret_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    (tmp_path / "var").mkdir()
    key = env.secret_key(read(tmp_path))
    assert len(key) >= 50
    assert env.secret_key(read(tmp_path)) == key
    assert stat.S_IMODE((tmp_path / "var" / "secret_key").stat().st_mode) == 0o600
    assert [each.name for each in (tmp_path / "var").iterdir()] == ["secret_key"]


def test_processes_that_start_at_once_agree_on_the_secret_key(tmp_path):
    (tmp_path / "var").mkdir()
    code = f"import sys; sys.path.insert(0, {str(env.ROOT)!r}); from obt_site import env; from pathlib import Path;"
    code += "sys.stdin.readline();"  # all wait at the same line
    code += f"print(env.secret_key(env.read({{}}, Path({str(tmp_path)!r}))))"
    command = [sys.executable, "-I", "-S", "-c", code]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(6)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    keys = {process.communicate(timeout=30)[0] for process in processes}
    assert len(keys) == 1
    assert len(keys.pop().strip()) >= 50


def test_an_empty_key_file_is_refused_rather_than_used(tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "secret_key").touch()
    with pytest.raises(env.BadEnvironment, match="is empty"):
        env.secret_key(read(tmp_path))


def test_a_key_that_cannot_be_kept_is_said_in_a_sentence(tmp_path):
    (tmp_path / "var").write_text("a file in the folder's place", encoding="utf-8")
    with pytest.raises(env.BadEnvironment, match="OBT_SECRET_KEY"):
        env.secret_key(read(tmp_path))
