"""The local AWS against AWS's own models: which members a request must have. (What it answers to every other test is held
against the models as well: see `conftest.py`.)"""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.parsers import ResponseParserError

import models

SERVICES = ["lambda", "s3", "ssm", "ecr", "cloudwatch", "sts", "scheduler"]
# How many operations the local AWS has: a test that finds none of them must not pass.
SERVED = {"lambda": 28, "s3": 14, "ssm": 7, "ecr": 12, "cloudwatch": 9, "sts": 2, "scheduler": 5}


@pytest.fixture
def unchecked(endpoint):
    """Clients that send what the model forbids."""

    def make(service):
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name="eu-central-1",
            aws_access_key_id="111111111111",
            aws_secret_access_key="secret",
            config=Config(
                retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, parameter_validation=False
            ),
        )

    return make


def answer(client, operation, arguments):
    """The error's code and message; nothing where there is none."""
    try:
        client._make_api_call(operation, arguments)
    except ResponseParserError as error:
        return "NotImplemented", str(error)  # a service's own front end, in no protocol of the service
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    return None, ""


def is_served(client, operation):
    shape = operation.input_shape
    arguments = models.least(shape) if shape is not None else {}
    # An operation of another host is none of this endpoint's.
    if operation.endpoint is not None or operation.name == "WriteGetObjectResponse":
        return False
    code, _message = answer(client, operation.name, arguments)
    return code not in ("NotImplemented", "501")


def in_body(shape):
    """The required members that a client can leave out: those in the path are part of the operation's name."""
    located = {name: shape.members[name].serialization.get("location") for name in shape.required_members}
    # S3 looks for the bucket before it reads a document.
    document = shape.serialization.get("payload")
    return [name for name, location in located.items() if location != "uri" and name != document]


@pytest.mark.parametrize("service", SERVICES)
def test_a_request_without_a_member_that_the_model_requires_is_refused(unchecked, service):
    client = unchecked(service)
    model = client.meta.service_model
    served = [it for it in map(model.operation_model, model.operation_names) if is_served(client, it)]
    assert len(served) == SERVED[service], sorted(it.name for it in served)
    taken = []
    for operation in served:
        shape = operation.input_shape
        for name in in_body(shape) if shape is not None else []:
            arguments = {key: value for key, value in models.least(shape).items() if key != name}
            try:
                code, message = answer(client, operation.name, arguments)
            except ParamValidationError:
                continue  # botocore itself does not send it
            # Told of another member first: then this one is not what was refused.
            if code is None or name.lower() not in (code + message).lower().replace("_", ""):
                taken.append(f"{operation.name} without {name}: {code} {message}")
    assert not taken, "\n".join(taken)
