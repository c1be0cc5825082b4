"""A certificate or key that cannot serve https is refused before anything starts, in a sentence that names the file."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization

from agent.tests.certificates import DAY, Authority, Pair
from obt_site import env
from obt_site.tests.up_process import sentence, starting
from obt_site.up import tls
from obt_site.up.errors import CannotStart


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def environment(tmp_path, pair: Pair, **given: str) -> env.Environment:
    return env.read({"OBT_TLS_CERT": str(pair.cert), "OBT_TLS_KEY": str(pair.key), **given}, tmp_path)


def refusal(tmp_path, pair: Pair) -> str:
    with pytest.raises(CannotStart) as caught:
        tls.check(environment(tmp_path, pair))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_pair_that_is_good_now_passes_and_so_does_none(tmp_path, authority):
    tls.check(environment(tmp_path, authority.pair("bench.example")))
    tls.check(env.read({}, tmp_path))


def test_an_expired_certificate_is_refused_with_the_day(tmp_path, authority):
    said = refusal(tmp_path, authority.pair("bench.example", begins=-3 * DAY, ends=-DAY))

    assert "expired on" in said
    assert "renew" in said


def test_a_certificate_of_tomorrow_is_refused_and_the_clock_asked_about(tmp_path, authority):
    assert "clock" in refusal(tmp_path, authority.pair("bench.example", begins=timedelta(hours=3)))


def test_a_key_of_another_certificate_is_refused(tmp_path, authority):
    mixed = Pair(authority.pair("bench.example").cert, authority.pair("other.example").key)

    assert "is not the key of" in refusal(tmp_path, mixed)


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602])
def test_a_key_that_others_can_read_or_change_is_refused_with_the_way_out(tmp_path, authority, mode):
    pair = authority.pair("bench.example")
    pair.key.chmod(mode)

    assert f"chmod 600 {pair.key}" in refusal(tmp_path, pair)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_key_of_its_owner_and_at_most_read_by_a_group_passes(tmp_path, authority, mode):
    pair = authority.pair("bench.example")
    pair.key.chmod(mode)

    tls.check(environment(tmp_path, pair))


def test_files_that_are_missing_or_hold_something_else_are_named(tmp_path, authority):
    pair, text = authority.pair("bench.example"), tmp_path / "text"
    text.write_text("words")
    text.chmod(0o600)

    assert "nowhere.pem" in refusal(tmp_path, Pair(tmp_path / "nowhere.pem", pair.key))
    assert "nowhere.key" in refusal(tmp_path, Pair(pair.cert, tmp_path / "nowhere.key"))
    assert "no certificate" in refusal(tmp_path, Pair(text, pair.key))
    assert "no private key" in refusal(tmp_path, Pair(pair.cert, text))


def test_a_key_under_a_password_is_refused_because_nobody_is_there_to_type_it(tmp_path, authority):
    pair = authority.pair("bench.example")
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    form, locked = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"hunter2")
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))

    assert "locked by a password" in refusal(tmp_path, pair)


def test_one_of_the_two_variables_is_not_enough(tmp_path, authority):
    for name in ("OBT_TLS_CERT", "OBT_TLS_KEY"):
        with pytest.raises(env.BadEnvironment, match="both or neither"):
            env.read({name: "/some/file"}, tmp_path)


def test_the_endpoint_survives_colons_in_paths_and_addresses_and_carries_the_chain(tmp_path, authority):
    pair = authority.pair("bench.example", chain=True)
    given = environment(tmp_path, pair, OBT_HOST="::1")

    said = tls.endpoint(given, tmp_path / "a:b")

    assert said.startswith("ssl:8881:interface=\\:\\:1:")
    assert "a\\:b" in said
    assert (tmp_path / "a:b" / tls.CHAIN_FILE).read_text() == authority.cert.read_text()


def test_up_refuses_it_before_it_makes_a_folder(tmp_path, authority):
    pair = authority.pair("bench.example", begins=-3 * DAY, ends=-DAY)
    with starting(tmp_path / "data") as start:
        refused = start(OBT_TLS_CERT=str(pair.cert), OBT_TLS_KEY=str(pair.key))

        assert refused.ends() == 1

    assert "expired on" in sentence(refused.output)
    assert not refused.data_dir.exists()
