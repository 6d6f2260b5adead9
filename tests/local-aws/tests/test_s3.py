"""S3 as boto3 and the AWS CLI see it."""

import hashlib

import pytest

BUCKET = "tidegate-state"
PLACE = {"LocationConstraint": "eu-central-1"}


@pytest.fixture
def s3(client):
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=PLACE)
    return s3


def test_a_bucket_is_created_once_in_the_region_that_it_names(s3, client, refused):
    assert refused(s3.create_bucket, Bucket="other-bucket") == "IllegalLocationConstraintException"
    again = {"Bucket": BUCKET, "CreateBucketConfiguration": PLACE}
    assert refused(s3.create_bucket, **again) == "BucketAlreadyOwnedByYou"
    assert refused(client("s3", account="222222222222").create_bucket, **again) == "BucketAlreadyExists"
    assert refused(s3.create_bucket, Bucket="Bad_Name", CreateBucketConfiguration=PLACE) == "InvalidBucketName"
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [BUCKET]
    assert s3.head_bucket(Bucket=BUCKET)["BucketRegion"] == "eu-central-1"
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == "eu-central-1"
    client("s3", region="us-east-1").create_bucket(Bucket="first-region")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_an_object_survives_the_trip_with_its_checksum(s3, algorithm):
    body = b"line\r\n" * 1000
    put = s3.put_object(Bucket=BUCKET, Key="a b/ü+c", Body=body, ChecksumAlgorithm=algorithm, Metadata={"tick": "42"})
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=BUCKET, Key="a b/ü+c", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert (got["Metadata"], got["ContentType"]) == ({"tick": "42"}, "binary/octet-stream")
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]


def test_a_streamed_upload_is_taken_out_of_its_chunks(s3, tmp_path):
    path = tmp_path / "function.zip"
    path.write_bytes(bytes(range(256)) * 1024)
    with path.open("rb") as stream:
        s3.put_object(Bucket=BUCKET, Key="function.zip", Body=stream)
    assert s3.get_object(Bucket=BUCKET, Key="function.zip")["Body"].read() == path.read_bytes()


def test_a_wrong_checksum_is_a_bad_digest(s3, refused):
    wrong = {"Bucket": BUCKET, "Key": "k", "Body": b"x", "ChecksumCRC32": "AAAAAA=="}
    assert refused(s3.put_object, **wrong) == "BadDigest"
    assert refused(s3.put_object, Bucket=BUCKET, Key="k", Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==") == "BadDigest"
    assert refused(s3.get_object, Bucket=BUCKET, Key="k") == "NoSuchKey"


def test_writes_and_deletes_hold_their_preconditions(s3, refused):
    create = {"Bucket": BUCKET, "Key": "lease", "Body": b"1", "IfNoneMatch": "*"}
    etag = s3.put_object(**create)["ETag"]
    assert refused(s3.put_object, **create) == "PreconditionFailed"
    replaced = s3.put_object(Bucket=BUCKET, Key="lease", Body=b"2", IfMatch=etag)["ETag"]
    assert refused(s3.put_object, Bucket=BUCKET, Key="lease", Body=b"3", IfMatch=etag) == "PreconditionFailed"
    assert refused(s3.put_object, Bucket=BUCKET, Key="none", Body=b"3", IfMatch=etag) == "NoSuchKey"
    assert refused(s3.delete_object, Bucket=BUCKET, Key="lease", IfMatch=etag) == "PreconditionFailed"
    assert refused(s3.get_object, Bucket=BUCKET, Key="lease", IfNoneMatch=replaced) == "304"
    s3.delete_object(Bucket=BUCKET, Key="lease", IfMatch=replaced)
    assert refused(s3.head_object, Bucket=BUCKET, Key="lease") == "404"


def test_versions_stay_until_they_are_deleted_themselves(s3):
    assert "Status" not in s3.get_bucket_versioning(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    version = s3.put_object(Bucket=BUCKET, Key="k", Body=b"after")["VersionId"]
    marker = s3.delete_object(Bucket=BUCKET, Key="k")
    assert marker["DeleteMarker"] is True
    listed = s3.list_object_versions(Bucket=BUCKET)
    assert [entry["VersionId"] for entry in listed["Versions"]] == [version, "null"]
    assert [entry["VersionId"] for entry in listed["DeleteMarkers"]] == [marker["VersionId"]]
    assert s3.get_object(Bucket=BUCKET, Key="k", VersionId="null")["Body"].read() == b"before"
    ids = [{"Key": "k", "VersionId": entry["VersionId"]} for entry in listed["Versions"] + listed["DeleteMarkers"]]
    assert len(s3.delete_objects(Bucket=BUCKET, Delete={"Objects": ids})["Deleted"]) == 3
    s3.delete_bucket(Bucket=BUCKET)


def test_listings_and_versions_are_paged_through(s3):
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    keys = [f"p/{number:02} ü&<" for number in range(7)]
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"1")
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"2")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="p/", PaginationConfig={"PageSize": 3})
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == keys
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 3})
    versions = [(entry["Key"], entry["IsLatest"]) for page in pages for entry in page["Versions"]]
    assert versions == [(key, latest) for key in keys for latest in (True, False)]


def test_the_command_line_reads_what_was_put(s3, aws):
    s3.put_object(Bucket=BUCKET, Key="status/production.json", Body=b"{}")
    listed = aws("s3api", "list-objects-v2", "--bucket", BUCKET, "--prefix", "status/")
    assert [entry["Key"] for entry in listed["Contents"]] == ["status/production.json"]
    assert "NoSuchBucket" in aws("s3api", "list-objects-v2", "--bucket", "no-such-bucket")
    assert "not implemented" in aws("s3api", "get-bucket-acl", "--bucket", BUCKET)
