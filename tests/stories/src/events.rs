//! What AWS tells of an account, as it comes through EventBridge and a queue.
use serde_json::{Value, json};

use crate::account::{ACCOUNT, REGION};

/// A call of Lambda that CloudTrail tells of, made by a user.
#[must_use]
pub fn call(operation: &str, function: &str) -> Value {
    call_by(operation, function, &json!({"type": "IAMUser", "arn": format!("arn:aws:iam::{ACCOUNT}:user/ann")}))
}

/// A call of Lambda, made by a session of a role.
#[must_use]
pub fn call_by_role(operation: &str, function: &str, role: &str, session: &str) -> Value {
    let identity = json!({
        "type": "AssumedRole",
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"),
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": format!("arn:aws:iam::{ACCOUNT}:role/{role}")}},
    });
    call_by(operation, function, &identity)
}

fn call_by(operation: &str, function: &str, identity: &Value) -> Value {
    json!({
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.lambda",
        "account": ACCOUNT,
        "region": REGION,
        "detail": {
            "eventSource": "lambda.amazonaws.com",
            "eventName": operation,
            "awsRegion": REGION,
            "userIdentity": identity,
            "requestParameters": {"functionName": function, "name": "live"},
        },
    })
}

/// An alarm that goes off.
#[must_use]
pub fn alarm(name: &str) -> Value {
    json!({
        "version": "0",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "region": REGION,
        "detail": {"alarmName": name, "state": {"value": "ALARM"}, "previousState": {"value": "OK"}},
    })
}

/// What a queue hands over at once: the records `m0`, `m1` and so on, with these texts.
#[must_use]
pub fn batch(texts: &[String]) -> Value {
    let record = |(number, text): (usize, &String)| {
        let id = format!("m{number}");
        json!({"messageId": id, "receiptHandle": "r", "eventSource": "aws:sqs", "awsRegion": REGION, "body": text})
    };
    json!({"Records": texts.iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// One event, as a queue hands it over.
#[must_use]
pub fn queued(event: &Value) -> Value {
    batch(&[event.to_string()])
}
