"""Starts the local AWS that `LOCAL_AWS_BIN` names, and gives tests clients of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

import models

ACCOUNT = "111111111111"
STRANGER = "222222222222"
REGION = "eu-central-1"


@pytest.fixture
def endpoint():
    """A fresh world on a free port of the loopback interface: each test has its own."""
    process = subprocess.Popen([os.environ["LOCAL_AWS_BIN"], "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        ready = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)", process.stdout.readline().strip())
        assert ready, "the local AWS did not say where it listens"
        yield ready.group(1)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def client(endpoint):
    """Makes boto3 clients: an access key of 12 digits is the account itself. Every answer is held against AWS's models."""
    problems = []

    def check(response_dict, operation_model, **_):
        status, headers, body = (response_dict[key] for key in ("status_code", "headers", "body"))
        problems.extend(models.problems_of_answer(operation_model, status, headers, body))

    def make(service, account=ACCOUNT, region=REGION, token=None):
        made = boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="secret",
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        made.meta.events.register("before-parse.*.*", check)
        return made

    yield make
    assert not problems, "\n".join(sorted(set(problems)))


@pytest.fixture
def aws(endpoint):
    """Runs the AWS CLI and gives its JSON output, or what it wrote to stderr where it failed."""
    program = Path(sys.executable).with_name("aws")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_MAX_ATTEMPTS": "1",
    }

    def run(*arguments):
        command = [program, "--endpoint-url", endpoint, "--output", "json", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            return done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


@pytest.fixture
def refused():
    """The code of a boto3 call that must fail."""
    from botocore.exceptions import ClientError

    def code(call, **arguments):
        with pytest.raises(ClientError) as failure:
            call(**arguments)
        return failure.value.response["Error"]["Code"]

    return code
