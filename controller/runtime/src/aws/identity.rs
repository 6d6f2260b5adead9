//! Asks STS whose credentials these are: the name that history records for a command of a person.
use super::Home;
use super::error::{CallError, failed};

/// The caller's ARN: a user's, or that of a role's session, whose name is mostly the person's.
///
/// # Errors
/// Where there are no credentials, or STS refuses or does not answer. No policy can forbid the call itself.
pub async fn caller(home: &Home) -> Result<Option<String>, CallError> {
    let client = aws_sdk_sts::Client::new(home.config());
    let answer = client.get_caller_identity().send().await.map_err(failed("sts:GetCallerIdentity", "the caller"))?;
    Ok(answer.arn)
}
