"""Which calls go past the proxies that `http_proxy`, `all_proxy` and the like name."""

import os


def bypass_proxies(*hosts: str) -> None:
    """Let this process and its children call this machine, and `hosts`, directly: adds them to `no_proxy`.

    Call it before the first request: HTTP clients read the variables when they are made.
    """
    # Programs read the one or the other, and the lower one hides the upper one from Python's.
    listed = ",".join(os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    direct = [*filter(None, map(str.strip, listed.split(","))), "localhost", "127.0.0.1", "::1", *hosts]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(dict.fromkeys(direct))
