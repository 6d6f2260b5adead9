"""Holds requests and answers against AWS's own models, as botocore ships them."""

import base64
import json
import re
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree

# Errors that a service's front end answers before the operation looks; the models name them nowhere.
COMMON = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredTokenException",
    "InvalidParameterValue",  # CloudWatch's query protocol
    "InvalidParameterValueException",  # the same in its other protocols
    "MissingAuthenticationToken",
    "NotImplemented",  # what the local AWS does not have
    "MissingParameter",  # CloudWatch's query protocol
    "SerializationException",
    "ThrottlingException",
    "ValidationError",
    "ValidationException",
}
# What AWS answers beside its models.
BEYOND = {
    # While code is being updated: https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
    ("LastUpdateStatusReasonCode", "Creating"),
}
# S3's model names almost no error; its documentation does.
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
S3 = {
    "BadDigest",
    "BucketNotEmpty",
    "ConditionalRequestConflict",
    "EntityTooLarge",
    "IllegalLocationConstraintException",
    "InvalidArgument",
    "InvalidBucketName",
    "InvalidRange",
    "InvalidRequest",
    "KeyTooLongError",
    "MalformedXML",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
    "PreconditionFailed",
    # `HEAD` has no body: botocore takes the status.
    "304",
    "400",
    "404",
    "405",
    "412",
}


def problems_of_answer(operation, status, headers, body):
    """Everything in an answer that the operation's model does not have."""
    if status >= 300:
        return problems_of_error(operation, headers, body)
    shape = operation.output_shape
    if shape is None or "payload" in shape.serialization or operation.has_streaming_output:
        return []
    protocol = operation.service_model.resolved_protocol
    if protocol in ("json", "rest-json"):
        in_body = json.loads(body) if body.strip() else {}
        members = {name: it for name, it in shape.members.items() if it.serialization.get("location") is None}
        required = [name for name in shape.required_members if name in members]
        return problems_of_structure(shape.name, members, required, in_body)
    if protocol in ("rest-xml", "query"):
        return problems_of_xml(operation, shape, body)
    return []  # CloudWatch's CBOR: the clients of Rust and Python read it, strictly typed


def problems_of_error(operation, headers, body):
    code = error_code(operation, headers, body)
    modelled = {it.metadata.get("error", {}).get("code", it.name) for it in operation.error_shapes}
    modelled |= {it.name for it in operation.error_shapes}
    of_service = S3 if operation.service_model.service_name == "s3" else set()
    if code is None or code in modelled | COMMON | of_service:
        return []
    return [f"the error `{code}` is not one of {operation.name}"]


def error_code(operation, headers, body):
    """The error's code as the protocol says it; nothing where the answer has no body."""
    if not body.strip():
        return None
    if operation.service_model.resolved_protocol in ("rest-xml", "query"):
        return ElementTree.fromstring(re.sub(rb' xmlns="[^"]*"', b"", body, count=1)).findtext(".//Code")
    if operation.service_model.resolved_protocol == "smithy-rpc-v2-cbor":
        return None
    code = headers.get("x-amzn-errortype") or json.loads(body).get("__type") or ""
    return code.split(":")[0].split("#")[-1]


def problems_of(path, shape, value):
    if value is None:
        return []
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return [f"{path} is no object"]
        return problems_of_structure(path, shape.members, shape.required_members, value)
    if kind == "list":
        if not isinstance(value, list):
            return [f"{path} is no list"]
        return [problem for item in value for problem in problems_of(f"{path}[]", shape.member, item)]
    if kind == "map":
        if not isinstance(value, dict):
            return [f"{path} is no map"]
        return [problem for item in value.values() for problem in problems_of(f"{path}{{}}", shape.value, item)]
    kinds = {
        "string": str,
        "character": str,
        "blob": str,
        "boolean": bool,
        "integer": int,
        "long": int,
        "float": (int, float),
        "double": (int, float),
        "timestamp": (str, int, float),
    }
    fits = isinstance(value, kinds[kind]) and (kind == "boolean" or not isinstance(value, bool))
    found = [] if fits else [f"{path} is {value!r}, and should be a {kind}"]
    enum = getattr(shape, "enum", [])
    if enum and value not in enum and (path.split(".")[-1], value) not in BEYOND:
        found.append(f"{path} is {value!r}, none of its values")
    return found


def problems_of_structure(path, members, required, value):
    by_name = {it.serialization.get("name", name): (name, it) for name, it in members.items()}
    found = [f"{path}.{name} is missing" for name in required if value.get(wire_name(members, name)) is None]
    for key, item in value.items():
        if key not in by_name:
            found.append(f"{path} has no member `{key}`")
            continue
        name, shape = by_name[key]
        found += problems_of(f"{path}.{name}", shape, item)
    return found


def wire_name(members, name):
    return members[name].serialization.get("name", name)


def problems_of_xml(operation, shape, body):
    """Names of elements only: XML has no types."""
    if not body.strip():
        return []
    root = ElementTree.fromstring(re.sub(rb' xmlns="[^"]*"', b"", body, count=1))
    wrapper = shape.serialization.get("resultWrapper")
    if wrapper is not None:
        root = root.find(wrapper)
        if root is None:
            return [f"{operation.name} lacks `{wrapper}`"]
    return problems_of_element(operation.name, shape, root)


def problems_of_element(path, shape, element):
    kind = shape.type_name
    if kind == "structure":
        members = {it.serialization.get("name", name): it for name, it in shape.members.items()}
        for it in shape.members.values():
            if it.type_name == "list" and it.serialization.get("flattened"):
                members.setdefault(it.member.serialization.get("name", it.serialization.get("name")), it)
        found = []
        for child in element:
            if child.tag not in members:
                found.append(f"{path} has no member `{child.tag}`")
                continue
            member = members[child.tag]
            flattened = member.type_name == "list" and member.serialization.get("flattened")
            found += problems_of_element(f"{path}.{child.tag}", member.member if flattened else member, child)
        return found
    if kind == "list":
        return [it for child in element for it in problems_of_element(f"{path}[]", shape.member, child)]
    if getattr(shape, "enum", []) and (element.text or "") not in shape.enum:
        return [f"{path} is {element.text!r}, none of its values"]
    return []


def least(shape):
    """A value with nothing that is not required, as the model allows it."""
    kind = shape.type_name
    if kind == "structure":
        found = {name: least(shape.members[name]) for name in shape.required_members}
        return {name: it - timedelta(hours=1) if name == "StartTime" else it for name, it in found.items()}
    if kind == "list":
        return [least(shape.member) for _ in range(shape.metadata.get("min", 0))]
    if kind == "map":
        return {}
    if kind == "string":
        enum = getattr(shape, "enum", [])
        return enum[0] if enum else "x" * max(1, shape.metadata.get("min", 1))
    if kind in ("integer", "long", "float", "double"):
        return max(1, int(shape.metadata.get("min", 1)))
    if kind == "timestamp":
        return datetime.now(timezone.utc)
    return {"boolean": True, "blob": base64.b64decode("")}[kind]
