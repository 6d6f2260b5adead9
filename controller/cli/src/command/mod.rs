//! The commands, one file each, and what those that change or read an environment share.
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod files;
pub(crate) mod history;
pub(crate) mod init;
mod progress;
pub(crate) mod prune_versions;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod validate;
pub(crate) mod word;

use tidegate_core::report::{Answer, Failure, TickReport};

use crate::exit::{Error, Exit};
use crate::out::Out;

/// The reports of an answer, with what could not be done; an answer that is no report at all is an error.
fn reports(answer: Answer) -> Result<(Vec<TickReport>, Vec<Failure>), Error> {
    match answer {
        Answer::Reports { reports, failures } => Ok((reports, failures)),
        Answer::Failed(failure) => Err(Error::from(failure)),
        Answer::History { .. } | Answer::Record { .. } | Answer::Services { .. } | Answer::Versions { .. } => {
            Err(Error::unexpected_answer())
        }
    }
}

/// Shows what could not be done, and gives the worst exit code of it.
fn show_failures(failures: Vec<Failure>, out: &Out) -> Exit {
    let mut worst = Exit::Done;
    for failure in failures {
        let error = Error::from(failure);
        out.error(&error.message, error.hint.as_deref());
        worst = worst.max(error.exit);
    }
    worst
}
