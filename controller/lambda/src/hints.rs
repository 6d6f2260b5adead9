//! Follows hints: a whole batch is one look, and what could not be looked at now is given back to the queue.
use std::collections::BTreeSet;

use serde::Serialize;
use tidegate_core::report::Answer;
use tidegate_runtime::controller::{Caller, Controller};
use tidegate_runtime::hint::Sighting;

use crate::event::{Batch, Happening, Record, Unread};

/// Whoever may not tick may not be hinted at a tick.
pub(crate) const NEEDS: &str = "sync";

/// What a queue is answered: the records that are to come again (`ReportBatchItemFailures`). How often is the queue's to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchReply {
    /// Those records; all others are done with.
    pub batch_item_failures: Vec<FailedRecord>,
}

/// A record that is to come again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedRecord {
    /// How the queue knows it.
    pub item_identifier: String,
}

/// Looks where the records of a batch say. What cannot be read says nothing, and does not come again.
pub(crate) async fn batch(controller: &Controller, Batch(records): Batch, caller: &Caller) -> BatchReply {
    let mut counts = Counts { records: records.len(), ..Counts::default() };
    let changes: Vec<(Option<String>, Sighting)> =
        records.into_iter().filter_map(|Record { id, happening }| Some((id, counts.change(happening)?))).collect();
    let sightings: BTreeSet<Sighting> = changes.iter().map(|(_, sighting)| sighting.clone()).collect();
    let Counts { records, own, nothing, unread } = counts;
    tracing::info!(records, own, nothing, unread, hints = sightings.len(), "batch");
    if sightings.is_empty() {
        return BatchReply::default();
    }
    let missed = Box::pin(controller.look(&sightings, caller)).await.missed;
    let again = changes.into_iter().filter(|(_, sighting)| missed.contains(&sighting.hint));
    let failed = |id| FailedRecord { item_identifier: id };
    BatchReply { batch_item_failures: again.filter_map(|(id, _)| id).map(failed).collect() }
}

/// Looks where one event says that came without a queue. Nobody sends it again.
pub(crate) async fn one(controller: &Controller, happening: Result<Happening, Unread>, caller: &Caller) -> Answer {
    match Counts::default().change(happening) {
        Some(sighting) => Box::pin(controller.look(&BTreeSet::from([sighting]), caller)).await.answer,
        None => Answer::Reports { reports: Vec::new(), failures: Vec::new() },
    }
}

/// How many records were what.
#[derive(Debug, Default)]
struct Counts {
    records: usize,
    own: usize,
    nothing: usize,
    unread: usize,
}

impl Counts {
    /// The change that a record tells of; what else it is, is counted.
    fn change(&mut self, happening: Result<Happening, Unread>) -> Option<Sighting> {
        match happening {
            Ok(Happening::Change(sighting)) => return Some(sighting),
            Ok(Happening::Own) => self.own += 1,
            Ok(Happening::Nothing(why)) => {
                tracing::debug!(why, "an event says nothing of interest");
                self.nothing += 1;
            }
            Err(unread) => {
                tracing::warn!(%unread, "an event cannot be read, and is passed over");
                self.unread += 1;
            }
        }
        None
    }
}
