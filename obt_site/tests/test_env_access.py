"""obt_site/env.py: the variables about who gets in, and the sentence for each value that cannot be used."""

import pytest

from obt_site import env


def read(tmp_path, **given):
    return env.read(given, tmp_path)


def test_nothing_given_lets_no_stranger_in_and_believes_no_proxy(tmp_path):
    found = read(tmp_path)

    assert (found.public_read, found.trusted_proxy, found.proxy_user_header) == (False, (), None)


def test_every_value_is_read(tmp_path):
    found = read(
        tmp_path,
        OBT_PUBLIC_READ="1",
        OBT_TRUSTED_PROXY="10.0.0.5, 10.1.2.3/16,fd00::1",
        OBT_PROXY_USER_HEADER="Remote-User",
    )

    assert found.public_read is True
    assert found.trusted_proxy == ("10.0.0.5/32", "10.1.0.0/16", "fd00::1/128")
    assert found.proxy_user_header == "Remote-User"


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("OBT_PUBLIC_READ", "perhaps", "true or false"),
        ("OBT_TRUSTED_PROXY", "proxy.example", "addresses or networks"),
        ("OBT_TRUSTED_PROXY", "10.0.0.5:80", "addresses or networks"),
        ("OBT_TRUSTED_PROXY", "0.0.0.0/0", "addresses or networks"),
        ("OBT_TRUSTED_PROXY", "::/0", "addresses or networks"),
        ("OBT_PROXY_USER_HEADER", "Remote_User", "Remote-User"),
        ("OBT_PROXY_USER_HEADER", "Remote User", "Remote-User"),
        ("OBT_PROXY_USER_HEADER", "Cookie", "of the proxy's own"),
    ],
)
def test_a_bad_value_gets_one_sentence_with_its_name_and_what_is_allowed(tmp_path, name, value, hint):
    given = {"OBT_TRUSTED_PROXY": "10.0.0.5", name: value}

    with pytest.raises(env.BadEnvironment) as caught:
        read(tmp_path, **given)

    assert str(caught.value).startswith(name)
    assert hint in str(caught.value)


def test_a_header_that_names_people_needs_a_proxy_to_believe(tmp_path):
    with pytest.raises(env.BadEnvironment, match="OBT_TRUSTED_PROXY"):
        read(tmp_path, OBT_PROXY_USER_HEADER="Remote-User")
