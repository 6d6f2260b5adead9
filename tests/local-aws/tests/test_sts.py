"""STS as boto3 and the AWS CLI see it."""

ROLE = "arn:aws:iam::333333333333:role/tidegate/deployer"


def test_a_session_belongs_to_the_roles_account(client):
    assumed = client("sts").assume_role(RoleArn=ROLE, RoleSessionName="tidegate", DurationSeconds=900)
    keys = assumed["Credentials"]
    assert assumed["AssumedRoleUser"]["AssumedRoleId"].endswith(":tidegate")
    assert keys["Expiration"].tzinfo is not None
    session = client("sts", account=keys["AccessKeyId"], token=keys["SessionToken"])
    identity = session.get_caller_identity()
    assert identity["Account"] == "333333333333"
    assert identity["Arn"] == "arn:aws:sts::333333333333:assumed-role/deployer/tidegate"
    assert identity["UserId"] == assumed["AssumedRoleUser"]["AssumedRoleId"]


def test_the_command_line_knows_who_it_is(aws):
    assert aws("sts", "get-caller-identity")["Arn"] == "arn:aws:iam::111111111111:root"
    assert "not implemented" in aws("sts", "get-session-token")


def test_a_malformed_role_is_refused(client, refused):
    assert refused(client("sts").assume_role, RoleArn="arn:aws:iam::1:role/x" * 2, RoleSessionName="ab") == "ValidationError"
