"""EventBridge Scheduler as boto3 and the AWS CLI see it."""

import time

from test_lambda import ACCOUNT, REGION, endpoint, flights, program, push  # noqa: F401

TARGET = {
    "Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:flights:live",
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/scheduler",
    "Input": '{"flight": "scheduled"}',
    "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
}


def create(scheduler, name="tick", expression="rate(1 minute)", **more):
    return scheduler.create_schedule(
        Name=name, ScheduleExpression=expression, FlexibleTimeWindow={"Mode": "OFF"}, Target=TARGET, **more
    )


def test_a_schedule_invokes_its_alias_every_minute(flights, client):  # noqa: F811
    create(client("scheduler"))
    time.sleep(3.5)
    metrics = client("cloudwatch").list_metrics(Namespace="AWS/Lambda", MetricName="Invocations")["Metrics"]
    dimensions = [{d["Name"]: d["Value"] for d in metric["Dimensions"]} for metric in metrics]
    assert {"FunctionName": "flights", "Resource": "flights:live", "ExecutedVersion": "1"} in dimensions


def test_schedules_are_read_changed_and_deleted(client, refused):
    scheduler = client("scheduler")
    arn = create(scheduler, State="DISABLED")["ScheduleArn"]
    assert arn == f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/tick"
    assert refused(create, scheduler=scheduler) == "ConflictException"
    scheduler.update_schedule(
        Name="tick",
        ScheduleExpression="cron(* * * * ? *)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=TARGET,
        Description="every minute",
        State="DISABLED",
    )
    shown = scheduler.get_schedule(Name="tick")
    assert shown["ScheduleExpression"] == "cron(* * * * ? *)" and shown["Description"] == "every minute"
    assert shown["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0
    create(scheduler, name="tock", State="DISABLED")
    page = scheduler.list_schedules(MaxResults=1)
    assert [it["Name"] for it in page["Schedules"]] == ["tick"]
    rest = scheduler.list_schedules(NextToken=page["NextToken"])
    assert [it["Name"] for it in rest["Schedules"]] == ["tock"]
    scheduler.delete_schedule(Name="tick")
    assert refused(scheduler.get_schedule, Name="tick") == "ResourceNotFoundException"


def test_a_wrong_expression_is_refused(client, refused):
    assert refused(create, scheduler=client("scheduler"), expression="rate(0 minutes)") == "ValidationException"


def test_the_command_line_lists_schedules(client, aws):
    create(client("scheduler"), State="DISABLED")
    assert aws("scheduler", "list-schedules")["Schedules"][0]["Name"] == "tick"
