//! What functions print, as CloudWatch Logs would keep it: a ring in memory, and files where they are wanted.
use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Key;
use crate::LocalAws;
use crate::world::{WeakAws, lock};

/// How many lines are kept in memory, of all functions together.
const LINES: usize = 50_000;
/// How much of a log `LogType: Tail` gives.
const TAIL: usize = 4096;

/// One line of one function.
#[derive(Clone, Debug, Serialize)]
pub struct LogLine {
    /// On the world's clock.
    pub at: DateTime<Utc>,
    /// The function's account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its name.
    pub function: String,
    /// The version that ran.
    pub version: String,
    /// The invocation that ran when the line was printed, if one did.
    pub request_id: Option<String>,
    /// The line, without its end.
    pub text: String,
}

/// The newest lines of all functions.
#[derive(Default)]
pub(crate) struct Logs {
    lines: VecDeque<LogLine>,
}

impl Logs {
    fn push(&mut self, line: LogLine) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

impl LocalAws {
    /// What the functions of that name printed, in every account and region, oldest first.
    #[must_use]
    pub fn function_logs(&self, function: &str) -> Vec<LogLine> {
        self.lambda().logs.lines.iter().filter(|line| line.function == function).cloned().collect()
    }

    /// What all functions printed, oldest first.
    #[must_use]
    pub fn all_function_logs(&self) -> Vec<LogLine> {
        self.lambda().logs.lines.iter().cloned().collect()
    }
}

#[derive(Default)]
struct Current {
    request_id: Option<String>,
    text: String,
}

/// Where one process's lines go. It does not keep the world alive.
#[derive(Clone)]
pub(crate) struct Sink {
    aws: WeakAws,
    key: Key,
    version: String,
    current: Arc<Mutex<Current>>,
}

impl Sink {
    pub(crate) fn new(aws: &LocalAws, key: &Key, version: &str) -> Self {
        Self { aws: aws.downgrade(), key: key.clone(), version: version.to_owned(), current: Arc::default() }
    }

    /// From here on lines belong to this invocation.
    pub(crate) fn start(&self, request_id: &str) {
        *lock(&self.current) = Current { request_id: Some(request_id.to_owned()), text: String::new() };
        self.line(&format!("START RequestId: {request_id} Version: {}", self.version));
    }

    /// Writes one line.
    pub(crate) fn line(&self, text: &str) {
        let Some(aws) = self.aws.upgrade() else { return };
        let request_id = {
            let mut current = lock(&self.current);
            current.text.push_str(text);
            current.text.push('\n');
            current.request_id.clone()
        };
        let line = LogLine {
            at: aws.clock().now(),
            account: self.key.account.clone(),
            region: self.key.region.clone(),
            function: self.key.name.clone(),
            version: self.version.clone(),
            request_id,
            text: text.to_owned(),
        };
        self.write_file(&aws, &line);
        aws.lambda().logs.push(line);
    }

    /// A file that cannot be written must not break an invocation: the ring in memory has the line.
    fn write_file(&self, aws: &LocalAws, line: &LogLine) {
        let Some(directory) = &aws.options().logs else { return };
        let path = directory.join(format!("{}-{}-{}.log", self.key.account, self.key.region, self.key.name));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let at = line.at.format("%Y-%m-%dT%H:%M:%S%.3fZ");
        let _ = file.and_then(|mut file| file.write_all(format!("{at} {}\n", line.text).as_bytes()));
    }

    /// The end of this invocation's log, in base64 as `X-Amz-Log-Result` has it.
    pub(crate) fn tail(&self) -> String {
        let current = lock(&self.current);
        let bytes = current.text.as_bytes();
        BASE64_STANDARD.encode(&bytes[bytes.len().saturating_sub(TAIL)..])
    }
}
