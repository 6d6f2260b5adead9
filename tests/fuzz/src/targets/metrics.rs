//! What CloudWatch answers, and what is made of it: whatever it says, only what is there in full is a pass.
//!
//! The first line of an input names the operation that answers it, `GetMetricData` or `DescribeAlarms`; the other one answers
//! that there is nothing. A body in JSON is sent as CBOR, its `Timestamps` as times: so that a corpus can be read.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ciborium::Value as Cbor;
use release_schema::{AlarmName, Analysis, OnMissingData, ServiceName};
use serde_json::Value as Json;
use tidegate_core::analysis::{LookAt, Measure, Measured, Outcome, Window, judge};
use tidegate_core::ids::Version;
use tidegate_runtime::aws::Home;
use tidegate_runtime::aws::metrics::{Request, measure};

use crate::aws::{Aws, answer, runtime};

const MINIMUM: u32 = 50;

static CLOUDWATCH: LazyLock<(Aws, aws_sdk_cloudwatch::Client)> = LazyLock::new(|| {
    let aws = Aws::new();
    let client = Home::new(&aws.config()).cloudwatch;
    (aws, client)
});

/// An answer of CloudWatch.
pub(crate) fn metrics(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let operation = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let body = lines.next().unwrap_or_default();
    let body = serde_json::from_slice(body).map_or_else(|_| body.to_vec(), |json| encoded(&cbor(json, false)));
    let (aws, client) = &*CLOUDWATCH;
    aws.answers(move |request| {
        let asked = request.uri().ends_with(&format!("/{operation}"));
        let body = if asked { body.clone() } else { encoded(&Cbor::Map(Vec::new())) };
        answer(200, &[("content-type", b"application/cbor"), ("smithy-protocol", b"rpc-v2-cbor")], body)
    });
    let service: ServiceName = "flight-service".parse().expect("a name");
    let alarm: AlarmName = "flight-5xx".parse().expect("a name");
    let requests = BTreeMap::from([(service.clone(), request(&alarm))]);
    let mut measured = runtime().block_on(measure(client, &requests)).measured;
    judged(&alarm, &measured.remove(&service).expect("every request has a result"));
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + chrono::Duration::days(20_000) + chrono::Duration::minutes(minute)
}

fn window() -> Window {
    Window { from: at(0), to: at(10) }
}

fn request(alarm: &AlarmName) -> Request {
    let version = |number| Version::new(number).expect("a version");
    let measure = Measure {
        canary: Some((version(7), window())),
        stable: Some((version(6), window())),
        slower_than: Some(Duration::from_millis(800)),
        alarms: BTreeSet::from([alarm.clone()]),
    };
    Request { function: "Flight".to_owned(), alias: "live".to_owned(), measure }
}

fn judged(alarm: &AlarmName, measured: &Measured) {
    let analysis = Analysis {
        max_error_rate: Some("1%".parse().expect("a percentage")),
        max_error_rate_increase: Some("1%".parse().expect("a percentage")),
        max_duration_p99: Some(Duration::from_millis(800)),
        min_invocations: MINIMUM,
        confidence: "99%".parse().expect("a percentage"),
        max_inconclusive: 3,
        alarms: BTreeSet::from([alarm.clone()]),
        on_missing_data: OnMissingData::Hold,
    };
    let red_before = BTreeSet::new();
    for number in [1, u32::MAX] {
        let look =
            LookAt { analysis: &analysis, number, red_before: &red_before, window: window(), over: true, now: at(11) };
        let verdict = judge(look, measured);
        serde_json::to_vec(&verdict).expect("it can be stored");
        if verdict.outcome == Outcome::Successful {
            is_known(alarm, measured);
        }
    }
}

/// A pass is told by numbers: all of them are there, finite and possible.
fn is_known(alarm: &AlarmName, measured: &Measured) {
    assert_eq!(measured.trouble, None, "passed in spite of trouble");
    assert!(measured.alarms.contains_key(alarm), "passed without the alarm");
    for (whose, sample) in [("canary", measured.canary), ("stable", measured.stable)] {
        let invocations = sample.invocations.unwrap_or(f64::NAN);
        let errors = sample.errors.unwrap_or(f64::NAN);
        assert!(invocations.is_finite() && invocations >= f64::from(MINIMUM), "{whose}: {sample:?}");
        assert!((0.0..=invocations).contains(&errors), "{whose}: {sample:?}");
    }
}

fn encoded(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("writing to memory does not fail");
    bytes
}

fn cbor(json: Json, times: bool) -> Cbor {
    match json {
        Json::Null => Cbor::Null,
        Json::Bool(flag) => Cbor::Bool(flag),
        Json::Number(number) if times => Cbor::Tag(1, Box::new(Cbor::Float(number.as_f64().unwrap_or(f64::NAN)))),
        Json::Number(number) => Cbor::Float(number.as_f64().unwrap_or(f64::NAN)),
        // JSON has no such numbers, and CBOR does.
        Json::String(text) => match text.as_str() {
            "NaN" => Cbor::Float(f64::NAN),
            "Infinity" => Cbor::Float(f64::INFINITY),
            "-Infinity" => Cbor::Float(f64::NEG_INFINITY),
            _ => Cbor::Text(text),
        },
        Json::Array(items) => Cbor::Array(items.into_iter().map(|item| cbor(item, times)).collect()),
        Json::Object(members) => {
            let member = |(name, value): (String, Json)| {
                let times = name == "Timestamps";
                (Cbor::Text(name), cbor(value, times))
            };
            Cbor::Map(members.into_iter().map(member).collect())
        }
    }
}
