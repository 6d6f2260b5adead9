"""ECR as boto3 and the AWS CLI see it."""

import hashlib
import json

import pytest

REPOSITORY = "company/flight-service"


@pytest.fixture
def ecr(client):
    ecr = client("ecr")
    ecr.create_repository(repositoryName=REPOSITORY)
    return ecr


def manifest(build):
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:00", "size": 2},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:01", "size": 40}],
            "annotations": {"build": build},
        }
    )


def push(ecr, build, tag):
    return ecr.put_image(repositoryName=REPOSITORY, imageManifest=manifest(build), imageTag=tag)["image"]


def test_an_image_is_described_by_tag_and_digest(ecr):
    digest = "sha256:" + hashlib.sha256(manifest("1").encode()).hexdigest()
    assert push(ecr, "1", "v1")["imageId"] == {"imageDigest": digest, "imageTag": "v1"}
    for image_id in ({"imageTag": "v1"}, {"imageDigest": digest}):
        [detail] = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[image_id])["imageDetails"]
        assert (detail["imageDigest"], detail["imageTags"], detail["imageSizeInBytes"]) == (digest, ["v1"], 42)
    assert ecr.list_images(repositoryName=REPOSITORY)["imageIds"] == [{"imageDigest": digest, "imageTag": "v1"}]


def test_what_is_missing_is_named(ecr, refused):
    missing = {"repositoryName": REPOSITORY, "imageIds": [{"imageTag": "v9"}]}
    assert refused(ecr.describe_images, **missing) == "ImageNotFoundException"
    assert ecr.batch_get_image(**missing)["failures"][0]["failureCode"] == "ImageNotFound"
    assert refused(ecr.list_images, repositoryName="company/none") == "RepositoryNotFoundException"


def test_tags_move_unless_they_are_immutable(ecr, refused):
    push(ecr, "1", "v1")
    push(ecr, "2", "v1")
    again = {"repositoryName": REPOSITORY, "imageManifest": manifest("2"), "imageTag": "v1"}
    assert refused(ecr.put_image, **again) == "ImageAlreadyExistsException"
    ecr.put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    moved = again | {"imageManifest": manifest("3")}
    assert refused(ecr.put_image, **moved) == "ImageTagAlreadyExistsException"
    assert refused(ecr.delete_repository, repositoryName=REPOSITORY) == "RepositoryNotEmptyException"
    ecr.delete_repository(repositoryName=REPOSITORY, force=True)


def test_the_command_line_and_other_accounts(ecr, aws, client, refused):
    push(ecr, "1", "v1")
    ids = ["--image-ids", "imageTag=v1"]
    assert aws("ecr", "describe-images", "--repository-name", REPOSITORY, *ids)["imageDetails"][0]["imageTags"] == ["v1"]
    stranger = client("ecr", account="222222222222")
    asked = {"registryId": "111111111111", "repositoryName": REPOSITORY, "imageIds": [{"imageTag": "v1"}]}
    assert refused(stranger.describe_images, **asked) == "AccessDeniedException"
    ecr.set_repository_policy(repositoryName=REPOSITORY, policyText='{"Statement": []}')
    assert stranger.describe_images(**asked)["imageDetails"]
    assert "not implemented" in aws("ecr", "get-authorization-token")
