"""The CDK app deployed for real into ministack: each test goes on where the one before ended, up to `cdk destroy`."""

import json

import pytest

import archives
from processes import ACCOUNT, PROGRAMS, REGION, ROOT, ReleaseRepository, answers, client, free_port, ministack, run, until

FUNCTION = "StagingFlightService"
CONTROLLER = "tidegate-main"


class Installation:
    def __init__(self, endpoint, repository, url, directory):
        self.endpoint = endpoint
        self.repository = repository
        self.archives = directory / "archives"
        self.output = directory / "cdk.out"
        self.url = url

    def client(self, service):
        return client(service, self.endpoint)

    def cdk(self, *arguments, app=None):
        """Of the app itself, or of what it has written before."""
        source = ["--output", str(self.output)] if app is None else ["--app", str(app)]
        return run(
            ["npx", "--no-install", "cdk", *arguments, *source],
            ROOT / "infra",
            endpoint=self.endpoint,
            TIDEGATE_CDK_CONFIG="test/ministack.config.ts",
            ARCHIVES=str(self.archives),
            RELEASE_REPOSITORY=self.url,
            CI="true",
        )

    def tidegate(self, *arguments, installation="main", expect=0):
        return run([PROGRAMS / "tidegate", "--installation", installation, *arguments], None, expect, endpoint=self.endpoint)

    def output_of(self, stack, beginning):
        (found,) = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return next(output["OutputValue"] for output in found["Outputs"] if output["OutputKey"].startswith(beginning))

    def artifacts(self):
        return self.output_of("tidegate-main-sample-services", "ServicesArtifactsBucket")

    def release(self, name):
        """Uploads an archive, and merges it; gives the version that S3 has of it."""
        bucket = self.artifacts()
        archive = archives.release(self.archives, "flight-service", name)
        put = self.client("s3").put_object(Bucket=bucket, Key="flight-service.zip", Body=archive.read_bytes())
        services = {
            "services": {
                "flight-service": {
                    "functionName": FUNCTION,
                    "s3Bucket": bucket,
                    "s3Key": "flight-service.zip",
                    "s3ObjectVersion": put["VersionId"],
                }
            }
        }
        files = {
            "release-config.yaml": json.dumps({"environments": {"staging": {}}}),
            "environments/staging/services.yaml": json.dumps(services),
        }
        self.repository.merge(files, f"Release {name}")
        return put["VersionId"]

    def live(self):
        """The version that clients get."""
        return self.client("lambda").get_alias(FunctionName=FUNCTION, Name="live")["FunctionVersion"]

    def code_of(self, qualifier):
        return self.client("lambda").get_function_configuration(FunctionName=FUNCTION, Qualifier=qualifier)["CodeSha256"]

    def ask(self):
        answer = self.client("lambda").invoke(FunctionName=FUNCTION, Qualifier="live", Payload=b'{"flight":"TG123"}')
        return json.loads(answer["Payload"].read())

    def keys(self):
        """Those that cost money: not the ones that AWS makes for itself, nor those on their way out."""
        kms = self.client("kms")
        every = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
        return [key for key in every if key["KeyManager"] == "CUSTOMER" and key["KeyState"] == "Enabled"]

    def there(self):
        """All that this app can have made, by service."""
        c = self.client
        return {
            *(f"cloudformation {stack['StackName']}" for stack in c("cloudformation").describe_stacks()["Stacks"]),
            *(f"lambda {function['FunctionName']}" for function in c("lambda").list_functions()["Functions"]),
            *(f"sources {source['UUID']}" for source in c("lambda").list_event_source_mappings()["EventSourceMappings"]),
            *(f"scheduler {schedule['Name']}" for schedule in c("scheduler").list_schedules()["Schedules"]),
            *(f"groups {group['Name']}" for group in c("scheduler").list_schedule_groups()["ScheduleGroups"]),
            *(f"ssm {parameter['Name']}" for parameter in c("ssm").describe_parameters()["Parameters"]),
            *(f"logs {group['logGroupName']}" for group in c("logs").describe_log_groups()["logGroups"]),
            *(f"role {role['RoleName']}" for role in c("iam").list_roles()["Roles"]),
            *(f"policy {policy['PolicyName']}" for policy in c("iam").list_policies(Scope="Local")["Policies"]),
            *(f"sqs {url}" for url in c("sqs").list_queues().get("QueueUrls", [])),
            *(f"sns {topic['TopicArn']}" for topic in c("sns").list_topics()["Topics"]),
            *(f"rule {rule['Name']}" for rule in c("events").list_rules()["Rules"]),
            *(f"alarm {alarm['AlarmName']}" for alarm in c("cloudwatch").describe_alarms()["MetricAlarms"]),
            *(f"dashboard {board['DashboardName']}" for board in c("cloudwatch").list_dashboards()["DashboardEntries"]),
            *(f"s3 {bucket['Name']}" for bucket in c("s3").list_buckets()["Buckets"]),
            *(f"key {key['Description']}" for key in self.keys()),
        }


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    directory = tmp_path_factory.mktemp("deployment")
    archives.build(directory / "archives")
    repository = ReleaseRepository(directory)
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with repository.serving(directory / "git-server.log") as url:
        with ministack(port, ACCOUNT, directory / "ministack.log"):
            until("ministack", 60, lambda: answers(port))
            made = Installation(endpoint, repository, url, directory)
            made.cdk("synth", "--quiet")
            made.cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}", app=made.output)
            before = made.there()
            made.cdk("deploy", "--all", "--require-approval", "never", app=made.output)
            made.before = before
            yield made


def test_the_schedule_makes_a_merge_the_live_version(installation):
    assert installation.live() == "1"
    object_version = installation.release("one")

    # Two ticks of a minute: one publishes the version, and the next finds it ready and moves the alias.
    until("the schedule to release it", 180, lambda: installation.live() == "2")

    assert installation.code_of("2") == installation.code_of("$LATEST") != installation.code_of("1")
    assert installation.ask()["statusCode"] == 200
    registry = installation.client("ssm").get_parameter(Name="/services/staging/flight-service")["Parameter"]["Value"]
    assert json.loads(registry)["version"] == "2"
    last, *_ = json.loads(installation.tidegate("history", "staging/flight-service", "--output", "json"))
    assert object_version in json.dumps(last)
    assert installation.tidegate("status", "staging").startswith("staging  Synced  Healthy\n")


def test_metrics_of_the_ticks_are_published(installation):
    metrics = installation.client("cloudwatch").list_metrics(Namespace="Tidegate")["Metrics"]
    names = {metric["MetricName"] for metric in metrics}
    assert {"ManagedServices", "SyncDuration", "SecondsSinceLastSuccessfulSync"} <= names


def test_a_person_rolls_back_through_the_on_call_function(installation):
    installation.release("two")

    def synced():
        installation.tidegate("sync", "staging")
        return installation.live() == "3"

    until("the release", 60, synced)

    reason = ("--reason", "5xx after 14:02")
    installation.tidegate("rollback", "staging/flight-service", *reason, installation="main-on-call")

    assert installation.live() == "2"
    installation.tidegate("sync", "staging")
    assert installation.live() == "2", "what was turned back is held out"
    last, *_ = json.loads(installation.tidegate("history", "staging/flight-service", "--output", "json"))
    assert "5xx after 14:02" in json.dumps(last)


def test_the_on_call_function_takes_nothing_else(installation):
    event = {"command": "sync", "environment": "staging"}
    invoked = installation.client("lambda").invoke(FunctionName=f"{CONTROLLER}-on-call", Payload=json.dumps(event))
    assert "sync" in invoked["Payload"].read().decode()


def test_what_was_deployed_is_what_the_app_says(installation):
    installation.cdk("diff", "--fail")


def test_nothing_stays_but_what_must_be_kept(installation):
    state = installation.output_of("tidegate-main", "TidegateStateBucketName")
    artifacts = installation.artifacts()

    installation.cdk("destroy", "--all", "--force", app=installation.output)

    kept = {f"s3 {state}", f"s3 {artifacts}", "key State and credential of Tidegate's installation main"}
    assert installation.there() - installation.before == kept
    records = installation.client("s3").list_objects_v2(Bucket=state, Prefix="history/staging/flight-service/")
    assert records["KeyCount"] == 5, "four records, and their head"
