"""Lambda as boto3 and the AWS CLI see it: every answer is validated against AWS's own models."""

import base64
import datetime
import io
import json
import os
import re
import stat
import subprocess
import time
import urllib.error
import urllib.request
import zipfile

import pytest

from conftest import ACCOUNT, REGION, STRANGER

ROLE = f"arn:aws:iam::{ACCOUNT}:role/flights"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"

# A program that speaks the Runtime API with nothing but Python's standard library.
PROGRAM = '''#!/usr/bin/python3
import json, os, sys, time, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/"
while True:
    with urllib.request.urlopen(base + "invocation/next", timeout=None) as answer:
        event, head = json.load(answer), answer.headers
    request = head["Lambda-Runtime-Aws-Request-Id"]
    print("handling", event.get("flight"), flush=True)
    kind, body = "response", {
        "release": os.environ.get("RELEASE"),
        "level": os.environ.get("LOG_LEVEL"),
        "version": os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
        "arn": head["Lambda-Runtime-Invoked-Function-Arn"],
        "left": int(head["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time(),
        "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "key": os.environ["AWS_ACCESS_KEY_ID"],
        "pid": os.getpid(),
    }
    if event.get("crash"):
        sys.exit(3)
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("fail"):
        kind, body = "error", {"errorType": "FlightNotFound", "errorMessage": "no such flight"}
    data = json.dumps(body).encode()
    urllib.request.urlopen(urllib.request.Request(base + f"invocation/{request}/{kind}", data=data, method="POST"))
'''


@pytest.fixture
def endpoint():
    """A world whose minutes are seconds: an image update takes its eight seconds of server time."""
    command = [os.environ["LOCAL_AWS_BIN"], "--port", "0", "--time-scale", "60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        ready = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)", process.stdout.readline().strip())
        assert ready, "the local AWS did not say where it listens"
        yield ready.group(1)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def push(client, program):
    """Pushes an image, a program on disk with its own environment, and gives its URI by digest."""
    ecr = client("ecr")
    ecr.create_repository(repositoryName="company/flights")

    def image(release):
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "annotations": {
                "dev.tidegate.local.program": str(program),
                "dev.tidegate.local.env.RELEASE": release,
            },
        }
        pushed = ecr.put_image(repositoryName="company/flights", imageManifest=json.dumps(manifest), imageTag=release)
        return f"{REGISTRY}/company/flights@{pushed['image']['imageId']['imageDigest']}"

    return image


@pytest.fixture
def flights(client, push):
    """A function on its first image, active, with version 1 behind the alias `live`."""
    functions = client("lambda")
    functions.create_function(
        FunctionName="flights",
        Role=ROLE,
        PackageType="Image",
        Code={"ImageUri": push("v1")},
        Timeout=1,
        Environment={"Variables": {"LOG_LEVEL": "info"}},
        Publish=True,
    )
    wait_for(functions, "1")
    functions.create_alias(FunctionName="flights", Name="live", FunctionVersion="1")
    return functions


def wait_for(functions, qualifier):
    for _ in range(300):
        configuration = functions.get_function(FunctionName="flights", Qualifier=qualifier)["Configuration"]
        if configuration["State"] != "Pending" and configuration["LastUpdateStatus"] != "InProgress":
            return configuration
        time.sleep(0.05)
    raise AssertionError("the function is still pending")


def call(functions, event, qualifier="live"):
    answer = functions.invoke(
        FunctionName="flights", Qualifier=qualifier, Payload=json.dumps(event), LogType="Tail"
    )
    log = base64.b64decode(answer["LogResult"]).decode()
    return answer, json.load(answer["Payload"]), log


def test_an_alias_answers_with_the_version_it_names(flights, endpoint):
    answer, body, log = call(flights, {"flight": "TG1"})
    assert answer["ExecutedVersion"] == "1" and "FunctionError" not in answer
    assert body["release"] == "v1" and body["level"] == "info" and body["version"] == "1"
    assert body["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:flights:live"
    assert 0 < body["left"] <= 1 and body["endpoint"] == endpoint
    assert "START RequestId" in log and "handling TG1" in log and "REPORT RequestId" in log


def test_a_warm_process_takes_the_next_event(flights):
    assert call(flights, {})[1]["pid"] == call(flights, {})[1]["pid"]


def test_a_function_runs_with_its_role(flights, client):
    key = call(flights, {})[1]["key"]
    assert client("sts", account=key).get_caller_identity()["Arn"] == (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/flights/flights"
    )


def test_a_release_by_digest_is_two_mutating_calls(flights, push):
    image = push("v2")
    published = flights.update_function_code(FunctionName="flights", ImageUri=image, Publish=True)
    assert (published["Version"], published["State"]) == ("2", "Pending")
    latest = flights.get_function(FunctionName="flights")
    assert latest["Configuration"]["LastUpdateStatus"] == "InProgress"
    assert latest["Code"]["ResolvedImageUri"] == image
    assert latest["Configuration"]["CodeSha256"] == image.split("sha256:")[1]
    wait_for(flights, "2")
    alias = flights.get_alias(FunctionName="flights", Name="live")
    flights.update_alias(
        FunctionName="flights",
        Name="live",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {}},
        RevisionId=alias["RevisionId"],
    )
    assert call(flights, {})[1]["release"] == "v2"


def test_a_weight_splits_the_traffic(flights, push):
    flights.update_function_code(FunctionName="flights", ImageUri=push("v2"), Publish=True)
    wait_for(flights, "2")
    flights.update_alias(
        FunctionName="flights", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
    )
    answered = [call(flights, {})[0]["ExecutedVersion"] for _ in range(40)]
    assert 5 < answered.count("2") < 35


def test_errors_of_the_function_are_told_apart(flights, client):
    answer, body, _ = call(flights, {"fail": True})
    assert answer["FunctionError"] == "Unhandled" and body["errorType"] == "FlightNotFound"
    answer, body, _ = call(flights, {"crash": True})
    assert answer["FunctionError"] == "Unhandled" and body["errorType"] == "Runtime.ExitError"
    answer, body, log = call(flights, {"sleep": 5})
    assert answer["FunctionError"] == "Unhandled" and "Task timed out after 1.00 seconds" in body["errorMessage"]
    assert "Task timed out" in log
    metrics = client("cloudwatch").list_metrics(Namespace="AWS/Lambda", MetricName="Errors")["Metrics"]
    dimensions = [{d["Name"]: d["Value"] for d in metric["Dimensions"]} for metric in metrics]
    assert {"FunctionName": "flights", "Resource": "flights:live", "ExecutedVersion": "1"} in dimensions


def test_preconditions_and_conflicts_have_their_codes(flights, push, refused):
    assert refused(flights.update_alias, FunctionName="flights", Name="live", RevisionId="x") == (
        "PreconditionFailedException"
    )
    flights.update_function_code(FunctionName="flights", ImageUri=push("v2"))
    assert refused(flights.publish_version, FunctionName="flights") == "ResourceConflictException"
    assert refused(flights.delete_function, FunctionName="flights", Qualifier="1") == "ResourceConflictException"
    weights = {"AdditionalVersionWeights": {"2": 1.5}}
    assert refused(flights.update_alias, FunctionName="flights", Name="live", RoutingConfig=weights) == (
        "ValidationException"
    )
    missing = f"{REGISTRY}/company/flights:none"
    assert refused(flights.get_function, FunctionName="others") == "ResourceNotFoundException"
    wait_for(flights, "$LATEST")
    assert refused(flights.update_function_code, FunctionName="flights", ImageUri=missing) == (
        "InvalidParameterValueException"
    )


def test_another_account_sees_nothing(flights, client, refused):
    stranger = client("lambda", account=STRANGER)
    assert stranger.list_functions()["Functions"] == []
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:flights"
    assert refused(stranger.get_function, FunctionName=arn) == "AccessDeniedException"


def test_lists_and_the_rest_of_the_operations_fit_the_models(flights):
    assert "State" not in flights.list_functions()["Functions"][0]
    assert len(flights.list_functions(FunctionVersion="ALL")["Functions"]) == 2
    assert [it["Version"] for it in flights.list_versions_by_function(FunctionName="flights")["Versions"]] == [
        "$LATEST",
        "1",
    ]
    assert flights.list_aliases(FunctionName="flights", FunctionVersion="1")["Aliases"][0]["Name"] == "live"
    flights.put_function_concurrency(FunctionName="flights", ReservedConcurrentExecutions=5)
    assert flights.get_function_concurrency(FunctionName="flights")["ReservedConcurrentExecutions"] == 5
    assert flights.get_function(FunctionName="flights")["Concurrency"]["ReservedConcurrentExecutions"] == 5
    flights.delete_function_concurrency(FunctionName="flights")
    flights.put_function_event_invoke_config(
        FunctionName="flights", Qualifier="live", MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60
    )
    config = flights.get_function_event_invoke_config(FunctionName="flights", Qualifier="live")
    assert config["MaximumRetryAttempts"] == 0
    arn = flights.get_function(FunctionName="flights")["Configuration"]["FunctionArn"]
    flights.tag_resource(Resource=arn, Tags={"team": "flights"})
    assert flights.list_tags(Resource=arn)["Tags"] == {"team": "flights"}
    flights.untag_resource(Resource=arn, TagKeys=["team"])
    assert flights.list_tags(Resource=arn)["Tags"] == {}
    flights.update_function_configuration(FunctionName="flights", MemorySize=512)
    assert wait_for(flights, "$LATEST")["MemorySize"] == 512
    assert flights.invoke(FunctionName="flights", InvocationType="DryRun")["StatusCode"] == 204
    assert flights.invoke(FunctionName="flights", InvocationType="Event", Payload="{}")["StatusCode"] == 202
    flights.delete_alias(FunctionName="flights", Name="live")
    flights.delete_function(FunctionName="flights")
    assert flights.list_functions()["Functions"] == []


def test_a_zip_function_runs_its_bootstrap(client, tmp_path):
    functions = client("lambda")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("bootstrap", PROGRAM)
    created = functions.create_function(
        FunctionName="flights",
        Role=ROLE,
        Runtime="provided.al2023",
        Handler="bootstrap",
        Code={"ZipFile": archive.getvalue()},
    )
    assert len(base64.b64decode(created["CodeSha256"])) == 32
    assert wait_for(functions, "$LATEST")["State"] == "Active"
    assert call(functions, {}, "$LATEST")[1]["version"] == "$LATEST"


def test_the_command_line_shows_an_alias(flights, aws):
    assert aws("lambda", "get-alias", "--function-name", "flights", "--name", "live")["FunctionVersion"] == "1"
    updated = aws(
        "lambda", "update-alias", "--function-name", "flights", "--name", "live", "--description", "by hand"
    )
    assert updated["Description"] == "by hand"
    assert "ResourceNotFoundException" in aws("lambda", "get-alias", "--function-name", "flights", "--name", "none")


def test_what_is_not_served_says_so(client):
    with pytest.raises(Exception, match="not implemented: lambda GET /2015-03-31/event-source-mappings"):
        client("lambda").list_event_source_mappings()


def test_an_alias_with_provisioned_concurrency_is_shifted_by_lambda(flights, push, refused):
    alias = {"FunctionName": "flights", "Qualifier": "live"}
    assert refused(flights.get_provisioned_concurrency_config, **alias) == (
        "ProvisionedConcurrencyConfigNotFoundException"
    )
    flights.update_function_code(FunctionName="flights", ImageUri=push("v2"), Publish=True)
    wait_for(flights, "2")
    put = flights.put_provisioned_concurrency_config(**alias, ProvisionedConcurrentExecutions=2)
    assert (put["Status"], put["RequestedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 2)
    assert wait_until_provisioned(flights)["AllocatedProvisionedConcurrentExecutions"] == 2
    switch = flights.update_alias(
        FunctionName="flights", Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}}
    )
    assert 0.5 < switch["RoutingConfig"]["AdditionalVersionWeights"]["1"] <= 1
    again = dict(**alias, ProvisionedConcurrentExecutions=3)
    assert refused(flights.put_provisioned_concurrency_config, **again) == "InvalidParameterValueException"
    wait_until_provisioned(flights)
    shifted = flights.get_alias(FunctionName="flights", Name="live")
    assert "RoutingConfig" not in shifted and shifted["RevisionId"] == switch["RevisionId"]
    [listed] = flights.list_provisioned_concurrency_configs(FunctionName="flights")["ProvisionedConcurrencyConfigs"]
    assert listed["FunctionArn"].endswith(":function:flights:live") and listed["Status"] == "READY"
    flights.delete_provisioned_concurrency_config(**alias)
    assert refused(flights.get_provisioned_concurrency_config, **alias) == (
        "ProvisionedConcurrencyConfigNotFoundException"
    )


def wait_until_provisioned(functions):
    for _ in range(300):
        config = functions.get_provisioned_concurrency_config(FunctionName="flights", Qualifier="live")
        if config["Status"] != "IN_PROGRESS":
            return config
        time.sleep(0.05)
    raise AssertionError("the provisioned concurrency is still in progress")


LIVE = {"account": ACCOUNT, "region": REGION, "function": "flights", "alias": "live"}


def post(endpoint, path, **body):
    data = json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/_local/{path}", data=data)) as answer:
        return json.loads(answer.read() or "null")


def measured(client, metric, stat, version, start):
    dimensions = {"FunctionName": "flights", "Resource": "flights:live", "ExecutedVersion": version}
    dimensions = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    metric = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions}
    [result] = client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}],
        StartTime=start,
        EndTime=start + datetime.timedelta(minutes=1),
    )["MetricDataResults"]
    return result


def a_minute_ago(endpoint):
    with urllib.request.urlopen(f"{endpoint}/_local/clock") as answer:
        now = datetime.datetime.fromisoformat(json.load(answer)["now"][:19] + "+00:00")
    return now.replace(second=0) - datetime.timedelta(minutes=1)


def test_traffic_needs_no_program_to_be_measured(flights, push, client, endpoint):
    flights.update_function_code(FunctionName="flights", ImageUri=push("v2"), Publish=True)
    wait_for(flights, "2")
    flights.update_alias(
        FunctionName="flights", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}}
    )
    start = a_minute_ago(endpoint)
    slow = {"1": {"durationMs": 20}, "2": {"errorRate": 1, "durationMs": 900}}
    met = post(endpoint, "traffic", **LIVE, at=start.isoformat(), requests=1000, versions=slow)
    assert met["1"] + met["2"] == 1000 and 180 <= met["2"] <= 320
    assert measured(client, "Invocations", "Sum", "2", start)["Values"] == [met["2"]]
    assert measured(client, "Errors", "Average", "2", start)["Values"] == [1]
    assert measured(client, "Errors", "Sum", "1", start)["Values"] == [0]
    assert measured(client, "Duration", "PR(:800)", "2", start)["Values"] == [0]

    exact = {"version": "2", "invocations": 3 * met["2"], "errors": 0, "durationMs": 10}
    assert post(endpoint, "traffic", **LIVE, **exact, at=start.isoformat()) == {"2": 3 * met["2"]}
    assert measured(client, "Duration", "PR(:800)", "2", start)["Values"] == [75]
    assert measured(client, "Errors", "Sum", "2", start)["Values"] == [met["2"]]
    with pytest.raises(urllib.error.HTTPError) as unknown:
        post(endpoint, "traffic", **LIVE | {"alias": "gone"}, requests=1)
    assert unknown.value.code == 404
    with pytest.raises(urllib.error.HTTPError) as both:
        post(endpoint, "traffic", **LIVE, requests=1, version="2")
    assert both.value.code == 400


def test_metrics_can_be_lost_and_answered_in_part(flights, client, endpoint):
    start = a_minute_ago(endpoint)
    post(endpoint, "traffic", **LIVE, version="1", invocations=5, at=start.isoformat())
    minute = {"from": start.isoformat(), "to": (start + datetime.timedelta(minutes=1)).isoformat()}
    read = lambda: measured(client, "Invocations", "Sum", "1", start)
    assert read()["Values"] == [5]
    post(endpoint, "metrics", lost=[minute])
    assert (read()["Values"], read()["StatusCode"]) == ([], "Complete")
    post(endpoint, "metrics", late=[minute | {"seconds": 86400}])
    assert read()["Values"] == []
    post(endpoint, "metrics", trouble="PartialData")
    assert read()["StatusCode"] == "PartialData" and read()["Messages"][0]["Code"] == "PartialData"
    post(endpoint, "metrics")
    assert read()["Values"] == [5] and read()["StatusCode"] == "Complete"
