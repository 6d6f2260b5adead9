//! What a version runs: a closure of the test, or a process that is kept warm between events.
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::json;
use tempfile::TempDir;

use super::Key;
use super::code::Archive;
use super::model::Snapshot;
use crate::LocalAws;
use crate::process::Sandbox;

/// What a closure is given with an event, as a process finds it in its environment and in the Runtime API's headers.
#[derive(Clone, Debug)]
pub struct Context {
    /// The invocation's id: the same again when Lambda retries an event.
    pub request_id: String,
    /// The function's name.
    pub function: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// The ARN that was invoked, with its qualifier.
    pub invoked_arn: String,
    /// The function's account and region.
    pub account: String,
    /// The function's region.
    pub region: String,
    /// The image's environment and the function's over it.
    pub environment: BTreeMap<String, String>,
    /// Until when it has to answer, in tokio's time.
    pub deadline: tokio::time::Instant,
}

/// One event for a closure.
#[derive(Clone, Debug)]
pub struct Event {
    /// JSON.
    pub payload: Bytes,
    /// What surrounds it.
    pub context: Context,
}

/// A handler's failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct FunctionError {
    /// For example `FlightNotFound`.
    pub error_type: String,
    /// What a person reads.
    pub message: String,
}

impl FunctionError {
    pub(crate) fn payload(&self) -> Bytes {
        Bytes::from(json!({ "errorType": self.error_type, "errorMessage": self.message }).to_string())
    }
}

/// A program that is a closure of the test: an image names it with `dev.tidegate.local.program: closure:NAME`.
pub type Handler = Arc<dyn Fn(Event) -> BoxFuture<'static, Result<Bytes, FunctionError>> + Send + Sync>;

impl LocalAws {
    /// From now on images with the program `closure:name` run `handler`.
    pub fn register_program(&self, name: &str, handler: Handler) {
        self.lambda().handlers.insert(name.to_owned(), handler);
    }
}

/// How an image is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Launch {
    /// A program on this machine's disk.
    Executable { path: PathBuf, environment: BTreeMap<String, String> },
    /// A closure, by the name that it was registered under.
    Closure { name: String, environment: BTreeMap<String, String> },
}

/// A process without work.
struct Warm {
    id: u64,
    key: Key,
    snapshot: Arc<Snapshot>,
    label: String,
    sandbox: Sandbox,
}

/// The processes without work, and the archives that were unpacked.
#[derive(Default)]
pub(crate) struct Pool {
    warm: Vec<Warm>,
    unpacked: BTreeMap<String, Arc<TempDir>>,
    next: u64,
}

impl Pool {
    /// A warm process of exactly this content: an update makes the ones before useless.
    pub(crate) fn take(&mut self, key: &Key, label: &str, snapshot: &Arc<Snapshot>) -> Option<Sandbox> {
        let fits = |warm: &Warm| warm.key == *key && warm.label == label && Arc::ptr_eq(&warm.snapshot, snapshot);
        while let Some(position) = self.warm.iter().rposition(fits) {
            let mut warm = self.warm.remove(position);
            if warm.sandbox.is_alive() {
                return Some(warm.sandbox);
            }
        }
        None
    }

    /// Keeps a process for the next event, and gives the id to end it by.
    pub(crate) fn put(&mut self, key: Key, label: String, snapshot: Arc<Snapshot>, sandbox: Sandbox) -> u64 {
        self.next += 1;
        self.warm.push(Warm { id: self.next, key, snapshot, label, sandbox });
        self.next
    }

    /// Ends a process that is still without work.
    pub(crate) fn end(&mut self, id: u64) {
        self.warm.retain(|warm| warm.id != id);
    }

    /// Ends the processes of a function that is gone.
    pub(crate) fn forget(&mut self, key: &Key) {
        self.warm.retain(|warm| warm.key != *key);
    }

    /// Where an archive is unpacked: once for all processes.
    pub(crate) fn unpack(&mut self, archive: &Archive) -> std::io::Result<Arc<TempDir>> {
        if let Some(directory) = self.unpacked.get(&archive.sha256) {
            return Ok(Arc::clone(directory));
        }
        let directory = Arc::new(extract(archive)?);
        self.unpacked.insert(archive.sha256.clone(), Arc::clone(&directory));
        Ok(directory)
    }
}

fn extract(archive: &Archive) -> std::io::Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("local-aws-task-").tempdir()?;
    let mut files = zip::ZipArchive::new(Cursor::new(&archive.bytes)).map_err(std::io::Error::other)?;
    files.extract(directory.path()).map_err(std::io::Error::other)?;
    make_executable(&directory.path().join("bootstrap"))?;
    Ok(directory)
}

/// Archives made without Unix permissions, by Python's `zipfile` for example, must run as well. That is kinder than AWS.
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::metadata(path) {
        Ok(metadata) => {
            let mut permissions = metadata.permissions();
            permissions.set_mode(permissions.mode() | 0o500);
            std::fs::set_permissions(path, permissions)
        }
        Err(_) => Ok(()),
    }
}
