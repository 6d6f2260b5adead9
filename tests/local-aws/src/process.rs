//! Runs a function's program as a child process, one event at a time, and ends it when it is late or no longer needed.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::lambda::Sink;
use crate::runtime_api::{Delivery, Reply, RuntimeApi};

/// Lambda's limit for a function's initialisation.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// How long a process that has answered is given to ask for its next event: what it prints until then belongs to this one.
const WIND_UP: Duration = Duration::from_millis(200);

/// How a process is started.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) directory: PathBuf,
    /// Everything that it finds in its environment, but the Runtime API's address.
    pub(crate) environment: BTreeMap<String, String>,
    /// Where an archive was unpacked; kept as long as the process.
    pub(crate) unpacked: Option<Arc<TempDir>>,
}

/// A running process and its Runtime API. Dropping it kills the process.
pub(crate) struct Sandbox {
    child: Child,
    api: RuntimeApi,
    sink: Sink,
    /// Whether it has asked for an event before.
    initialised: bool,
    _unpacked: Option<Arc<TempDir>>,
}

/// How one event went.
pub(crate) struct Ran {
    /// The answer, or the error object.
    pub(crate) result: Result<Bytes, Bytes>,
    /// From the delivery on.
    pub(crate) duration: Duration,
    /// Of the first event of a process: how long that took to get ready.
    pub(crate) init: Option<Duration>,
    /// Whether the process can take another event.
    pub(crate) reusable: bool,
}

enum End {
    Reply(Reply),
    Exited(String),
    TimedOut,
}

impl Sandbox {
    /// Starts the process; it becomes ready while the first event waits.
    pub(crate) async fn start(program: Program, sink: Sink) -> std::io::Result<Self> {
        let api = RuntimeApi::open().await?;
        let mut child = Command::new(&program.path)
            .current_dir(&program.directory)
            .env_clear()
            .envs(&program.environment)
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(copy_lines(stdout, sink.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(copy_lines(stderr, sink.clone()));
        }
        Ok(Self { child, api, sink, initialised: false, _unpacked: program.unpacked })
    }

    /// Where its output goes.
    pub(crate) fn sink(&self) -> &Sink {
        &self.sink
    }

    /// Whether the process still lives.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Runs one event. The timeout counts real time, whatever the world's clock: a program cannot run faster than it does.
    pub(crate) async fn run(&mut self, delivery: Delivery) -> Ran {
        let request_id = delivery.request_id.clone();
        let mut asked = self.api.asked();
        let mut init = None;
        if !self.initialised {
            match self.initialise(&request_id).await {
                Ok(took) => init = Some(took),
                Err(error) => return Ran { result: Err(error), duration: Duration::ZERO, init: None, reusable: false },
            }
        }
        asked.mark_unchanged();
        let timeout = delivery.timeout;
        let began = Instant::now();
        let reply = self.api.deliver(delivery);
        let end = tokio::select! {
            biased;
            Ok(reply) = reply => End::Reply(reply),
            status = self.child.wait() => End::Exited(exit_text(status)),
            () = tokio::time::sleep(timeout) => End::TimedOut,
        };
        let duration = began.elapsed();
        let (result, reusable) = match end {
            End::Reply(reply) => {
                // Ready again, or gone: the next event finds out which.
                let _ = tokio::time::timeout(WIND_UP, asked.changed()).await;
                match reply {
                    Reply::Response(body) => (Ok(body), true),
                    Reply::Error(body) => (Err(body), true),
                }
            }
            End::Exited(text) => (Err(runtime_error("Runtime.ExitError", &request_id, &text)), false),
            End::TimedOut => {
                let _ = self.child.start_kill();
                let text = format!("Task timed out after {:.2} seconds", timeout.as_secs_f64());
                (Err(runtime_error("Sandbox.Timedout", &request_id, &text)), false)
            }
        };
        Ran { result, duration, init, reusable }
    }

    /// Waits until the process asks for its first event.
    async fn initialise(&mut self, request_id: &str) -> Result<Duration, Bytes> {
        let began = Instant::now();
        let mut asked = self.api.asked();
        let end = tokio::select! {
            biased;
            _ = asked.wait_for(|asked| *asked > 0) => None,
            status = self.child.wait() => Some(End::Exited(exit_text(status))),
            () = tokio::time::sleep(INIT_LIMIT) => Some(End::TimedOut),
        };
        let Some(end) = end else {
            self.initialised = true;
            return Ok(began.elapsed());
        };
        let _ = self.child.start_kill();
        // What it printed last has to arrive before the report does.
        tokio::time::sleep(Duration::from_millis(5)).await;
        if let Some(error) = self.api.init_error() {
            return Err(error);
        }
        Err(match end {
            End::Exited(text) => runtime_error("Runtime.ExitError", request_id, &text),
            End::TimedOut | End::Reply(_) => {
                runtime_error("Sandbox.Timedout", request_id, "Init timed out after 10.00 seconds")
            }
        })
    }
}

/// An error object as Lambda itself writes it.
pub(crate) fn runtime_error(error_type: &str, request_id: &str, text: &str) -> Bytes {
    let message = format!("RequestId: {request_id} Error: {text}");
    Bytes::from(json!({ "errorType": error_type, "errorMessage": message }).to_string())
}

fn exit_text(status: std::io::Result<std::process::ExitStatus>) -> String {
    match status {
        Ok(status) if status.success() => "Runtime exited without providing a reason".to_owned(),
        Ok(status) => format!("Runtime exited with error: {status}"),
        Err(error) => format!("Runtime exited with error: {error}"),
    }
}

async fn copy_lines(stream: impl AsyncRead + Unpin, sink: Sink) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(read) = reader.read_until(b'\n', &mut line).await {
        if read == 0 {
            return;
        }
        sink.line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        line.clear();
    }
}
