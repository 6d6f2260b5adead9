"""Starts look-alikes of AWS, a Git server and this project's programs, on loopback, away from any real account."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
from botocore.config import Config

ACCOUNT = "111111111111"
REGION = "eu-central-1"
ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ["PROGRAMS"])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(endpoint=None, account=ACCOUNT, **more):
    """What a program gets: nothing of whoever runs the tests but the search path."""
    given = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["SCRATCH"],
        "TMPDIR": os.environ["SCRATCH"],
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "NO_COLOR": "1",
    }
    if endpoint is not None:
        given["AWS_ENDPOINT_URL"] = endpoint
    return given | more


@contextlib.contextmanager
def running(command, log, **variables):
    """A program for as long as the block lasts; what it prints is in `log`."""
    with open(log, "w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment(**variables))
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(what, seconds, look):
    """What `look` gives as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.5)
    return found


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def client(service, endpoint, account=ACCOUNT, token=None):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=account,
        aws_secret_access_key="secret",
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def run(command, directory=None, expect=0, **variables):
    """A program's standard output; it has to exit as expected."""
    done = subprocess.run(
        command, cwd=directory, env=environment(**variables), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == expect, f"{command} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def ministack(port, account, log):
    """Ministack on loopback alone: by default it listens everywhere, and for MQTT and SFTP as well."""
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": account,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    program = Path(sys.executable).with_name("ministack")
    return running([program], log, endpoint=f"http://127.0.0.1:{port}", **settings)


class ReleaseRepository:
    """A bare repository behind `git-server`, and a clone to push from."""

    def __init__(self, directory):
        self.served = directory / "served"
        self.clone = directory / "clone"
        bare = self.served / "releases.git"
        run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)])
        run(["git", "clone", "--quiet", str(bare), str(self.clone)])

    @contextlib.contextmanager
    def serving(self, log):
        with running([PROGRAMS / "git-server", "--root", self.served, "--port", "0"], log):
            ready = until("the Git server", 30, lambda: log.read_text().strip())
            yield ready.removeprefix("listening on ") + "/releases.git"

    def merge(self, files, message):
        for name, text in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        identity = ["-c", "user.name=Ann", "-c", "user.email=ann@acme.example"]
        run(["git", "add", "--all"], self.clone)
        run(["git", *identity, "commit", "--quiet", "--message", message], self.clone)
        run(["git", "push", "--quiet", "origin", "HEAD:main"], self.clone)
        return run(["git", "rev-parse", "HEAD"], self.clone).strip()
