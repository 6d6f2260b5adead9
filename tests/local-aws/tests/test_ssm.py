"""Parameter Store as boto3 and the AWS CLI see it."""

import pytest


@pytest.fixture
def ssm(client):
    return client("ssm")


def put(ssm, name, value="x", **more):
    return ssm.put_parameter(**{"Name": name, "Value": value, "Type": "String", **more})


def test_versions_count_and_overwriting_has_to_be_asked_for(ssm, refused):
    assert put(ssm, "/a/b", "one")["Version"] == 1
    assert refused(ssm.put_parameter, Name="/a/b", Value="two", Type="String") == "ParameterAlreadyExists"
    assert put(ssm, "/a/b", "two", Overwrite=True) | {"ResponseMetadata": 0} == {
        "Version": 2,
        "Tier": "Standard",
        "ResponseMetadata": 0,
    }
    parameter = ssm.get_parameter(Name="/a/b")["Parameter"]
    assert (parameter["Value"], parameter["Version"], parameter["DataType"]) == ("two", 2, "text")
    assert parameter["LastModifiedDate"].year >= 2026
    assert ssm.get_parameter(Name="/a/b:1")["Parameter"]["Value"] == "one"


def test_a_secret_needs_decryption(ssm):
    put(ssm, "/token", "planted", Type="SecureString")
    assert "planted" not in ssm.get_parameter(Name="/token")["Parameter"]["Value"]
    assert ssm.get_parameter(Name="/token", WithDecryption=True)["Parameter"]["Value"] == "planted"


def test_four_kilobytes_are_the_limit(ssm, refused):
    put(ssm, "/full", "x" * 4096)
    assert refused(ssm.put_parameter, Name="/over", Value="x" * 4097, Type="String") == "ValidationException"


def test_a_path_is_paged_and_the_rest_described(ssm, refused):
    for number in range(12):
        put(ssm, f"/services/production/s{number:02}")
    pages = list(ssm.get_paginator("get_parameters_by_path").paginate(Path="/services", Recursive=True))
    assert [len(page["Parameters"]) for page in pages] == [10, 2]
    assert ssm.get_parameters_by_path(Path="/services")["Parameters"] == []
    assert refused(ssm.get_parameters_by_path, Path="services") == "ValidationException"
    by_prefix = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/services/production/s1"]}]
    assert len(ssm.describe_parameters(ParameterFilters=by_prefix)["Parameters"]) == 2


def test_names_that_do_not_exist_are_told(ssm, refused):
    put(ssm, "/a")
    read = ssm.get_parameters(Names=["/a", "/b"])
    assert ([entry["Name"] for entry in read["Parameters"]], read["InvalidParameters"]) == (["/a"], ["/b"])
    assert ssm.delete_parameters(Names=["/a", "/b"])["DeletedParameters"] == ["/a"]
    assert refused(ssm.get_parameter, Name="/a") == "ParameterNotFound"


def test_the_command_line_writes_and_reads(ssm, aws, client, refused):
    assert aws("ssm", "put-parameter", "--name", "/x", "--value", "1", "--type", "String")["Version"] == 1
    assert aws("ssm", "get-parameter", "--name", "/x")["Parameter"]["Value"] == "1"
    assert "not implemented: ssm AmazonSSM.GetParameterHistory" in aws("ssm", "get-parameter-history", "--name", "/x")
    assert refused(client("ssm", account="222222222222").get_parameter, Name="/x") == "ParameterNotFound"
    assert refused(client("ssm", region="us-east-1").get_parameter, Name="/x") == "ParameterNotFound"
