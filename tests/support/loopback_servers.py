"""Servers on loopback for docs/sharing.md, in one process: S3 with credentials, SFTP with a key, and plain HTTP.

    python -m tests.support.loopback_servers FOLDER

`FOLDER/home` becomes the home of a user who may log in, `FOLDER/srv` is what the SFTP server shows as `/srv`, and
`FOLDER/http` what the HTTP server serves. `FOLDER/addresses.json` is written when all of them listen.
"""

import asyncio
import functools
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil

from tests.support.prefect_server import start_guarded

BUCKET = "photographs"
SSH_HOST = "server.example.org"  # a name of docs/sharing.md, which ~/.ssh/config leads to loopback
_USERS = {"writer": ["s3:*"], "reader": ["s3:Get*", "s3:List*"]}


@dataclass(frozen=True)
class LoopbackServers:
    """Their addresses, and what a client has to know of them."""

    folder: Path
    s3: str
    http: str
    keys: dict[str, dict[str, str]]

    @property
    def home(self) -> str:
        """The home of the user whose key the SSH server takes."""
        return str(self.folder / "home")


@contextmanager
def loopback_servers(folder: Path) -> Iterator[LoopbackServers]:
    """Start the servers in `folder`; they end with the block, and with the tests however these end."""
    for name in ("home/.ssh", "srv", "http"):
        (folder / name).mkdir(parents=True)
    addresses, log = folder / "addresses.json", folder / "log"
    guard = start_guarded([sys.executable, "-m", "tests.support.loopback_servers", str(folder)], log)
    try:
        deadline = time.monotonic() + 60
        while not addresses.exists() and guard.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert addresses.exists(), log.read_text(encoding="utf-8")
        yield LoopbackServers(folder, **json.loads(addresses.read_text(encoding="utf-8")))
    finally:
        for process in psutil.Process(guard.pid).children(recursive=True):
            process.kill()
        guard.wait()


async def serve(folder: Path) -> None:
    told = {"http": _serve_http(folder / "http"), **_serve_s3()}
    ssh = await _serve_ssh(folder)
    partial = folder / "addresses.partial"
    partial.write_text(json.dumps(told), encoding="utf-8")
    partial.rename(folder / "addresses.json")
    await ssh.wait_closed()


def _serve_http(folder: Path) -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(SimpleHTTPRequestHandler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def _serve_s3() -> dict[str, object]:
    """Serve S3 with an empty bucket, to users with credentials alone: one may write, the other may only read."""
    import boto3
    import httpx
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    anybody = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=url, **anybody).create_bucket(Bucket=BUCKET)
    iam = boto3.client("iam", endpoint_url=url, **anybody)
    keys = {}
    for user, actions in _USERS.items():
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.create_user(UserName=user)
        iam.put_user_policy(UserName=user, PolicyName=user, PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=user)["AccessKey"]
        keys[user] = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    httpx.post(f"{url}/moto-api/reset-auth", content="0").raise_for_status()  # from now on it asks for credentials
    return {"s3": url, "keys": keys}


async def _serve_ssh(folder: Path):
    """Serve SFTP below `folder` to the key that ~/.ssh/config names."""
    import asyncssh

    ssh = folder / "home" / ".ssh"
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(ssh / "photographs")
    key.write_public_key(ssh / "photographs.pub")
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        authorized_client_keys=str(ssh / "photographs.pub"),
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder).encode()),
    )
    host = f"Host {SSH_HOST}\n  HostName 127.0.0.1\n  Port {server.get_port()}\n  IdentityFile ~/.ssh/photographs\n"
    (ssh / "config").write_text(host, encoding="utf-8")
    return server


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
