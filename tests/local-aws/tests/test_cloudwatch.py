"""CloudWatch as boto3 (CBOR) and the AWS CLI see it, and in the two older protocols."""

import datetime
import json
import urllib.parse
import urllib.request

import pytest

NAMESPACE = "Tidegate"
DIMENSIONS = [{"Name": "Environment", "Value": "production"}]


@pytest.fixture
def cloudwatch(client):
    return client("cloudwatch")


def now(cloudwatch):
    """The world's time: it need not be this machine's."""
    date = cloudwatch.list_metrics()["ResponseMetadata"]["HTTPHeaders"]["date"]
    return datetime.datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.timezone.utc)


def put(cloudwatch, at, **datum):
    datum = {"MetricName": "Calls", "Dimensions": DIMENSIONS, "Timestamp": at, **datum}
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])


def query(stat, identifier="q", period=60):
    metric = {"Namespace": NAMESPACE, "MetricName": "Calls", "Dimensions": DIMENSIONS}
    return {"Id": identifier, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}


def test_what_was_published_is_read_back_by_the_minute(cloudwatch):
    start = now(cloudwatch).replace(second=0) - datetime.timedelta(minutes=5)
    for offset, value in ((0, 1.5), (30, 2.5), (120, 4.0)):
        put(cloudwatch, start + datetime.timedelta(seconds=offset), Value=value, Unit="Count")
    put(cloudwatch, start, Values=[10.0, 20.0], Counts=[3, 1], MetricName="Calls")
    got = cloudwatch.get_metric_data(
        MetricDataQueries=[query("Sum"), query("SampleCount", "n"), query("p75", "p")],
        StartTime=start,
        EndTime=start + datetime.timedelta(minutes=5),
        ScanBy="TimestampAscending",
    )
    sums, counts, percentiles = got["MetricDataResults"]
    assert sums["Values"] == [54.0, 4.0] and sums["StatusCode"] == "Complete"
    assert sums["Timestamps"] == [start, start + datetime.timedelta(minutes=2)]
    assert (counts["Values"], percentiles["Values"]) == ([6.0, 1.0], [10.0, 4.0])


def test_statistics_of_one_metric(cloudwatch):
    start = now(cloudwatch).replace(second=0) - datetime.timedelta(minutes=5)
    put(cloudwatch, start, StatisticValues={"Sum": 6, "Minimum": 1, "Maximum": 3, "SampleCount": 3}, Unit="Count")
    window = {"StartTime": start, "EndTime": start + datetime.timedelta(minutes=5), "Period": 60}
    metric = {"Namespace": NAMESPACE, "MetricName": "Calls", "Dimensions": DIMENSIONS}
    [point] = cloudwatch.get_metric_statistics(**metric, **window, Statistics=["Average", "Maximum"])["Datapoints"]
    assert point == {"Timestamp": start, "Unit": "Count", "Average": 2.0, "Maximum": 3.0}


def test_wrong_data_is_refused_with_the_codes_of_the_model(cloudwatch, refused):
    datum = {"MetricName": "Calls", "Value": 1.0}
    refuse = lambda **more: refused(cloudwatch.put_metric_data, Namespace=NAMESPACE, MetricData=[datum | more])
    assert refuse(Value=float("nan")) == "InvalidParameterValue"
    assert refuse(Values=[1.0]) == "InvalidParameterCombination"
    assert refuse(Timestamp=datetime.datetime(2020, 1, 1)) == "InvalidParameterValue"
    assert refused(cloudwatch.put_metric_data, Namespace="AWS/X", MetricData=[datum]) == "InvalidParameterValue"
    assert refused(cloudwatch.put_metric_data, Namespace=NAMESPACE, MetricData=[datum] * 1001) == "InvalidParameterValue"


def test_alarms_are_put_set_described_and_deleted(cloudwatch, refused):
    for name in ("flight-5xx", "flight-slow", "other"):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace=NAMESPACE,
            MetricName="Calls",
            Dimensions=DIMENSIONS,
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
        )
    cloudwatch.set_alarm_state(AlarmName="flight-5xx", StateValue="ALARM", StateReason="a story")
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix="flight-")["MetricAlarms"]
    assert [(alarm["AlarmName"], alarm["StateValue"]) for alarm in alarms] == [
        ("flight-5xx", "ALARM"),
        ("flight-slow", "INSUFFICIENT_DATA"),
    ]
    assert alarms[0]["Dimensions"] == DIMENSIONS
    pages = cloudwatch.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["MetricAlarms"]) for page in pages] == [2, 1]
    missing = {"AlarmName": "none", "StateValue": "OK", "StateReason": "x"}
    assert refused(cloudwatch.set_alarm_state, **missing) == "ResourceNotFound"
    cloudwatch.delete_alarms(AlarmNames=["flight-5xx", "other"])
    assert len(cloudwatch.describe_alarms()["MetricAlarms"]) == 1


def test_ranks_of_durations_are_shares_in_percent(cloudwatch, refused):
    start = now(cloudwatch).replace(second=0) - datetime.timedelta(minutes=5)
    put(cloudwatch, start, Values=[100.0, 500.0, 800.0, 900.0], Counts=[1, 2, 4, 1])
    stats = ["PR(:800)", "PR(100:800)", "PR(800:)", "p50"]
    window = {"StartTime": start, "EndTime": start + datetime.timedelta(minutes=5)}
    queries = [query(stat, f"q{index}") for index, stat in enumerate(stats)]
    got = cloudwatch.get_metric_data(MetricDataQueries=queries, **window)["MetricDataResults"]
    assert [result["Values"] for result in got] == [[87.5], [75.0], [12.5], [800.0]]
    assert refused(cloudwatch.get_metric_data, MetricDataQueries=[query("PR(:)")], **window) == "InvalidParameterValue"


def test_composite_alarms_are_shown_to_who_asks_for_them(cloudwatch, refused):
    rule = "ALARM(flight-5xx) OR ALARM(flight-slow)"
    cloudwatch.put_composite_alarm(AlarmName="flights", AlarmRule=rule, AlarmDescription="both")
    cloudwatch.set_alarm_state(AlarmName="flights", StateValue="ALARM", StateReason="a story")
    assert cloudwatch.describe_alarms(AlarmNames=["flights"])["CompositeAlarms"] == []
    [alarm] = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert (alarm["AlarmRule"], alarm["AlarmDescription"], alarm["StateValue"]) == (rule, "both", "ALARM")
    assert refused(cloudwatch.describe_alarms, AlarmNames=["a"], AlarmNamePrefix="a") == "ValidationError"
    cloudwatch.delete_alarms(AlarmNames=["flights"])
    assert cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"] == []


def test_the_command_line_publishes_and_lists(aws):
    aws("cloudwatch", "put-metric-data", "--namespace", NAMESPACE, "--metric-name", "Calls", "--value", "1")
    assert aws("cloudwatch", "list-metrics")["Metrics"] == [
        {"Namespace": NAMESPACE, "MetricName": "Calls", "Dimensions": []}
    ]
    assert "not implemented" in aws("cloudwatch", "list-dashboards")


def send(endpoint, body, **headers):
    scope = "Credential=111111111111/20260101/eu-central-1/monitoring/aws4_request"
    headers["Authorization"] = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
    with urllib.request.urlopen(urllib.request.Request(endpoint, body.encode(), headers)) as answer:
        return answer.read().decode()


def test_each_protocol_is_answered_in_its_own_form(endpoint, cloudwatch):
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[{"MetricName": "Calls", "Value": 1.0}])
    target = {"X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics", "Content-Type": "application/x-amz-json-1.0"}
    assert json.loads(send(endpoint, "{}", **target))["Metrics"][0]["MetricName"] == "Calls"
    form = urllib.parse.urlencode({"Action": "ListMetrics", "Version": "2010-08-01", "MetricName": "Calls"})
    answer = send(endpoint, form, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert "<ListMetricsResult><Metrics><member><Namespace>Tidegate</Namespace>" in answer
