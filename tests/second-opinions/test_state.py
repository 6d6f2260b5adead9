"""State, configuration and roles in moto, functions in ministack: the store's conditional writes by somebody else's S3."""

import hashlib
import json
import subprocess
import sys
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path

import pytest

import archives
from processes import (
    PROGRAMS,
    REGION,
    ReleaseRepository,
    answers,
    client,
    environment,
    free_port,
    ministack,
    run,
    running,
    until,
)

# Moto's own account, in which everybody is who has assumed no role.
HOME, PRODUCTION = "123456789012", "222222222222"
FUNCTION = "ProductionFlightService"
ROLE = f"arn:aws:iam::{PRODUCTION}:role/tidegate-main-production"


class World:
    """Home is an account that only moto has; production is in both, with its functions in ministack."""

    def __init__(self, directory, moto, ministack):
        self.directory, self.moto, self.ministack = directory, moto, ministack
        self.repository = ReleaseRepository(directory)

    def prepare(self, url):
        home = client("s3", self.moto)
        home.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})
        home.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Enabled"})
        functions = {"region": REGION, "allowedFunctions": ["Production*"], "buckets": ["artifacts"]}
        documents = {
            "installation": {"repository": {"url": url}, "state": {"bucket": "state", "prefix": "main"}},
            "environments/production": functions | {"roleArn": ROLE, "externalId": "tidegate-3f1c9a"},
        }
        for name, document in documents.items():
            value = json.dumps({"schemaVersion": 1} | document)
            client("ssm", self.moto).put_parameter(Name=f"/tidegate/main/{name}", Type="String", Value=value)
        trust = {"Principal": {"AWS": f"arn:aws:iam::{HOME}:root"}, "Action": "sts:AssumeRole", "Effect": "Allow"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        self.production("iam").create_role(RoleName="tidegate-main-production", AssumeRolePolicyDocument=policy)
        archives.build(self.directory / "archives")
        s3 = client("s3", self.ministack, PRODUCTION)
        s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket="artifacts", VersioningConfiguration={"Status": "Enabled"})
        self.functions = client("lambda", self.ministack, PRODUCTION)
        archive = self.directory / "archives" / f"flight-service-{archives.ARCHITECTURE}.zip"
        self.functions.create_function(
            FunctionName=FUNCTION,
            Runtime="provided.al2023",
            Handler="bootstrap",
            Role=f"arn:aws:iam::{PRODUCTION}:role/service",
            Code={"ZipFile": archive.read_bytes()},
            Publish=True,
        )
        self.functions.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="1")

    def production(self, service):
        """In moto, only who has assumed a role is in another account."""
        assumed = client("sts", self.moto).assume_role(RoleArn=ROLE, RoleSessionName="tests")["Credentials"]
        return client(service, self.moto, assumed["AccessKeyId"], assumed["SessionToken"])

    def merge(self, name):
        archive = archives.release(self.directory / "archives", "flight-service", name).read_bytes()
        s3 = client("s3", self.ministack, PRODUCTION)
        put = s3.put_object(Bucket="artifacts", Key="flight-service.zip", Body=archive)
        service = {
            "functionName": FUNCTION,
            "s3Bucket": "artifacts",
            "s3Key": "flight-service.zip",
            "s3ObjectVersion": put["VersionId"],
            # Given, as the archive is in the other look-alike's S3.
            "codeSha256": b64encode(hashlib.sha256(archive).digest()).decode(),
        }
        files = {
            "release-config.yaml": json.dumps({"environments": {"production": {}}}),
            "environments/production/services.yaml": json.dumps({"services": {"flight-service": service}}),
        }
        self.repository.merge(files, f"Release {name}")

    def settings(self):
        elsewhere = {f"AWS_ENDPOINT_URL_{service}": self.ministack for service in ("LAMBDA", "CLOUDWATCH")}
        return {"endpoint": self.moto, "account": HOME} | elsewhere

    def tidegate(self, *arguments, expect=0):
        return run([PROGRAMS / "tidegate", "--direct", *arguments], None, expect, **self.settings())

    def start(self, *arguments):
        return subprocess.Popen(
            [PROGRAMS / "tidegate", "--direct", *arguments],
            env=environment(**self.settings()),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def live(self):
        return self.functions.get_alias(FunctionName=FUNCTION, Name="live")["FunctionVersion"]

    def release(self, name, version):
        self.merge(name)

        def synced():
            self.tidegate("sync", "production")
            return self.live() == version

        until(f"release {name}", 60, synced)

    def document(self, name):
        return json.loads(client("s3", self.moto).get_object(Bucket="state", Key=f"main/{name}")["Body"].read())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    directory = tmp_path_factory.mktemp("state")
    programs = Path(sys.executable).parent
    moto, functions = free_port(), free_port()
    with ExitStack() as started:
        server = [programs / "moto_server", "--host", "127.0.0.1", "--port", str(moto)]
        started.enter_context(running(server, directory / "moto.log"))
        started.enter_context(ministack(functions, PRODUCTION, directory / "ministack.log"))
        until("moto and ministack", 60, lambda: answers(moto) and answers(functions))
        made = World(directory, f"http://127.0.0.1:{moto}", f"http://127.0.0.1:{functions}")
        made.prepare(started.enter_context(made.repository.serving(directory / "git-server.log")))
        yield made


def test_a_release_is_recorded_by_conditional_writes_alone(world):
    world.release("one", "2")
    world.release("two", "3")

    assert world.document("history/production/flight-service/head.json")["schemaVersion"] == 1
    world.tidegate("history", "verify", "production/flight-service")
    world.tidegate("status", "production")
    lines = [line for line in (world.directory / "moto.log").read_text().splitlines() if '"PUT /state/main/' in line]
    assert lines and all('" 200 ' in line for line in lines), "somebody wrote over something, or was refused for nothing"


def test_the_registry_is_in_the_environments_own_account(world):
    name = "/services/production/flight-service"
    found = world.production("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    assert json.loads(found)["version"] == "3"
    at_home = client("ssm", world.moto)
    with pytest.raises(at_home.exceptions.ParameterNotFound):
        at_home.get_parameter(Name=name)


def test_ticks_that_start_at_once_have_the_lease_one_after_the_other(world):
    world.merge("three")
    before = world.document("lease/production.json")["epoch"]
    ticks = [world.start("sync", "production") for _ in range(4)]
    outcomes = [(tick.communicate(timeout=120)[0], tick.returncode) for tick in ticks]
    assert {code for _, code in outcomes} <= {0, 4}, outcomes
    at_work = sum(code == 0 for _, code in outcomes)
    assert at_work > 0 and world.document("lease/production.json")["epoch"] == before + at_work, outcomes
    until("the release", 60, lambda: world.tidegate("sync", "production") and world.live() == "4")
    world.tidegate("history", "verify", "production/flight-service")


def test_a_rollback_is_recorded_once(world):
    world.tidegate("rollback", "production/flight-service", "--reason", "5xx after 14:02")
    assert world.live() == "3"
    records = json.loads(world.tidegate("history", "production/flight-service", "--output", "json"))
    assert [record["kind"] for record in records] == ["rolledBack", *["promoted"] * 3, "adopted"]
    world.tidegate("history", "verify", "production/flight-service")
