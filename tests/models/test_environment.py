"""What children and HTTP clients find in the environment."""

import subprocess
from urllib.request import proxy_bypass

import pytest

from colorizer.models.environment import bypass_proxies, child_environment


def test_a_child_is_not_led_away_from_its_folder(monkeypatch):
    names = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], capture_output=True, encoding="utf-8"
    ).stdout.split()
    assert {"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"} <= {*names}
    for name in [*names, "PYTHONSAFEPATH", "GIT_SSH_COMMAND"]:
        monkeypatch.setenv(name, "something")
    environment = child_environment()
    assert not {*names, "PYTHONSAFEPATH"} & {*environment}
    assert environment["GIT_SSH_COMMAND"] == "something"


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_no_proxy_for_any_host_stays(monkeypatch, name):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv(name, "*")
    bypass_proxies()
    assert proxy_bypass("example.org")
    assert proxy_bypass("127.0.0.1")


def test_this_machine_is_called_directly_and_what_was_asked_for_still_is(monkeypatch):
    monkeypatch.setenv("no_proxy", "one.example, ::1")
    monkeypatch.setenv("NO_PROXY", "two.example")
    bypass_proxies("10.0.0.7")
    expected = "one.example,::1,two.example,localhost,127.0.0.1,10.0.0.7"
    assert child_environment()["no_proxy"] == child_environment()["NO_PROXY"] == expected
