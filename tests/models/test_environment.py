"""What children and HTTP clients find in the environment."""

import os
import socket
import subprocess
import threading
from urllib.request import proxy_bypass

import httpx
import pytest

from colorizer.core.errors import UserError
from colorizer.models.commands import git_succeeds
from colorizer.models.environment import bypass_proxies, child_environment, refuse_taken_port


@pytest.fixture
def no_proxies(monkeypatch):
    """No variable of a proxy; those that were there come back, whatever is set meanwhile."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        for spelling in (name, name.upper()):
            monkeypatch.setenv(spelling, "")
            monkeypatch.delenv(spelling)


def test_a_child_is_not_led_away_from_its_folder(monkeypatch):
    names = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], capture_output=True, encoding="utf-8"
    ).stdout.split()
    assert {"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"} <= {*names}
    of_a_hook = ("GIT_AUTHOR_NAME", "GIT_COMMITTER_DATE", "GIT_LITERAL_PATHSPECS", "GIT_NAMESPACE")
    of_the_user = ("GIT_SSH_COMMAND", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_CONFIG_GLOBAL")
    for name in [*names, *of_a_hook, *of_the_user, "PYTHONSAFEPATH"]:
        monkeypatch.setenv(name, "something")
    environment = child_environment()
    assert not {*names, *of_a_hook, "PYTHONSAFEPATH"} & {*environment}
    assert {environment[name] for name in of_the_user} == {"something"}


@pytest.mark.parametrize("hosts", ["*", "one.example, *"])
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_no_proxy_for_any_host_stays(monkeypatch, no_proxies, name, hosts):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv(name, hosts)
    bypass_proxies()
    assert proxy_bypass("example.org")
    assert proxy_bypass("127.0.0.1")


def test_this_machine_is_called_directly_and_what_was_asked_for_still_is(monkeypatch, no_proxies):
    monkeypatch.setenv("no_proxy", "one.example, ::1")
    monkeypatch.setenv("NO_PROXY", "two.example")
    bypass_proxies("10.0.0.7")
    expected = "one.example,::1,two.example,localhost,127.0.0.1,10.0.0.7"
    assert child_environment()["no_proxy"] == child_environment()["NO_PROXY"] == expected


@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "https_proxy"])
@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:1080", "socks4://127.0.0.1:1080", "foo://x", "http://proxy:port"])
def test_a_proxy_that_httpx_does_not_take_ends_nothing(monkeypatch, no_proxies, name, proxy):
    monkeypatch.setenv(name, proxy)
    for _ in range(2):  # `serve`, and the flow run that it starts
        bypass_proxies()
        httpx.Client().close()
    assert child_environment()[name.upper()] == proxy


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize("host", ["::1/128", "[::1]", "host:port", os.fsdecode("bücher.example".encode())])
def test_a_host_that_httpx_does_not_take_ends_nothing(monkeypatch, no_proxies, name, host):
    monkeypatch.setenv(name, f"one.example,{host}")
    for _ in range(2):
        bypass_proxies()
        httpx.Client().close()
    assert child_environment()["no_proxy"] == "one.example,localhost,127.0.0.1,::1"
    assert host in child_environment()["NO_PROXY"].split(",")


def test_proxies_that_httpx_takes_stay(monkeypatch, no_proxies):
    proxies = {"http_proxy": "http://proxy:3128", "https_proxy": "proxy:3128", "ALL_PROXY": "socks5h://me:word@proxy"}
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    bypass_proxies()
    assert {name: child_environment()[name] for name in proxies} == proxies
    assert "all_proxy" not in child_environment()


def test_git_calls_the_proxy_that_httpx_does_not_take(monkeypatch, no_proxies, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        asked = []

        def answer() -> None:
            connection, _ = proxy.accept()
            with connection:
                asked.append(connection.recv(8))

        thread = threading.Thread(target=answer)
        thread.start()
        monkeypatch.setenv("ALL_PROXY", f"socks4://127.0.0.1:{proxy.getsockname()[1]}")
        bypass_proxies()
        assert not git_succeeds(tmp_path, "ls-remote", "http://192.0.2.1/models.git")
        thread.join(timeout=30)
    assert asked == [bytes([4, 1, 0, 80, 192, 0, 2, 1])]


@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1", "another program listens there"), ("192.0.2.1", ".* assign requested address")],
)
def test_a_port_where_no_server_can_listen_is_told_with_the_reason(host, reason):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=rf"^port {port} of {host} is not available \({reason}\): choose another$"):
            refuse_taken_port(host, port, "choose another")
    refuse_taken_port("127.0.0.1", port, "")
