//! Reaches the installation: asks the controller Lambda, or runs the same command here with the caller's own rights.
use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use tidegate_core::command::Command;
use tidegate_core::report::{Answer, FailureKind};
use tidegate_runtime::aws::error::failed;
use tidegate_runtime::aws::{CallError, Home, Kind, identity};
use tidegate_runtime::config::{self, Configuration, Kept, Source};
use tidegate_runtime::controller::{Caller, Controller, TIMEOUT};
use tokio::time::Instant;

use crate::arguments::Reach;
use crate::exit::{Error, OTHER_BUILD};
use crate::out::Out;

/// The controller answers within its timeout, or not at all.
const INVOCATION: Duration = TIMEOUT.saturating_add(Duration::from_secs(15));

/// The installation, as it is reached from here.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) controller: Controller,
    home: Home,
    source: Source,
    function: String,
    direct: bool,
}

impl Connection {
    /// Nothing is called yet, but for what the region and the credentials come from.
    pub(crate) async fn open(reach: &Reach) -> Result<Self, Error> {
        let Reach { configuration, installation, function, direct } = reach;
        let home = home().await?;
        let source = match configuration {
            Some(path) => Source::File(path.clone()),
            None => Source::Parameters { installation: installation.clone(), copy: None },
        };
        let controller = Controller::new(home.clone(), source.clone(), cache());
        let function = function.clone().unwrap_or_else(|| format!("tidegate-{installation}"));
        Ok(Self { controller, home, source, function, direct: *direct })
    }

    /// The configuration, read here.
    pub(crate) async fn configuration(&self) -> Result<Configuration, Error> {
        config::load(&self.source, &self.home, &Kept::default())
            .await
            .map_err(|error| Error::unavailable(chain(&error)))
    }

    /// Where the controller decides: there, or here if the person says so.
    pub(crate) async fn send(&self, command: &Command) -> Result<Answer, Error> {
        if self.direct {
            let actor = identity::caller(&self.home).await.ok().flatten();
            return Ok(self.controller.run(command, &caller(actor)).await);
        }
        self.ask(command).await
    }

    /// What only reads is read here, so that it works while the controller does not; where that cannot be, it is asked.
    pub(crate) async fn read(&self, command: &Command, out: &Out) -> Result<Answer, Error> {
        let answer = self.controller.run(command, &caller(None)).await;
        if self.direct || !is_unavailable(&answer) {
            return Ok(answer);
        }
        match self.ask(command).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                out.warning(&format!("the controller could not be asked either: {error}"));
                Ok(answer)
            }
        }
    }

    async fn ask(&self, command: &Command) -> Result<Answer, Error> {
        let mut payload = serde_json::to_value(command).map_err(|error| Error::unavailable(error.to_string()))?;
        // The controller sees an invocation, and not by whom: history shall name a person.
        let caller = identity::caller(&self.home).await.ok().flatten();
        if let (Some(event), Some(caller)) = (payload.as_object_mut(), caller) {
            event.insert("caller".to_owned(), caller.into());
        }
        let payload = payload.to_string().into_bytes();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(INVOCATION)
            .operation_attempt_timeout(INVOCATION)
            .operation_timeout(INVOCATION)
            .build();
        // Sent once: an answer that was lost says nothing about what was done.
        let config = aws_sdk_lambda::config::Builder::from(self.home.config())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled())
            .build();
        let client = aws_sdk_lambda::Client::from_conf(config);
        let answer = client.invoke().function_name(&self.function).payload(Blob::new(payload)).send().await;
        let answer = answer.map_err(|error| self.no_answer(&failed("lambda:Invoke", &self.function)(error)))?;
        let body = answer.payload.map(Blob::into_inner).unwrap_or_default();
        match answer.function_error {
            Some(_) => Err(self.function_failed(&body)),
            None => serde_json::from_slice(&body).map_err(|error| {
                Error::unavailable(format!(
                    "the answer of the controller `{}` is not understood: {error}",
                    self.function
                ))
                .hint(OTHER_BUILD)
            }),
        }
    }

    fn no_answer(&self, error: &CallError) -> Error {
        let Self { function, .. } = self;
        let region = self.home.config().region().map(ToString::to_string).unwrap_or_default();
        let direct = "`--direct` runs the command here, with your own credentials";
        match error.kind {
            Kind::NotFound => Error::unavailable(format!("there is no controller `{function}` in {region}"))
                .hint("name it with `--function` or `--installation`, or set `AWS_REGION`; `--direct` does without it"),
            Kind::Denied if error.code.is_none() => no_credentials(&error.message),
            Kind::Denied => {
                Error::refused(format!("you may not invoke the controller `{function}`: {}", error.message))
                    .hint(format!("you need `lambda:InvokeFunction` on it; {direct}"))
            }
            Kind::Unreachable => Error::unavailable(format!(
                "the controller `{function}` did not answer: {}; what was asked for may have been done",
                error.message
            ))
            .hint(format!("`tidegate status` shows how it stands; {direct}")),
            Kind::Conflict | Kind::Raced | Kind::Throttled | Kind::Invalid | Kind::Spent => {
                Error::unavailable(format!("the controller could not be invoked: {error}")).hint(direct)
            }
        }
    }

    fn function_failed(&self, body: &[u8]) -> Error {
        let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let message = body.get("errorMessage").and_then(serde_json::Value::as_str);
        let message: String = message.unwrap_or("it ended without a message").chars().take(500).collect();
        Error::unavailable(format!("the controller `{}` failed: {message}", self.function))
            .hint(format!("its log says more: `aws logs tail /aws/lambda/{} --since 10m`", self.function))
    }
}

/// The account and region that the caller's own credentials and settings lead to.
pub(crate) async fn home() -> Result<Home, Error> {
    let home = Home::from_environment().await;
    if home.config().region().is_none() {
        return Err(Error::unavailable("there is no AWS region")
            .hint("set `AWS_REGION`, or `region` in the profile that `AWS_PROFILE` names"));
    }
    Ok(home)
}

/// There is nobody as whom AWS could be asked. `message` says why, as the SDK or AWS puts it.
pub(crate) fn no_credentials(message: &str) -> Error {
    // Of a machine without any the SDK gives a page of places where it looked.
    let error = if message.contains("no credentials found in chain") {
        Error::unavailable("there are no AWS credentials")
    } else {
        Error::unavailable(format!("there are no usable AWS credentials: {message}"))
    };
    error.hint("sign in, or set `AWS_PROFILE`")
}

fn is_unavailable(answer: &Answer) -> bool {
    let unavailable = |kind: FailureKind| kind == FailureKind::Unavailable;
    match answer {
        Answer::Failed(failure) => unavailable(failure.kind),
        Answer::Reports { reports: _, failures } => failures.iter().any(|failure| unavailable(failure.kind)),
        Answer::History { .. } | Answer::Record { .. } | Answer::Services { .. } | Answer::Versions { .. } => false,
    }
}

/// The person at this machine, for the history. Without an identity of AWS it is the machine's user.
pub(crate) fn caller(arn: Option<String>) -> Caller {
    let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
    let actor = arn.or_else(user).unwrap_or_else(|| "a person, from the command line".to_owned());
    Caller { actor, id: format!("cli-{}", uuid::Uuid::new_v4()), deadline: Instant::now() + TIMEOUT }
}

/// Where fetched commits are kept between commands.
fn cache() -> PathBuf {
    let directory = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || directory("HOME").map(|home| home.join(".cache"));
    directory("XDG_CACHE_HOME").or_else(home).unwrap_or_else(std::env::temp_dir).join("tidegate")
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.ends_with(&cause) { text } else { format!("{text}: {cause}") }
    })
}
