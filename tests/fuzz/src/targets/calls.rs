//! What AWS says of a failed call, for each service that is called.
//!
//! The first line of an input is a service, a status and the error's type as a header: `lambda 429 TooManyRequestsException`.
//! The rest is the body.
use std::sync::LazyLock;

use tidegate_runtime::aws::Home;
use tidegate_runtime::aws::error::{CallError, Kind, failed};

use crate::aws::{Aws, answer, runtime};

struct Clients {
    aws: Aws,
    cloudwatch: aws_sdk_cloudwatch::Client,
    ecr: aws_sdk_ecr::Client,
    lambda: aws_sdk_lambda::Client,
    s3: aws_sdk_s3::Client,
    ssm: aws_sdk_ssm::Client,
    sts: aws_sdk_sts::Client,
}

static CLIENTS: LazyLock<Clients> = LazyLock::new(|| {
    let aws = Aws::new();
    let config = aws.config();
    let Home { s3, ssm, cloudwatch, .. } = Home::new(&config);
    let (ecr, lambda) = (aws_sdk_ecr::Client::new(&config), aws_sdk_lambda::Client::new(&config));
    Clients { cloudwatch, ecr, lambda, s3, ssm, sts: aws_sdk_sts::Client::new(&config), aws }
});

/// A failure.
pub(crate) fn errors(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let body = lines.next().unwrap_or_default().to_vec();
    let mut words = first.splitn(3, ' ');
    let service = words.next().unwrap_or_default();
    let status = words.next().and_then(|status| status.parse().ok()).filter(|status| (400..600).contains(status));
    let status: u16 = status.unwrap_or(500);
    let kind = words.next().unwrap_or_default().to_owned();
    let header = if service == "cloudwatch" { "x-amzn-query-error" } else { "x-amzn-errortype" };
    CLIENTS.aws.answers(move |_| answer(status, &[(header, kind.as_bytes())], body.clone()));
    let Some(error) = runtime().block_on(call(service)) else { return };
    let said = error.to_string();
    // What comes from outside must not end a line of a log, nor take over a terminal.
    assert!(!said.chars().any(char::is_control), "{said:?}");
    assert!(said.len() < 16 << 10, "{} bytes are said", said.len());
    if status >= 500 && error.code.is_none() {
        assert_eq!(error.kind, Kind::Unreachable, "an effect may have happened: {said}");
    }
}

/// One call, which fails.
async fn call(service: &str) -> Option<CallError> {
    let Clients { cloudwatch, ecr, lambda, s3, ssm, sts, .. } = &*CLIENTS;
    match service {
        "cloudwatch" => {
            cloudwatch.describe_alarms().send().await.map_err(failed("cloudwatch:DescribeAlarms", "x")).err()
        }
        "ecr" => {
            ecr.batch_get_image().repository_name("x").send().await.map_err(failed("ecr:BatchGetImage", "x")).err()
        }
        "s3" => s3.get_object().bucket("b").key("k").send().await.map_err(failed("s3:GetObject", "x")).err(),
        "ssm" => ssm.get_parameter().name("x").send().await.map_err(failed("ssm:GetParameter", "x")).err(),
        "sts" => sts.get_caller_identity().send().await.map_err(failed("sts:GetCallerIdentity", "x")).err(),
        _ => lambda
            .update_alias()
            .function_name("f")
            .name("a")
            .send()
            .await
            .map_err(failed("lambda:UpdateAlias", "f"))
            .err(),
    }
}
