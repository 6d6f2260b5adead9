//! What people do in a world, and the traffic that they send.
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_lambda::types::AliasRoutingConfiguration;
use local_aws::{AliasRef, MetricFate, Traffic, VersionState};
use stories::account::BUCKET;
use tidegate_core::command::{Command, To};
use tidegate_core::history::{Deployed, Record};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::marker::Marker;
use tidegate_core::report::{Answer, Failure, FailureKind, ServiceReport, TickReport};
use tidegate_core::status::WaitingOn;

use super::{ACCOUNT, ALIAS, PREFIX, REGION, World, is_bad};
use crate::facts::{Commit, Facts, Known};
use crate::invariants::{self, document};
use crate::process::Order;
use crate::release::{Content, Place, alarm, function};
use crate::story::{Document, Event, Word};

/// Requests that a judged service has in a minute.
const REQUESTS: u32 = 600;

impl World {
    /// What people do in a minute; what was not answered in the one before comes first.
    pub(super) async fn people_do(&mut self, events: &[Event]) {
        let again = std::mem::take(&mut self.again);
        for event in again.iter().chain(events) {
            self.watch.note(|| format!("  {event:?}"));
            Box::pin(self.happen(event)).await;
        }
    }

    /// Runs a person's command. They say it again where nothing came of it but trouble, or where the next tick has to see first
    /// what they mean.
    async fn ask(&mut self, event: &Event, order: Order) {
        // They know better: the configuration was read as it was before.
        let is_unknown_there = |failure: &Failure| failure.message.starts_with("there is no environment");
        // Who confirms a commit is refused while another tick is at work, and reads so.
        let unavailable = |failure: &Failure| match failure.kind {
            FailureKind::Unavailable => true,
            FailureKind::Refused => matches!(event, Event::Confirm(_)) || is_unknown_there(failure),
            FailureKind::InvalidRelease => false,
        };
        let too_early = |report: &ServiceReport| {
            matches!(event, Event::Say(_, Word::Resume)) && report.standing.waiting_on == Some(WaitingOn::NextTick)
        };
        let heard = match self.run(order, "ada").await {
            None => false,
            Some(Answer::Failed(failure)) => !unavailable(&failure),
            Some(Answer::Services { failures, reports, .. }) => {
                !failures.values().any(unavailable) && !reports.values().any(too_early)
            }
            Some(Answer::Reports { failures, .. }) => !failures.iter().any(unavailable),
            Some(Answer::History { .. } | Answer::Record { .. } | Answer::Versions { .. }) => true,
        };
        if !heard {
            self.again.push(event.clone());
        }
    }

    /// Requests through the aliases of all services that are judged.
    pub(super) fn traffic(&self) {
        let (functions, images) = self.watch.learn(|facts| {
            let judged = facts.functions.keys().filter(|place| {
                facts.commits.values().any(|commit| commit.content.services.get(place).is_some_and(|it| it.judged))
            });
            (judged.copied().collect::<Vec<Place>>(), facts.images.clone())
        });
        let now = self.aws.clock().now();
        for place in functions {
            let function = function(place);
            let Some(view) = self.aws.function(ACCOUNT, REGION, &function) else { continue };
            let Some(alias) = view.aliases.get(ALIAS) else { continue };
            for number in invariants::named(alias) {
                let code = view.versions.get(&number).map(|version| version.code.clone()).unwrap_or_default();
                let bad = images.get(&(place.1.to_owned(), code)).is_some_and(|tag| is_bad(tag));
                let invocations = REQUESTS * invariants::share(Some(alias), number) / 10_000;
                let errors = if bad { invocations / 2 } else { 0 };
                let traffic = Traffic { invocations, errors, throttles: 0, duration: Duration::from_millis(40) };
                let (account, region) = (ACCOUNT.to_owned(), REGION.to_owned());
                let alias = AliasRef { account, region, function: function.clone(), alias: ALIAS.to_owned() };
                self.aws.record_traffic(&alias, &number.to_string(), now, traffic);
            }
        }
    }

    /// A commit on `main`; gives its id.
    pub(super) fn push(&mut self, content: Content, parent: Option<String>, message: &str) -> String {
        let id = self.forge.commit(parent.as_deref(), &content.files(), self.aws.clock().now(), message);
        self.watch.learn(|facts| {
            for (place, wanted) in &content.services {
                let Some(known) = facts.functions.get_mut(place) else { continue };
                let was = self.content.services.get(place);
                if was.is_none_or(|was| (&was.tag, was.memory) != (&wanted.tag, wanted.memory)) {
                    known.held.clear();
                }
                // The commit that is read now is younger than the rollback, and does not say that the one before it is older.
                known.forget_overtaken();
            }
            facts.commits.insert(id.clone(), Commit { parent, content: content.clone() });
            facts.newest.clone_from(&id);
        });
        self.content = content;
        self.origin().main.push(id.clone());
        id
    }

    fn push_next(&mut self, content: Content, message: &str) {
        let parent = Some(self.origin().head().to_owned());
        self.push(content, parent, message);
    }

    /// What a commit on `main` said, so many pushes ago.
    fn content_back(&self, pushes: usize) -> Option<(String, Content)> {
        let id = self.origin().main.iter().rev().nth(pushes).cloned()?;
        let content = self.watch.learn(|facts| facts.commits.get(&id).map(|commit| commit.content.clone()))?;
        Some((id, content))
    }

    /// Something happens.
    pub async fn happen(&mut self, event: &Event) {
        match event {
            Event::Merge(place, wanted) => {
                let mut content = self.content.clone();
                content.broken.remove(place.0);
                content.services.insert(*place, wanted.clone());
                self.push_next(content, &format!("Release {} {}", place.1, wanted.tag));
            }
            Event::MergeBroken(environment, flaw) => {
                let mut content = self.content.clone();
                content.broken.insert(environment, *flaw);
                self.push_next(content, "Break it");
            }
            Event::Revert(pushes) => {
                if let Some((_, content)) = self.content_back(*pushes) {
                    self.push_next(content, "Revert");
                }
            }
            Event::Rewrite(pushes) => {
                if let Some((id, content)) = self.content_back(*pushes) {
                    self.push(content, Some(id), "Begin anew");
                }
            }
            Event::Git(up) => self.origin().down = !up,
            Event::PushAgain(place, tag) => {
                // As another image each time.
                let labels = |facts: &mut Facts| facts.images.values().filter(|label| label.starts_with(tag)).count();
                let label = format!("{tag}{}", " again".repeat(self.watch.learn(labels)));
                self.push_image(&self.people(), place.1, tag, &label).await;
            }
            Event::EditAlias(place, version, other) => self.edit_alias(*place, *version, *other).await,
            Event::AliasOfLatest(place) => {
                let edit = self.people().lambda.update_alias().function_name(function(*place)).name(ALIAS);
                let none = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(HashMap::new()));
                // It may be gone.
                let _refused = edit.function_version("$LATEST").routing_config(none.build()).send().await;
            }
            Event::DeleteAlias(place) => {
                let delete = self.people().lambda.delete_alias().function_name(function(*place)).name(ALIAS);
                let _refused = delete.send().await;
            }
            Event::DeleteVersion(place, version) => {
                let delete = self.people().lambda.delete_function().function_name(function(*place));
                // An alias may name it, or there may be no such version.
                let _refused = delete.qualifier(version.to_string()).send().await;
            }
            Event::EditConcurrency(place, concurrency) => {
                let edit = self.people().lambda.put_function_concurrency().function_name(function(*place));
                let concurrency = i32::try_from(*concurrency).expect("a small number");
                edit.reserved_concurrent_executions(concurrency).send().await.expect("it fits the account");
            }
            Event::EditLatest(place) => {
                let edit = self.people().lambda.update_function_configuration().function_name(function(*place));
                // While an update is in progress people are refused as well.
                let _refused = edit.memory_size(1024).send().await;
            }
            Event::Alarm(place, red) => {
                use aws_sdk_cloudwatch::types::StateValue;
                let state = if *red { StateValue::Alarm } else { StateValue::Ok };
                let set = self.people().cloudwatch.set_alarm_state().alarm_name(alarm(*place)).state_value(state);
                set.state_reason("the story").send().await.expect("an alarm");
            }
            Event::Lose(place, document) => self.lose(*place, *document).await,
            Event::RollBack(place) => {
                let order = self.order(rollback(*place, None), place.0, Some((*place, "rollback")));
                self.ask(event, order).await;
            }
            Event::RollBackTo(place, record) => {
                let order = self.order(rollback(*place, Some(*record)), place.0, Some((*place, "rollback")));
                self.ask(event, order).await;
            }
            Event::Say(place, word) => {
                let order = self.word(*place, *word);
                self.ask(event, order).await;
            }
            Event::Idle(place, version) => {
                self.aws.set_version_state(
                    ACCOUNT,
                    REGION,
                    &function(*place),
                    &version.to_string(),
                    VersionState::Inactive,
                );
            }
            Event::Metrics(there) => {
                let now = self.aws.clock().now();
                if *there {
                    self.aws.mend_metrics();
                } else {
                    self.aws.disturb_metrics(
                        now - chrono::TimeDelta::hours(1)..now + chrono::TimeDelta::days(1),
                        MetricFate::Lost,
                    );
                }
                self.watch.learn(|facts| facts.no_metrics = !there);
            }
            Event::Confirm(environment) => {
                let head = self.origin().head().to_owned();
                self.watch.learn(|facts| facts.confirmed.insert(head.clone()));
                let order = self.order(confirm(environment, head), environment, None);
                self.ask(event, order).await;
            }
            Event::Sleep(minutes) => tokio::time::sleep(Duration::from_secs(u64::from(*minutes) * 60)).await,
        }
    }

    async fn edit_alias(&self, place: Place, version: u64, other: Option<(u64, u8)>) {
        let weights = other.map(|(number, percent)| (number.to_string(), f64::from(percent) / 100.0));
        let routing =
            AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights.into_iter().collect()));
        let edit = self.people().lambda.update_alias().function_name(function(place)).name(ALIAS);
        let edit = edit.function_version(version.to_string()).routing_config(routing.build());
        // There may be no such version in this turn of the story.
        let _refused = edit.send().await;
    }

    async fn lose(&self, (environment, service): Place, document: Document) {
        let name = match document {
            Document::State => format!("state/{environment}/{service}.json"),
            Document::Head => format!("history/{environment}/{service}/head.json"),
            Document::Desired => format!("desired/{environment}.json"),
            Document::All => String::new(),
        };
        let people = self.people();
        for key in self.aws.object_keys(BUCKET, &format!("{PREFIX}{name}")) {
            people.s3.delete_object().bucket(BUCKET).key(key).send().await.expect("a delete");
        }
        self.watch.learn(|facts| {
            let lost = facts.functions.iter_mut();
            let lost = lost.filter(|(place, _)| **place == (environment, service) || document == Document::All);
            lost.for_each(|(_, known)| known.touched = true);
        });
        match document {
            // Nobody knows any more that these were published for a release.
            Document::State => {
                let recorded = self.recorded((environment, service));
                self.watch.learn(|facts| {
                    if let Some(known) = facts.functions.get_mut(&(environment, service)) {
                        known.ours.retain(|number, _| recorded.contains(number));
                    }
                });
            }
            Document::All => self.watch.learn(|facts| {
                facts.applied.clear();
                facts.functions.values_mut().for_each(forget);
            }),
            // What the environment's report tells is all that is left of what was applied.
            Document::Desired => {
                let report: Option<TickReport> = invariants::document(&self.aws, &format!("status/{environment}.json"));
                let told = report.and_then(|report| report.commit).map(|commit| commit.id);
                self.watch.learn(|facts| match told {
                    Some(told) => drop(facts.applied.insert(environment.to_owned(), told)),
                    None => drop(facts.applied.remove(environment)),
                });
            }
            Document::Head => {}
        }
    }

    /// The versions that a service's history tells of.
    fn recorded(&self, (environment, service): Place) -> BTreeSet<u64> {
        let record =
            |number: u32| document::<Record>(&self.aws, &format!("history/{environment}/{service}/{number:010}.json"));
        let told = |record: Record| {
            let version = |deployed: Option<Deployed>| deployed.and_then(|deployed| deployed.version);
            let ends = [version(record.from), record.to.version, version(record.ended)];
            ends.into_iter().flatten().map(|version| version.number())
        };
        (1..).map_while(record).flat_map(told).collect()
    }

    /// A word to a service, as a person says it.
    fn word(&mut self, place: Place, word: Word) -> Order {
        let (environment, service) = (place.0.parse().expect("a name"), place.1.parse().expect("a name"));
        let full = word == Word::PromoteFull;
        let to = To { environment, service, reason: Some("the story".to_owned()), full, force: false };
        let (command, name) = match word {
            Word::Promote | Word::PromoteFull => (Command::Promote(to), "promote"),
            Word::Abort => (Command::Abort(to), "abort"),
            Word::Pause => (Command::Pause(to), "pause"),
            Word::Resume => (Command::Resume(to), "resume"),
            Word::Retry => (Command::Retry(to), "retry"),
            Word::Unhold => (Command::Unhold(to), "unhold"),
            Word::Sync => {
                let To { environment, service, .. } = to;
                (
                    Command::Sync {
                        environment: Some(environment),
                        service: Some(service),
                        confirm: None,
                        shard: None,
                        repin: false,
                    },
                    "sync",
                )
            }
        };
        self.watch.learn(|facts| {
            let Some(known) = facts.functions.get_mut(&place) else { return };
            match word {
                Word::Promote => known.promoted = true,
                Word::PromoteFull => known.promoted_fully = true,
                Word::Unhold | Word::Retry => known.held.clear(),
                Word::Sync | Word::Abort | Word::Pause | Word::Resume => {}
            }
        });
        self.order(command, place.0, Some((place, name)))
    }
}

/// What nothing tells any more once all that was stored is lost: an alias's own marker does of a hold, as long as it is there.
fn forget(known: &mut Known) {
    known.ours.clear();
    known.forget_overtaken();
    let alias = known.view.as_ref().and_then(|view| view.aliases.get(ALIAS));
    // Nor that the primary version has its traffic from a hand, and never was live.
    let primary: Option<u64> = alias.filter(|_| known.edited.is_some()).and_then(|alias| alias.version.parse().ok());
    known.by_hand.extend(primary);
    known.edited = None;
    let marker = alias.and_then(|alias| Marker::parse(&alias.description));
    if marker.is_none_or(|marker| marker.held.is_none()) {
        known.held.clear();
    }
}

fn confirm(environment: &str, commit: String) -> Command {
    Command::Sync {
        environment: environment.parse().ok(),
        service: None,
        confirm: Some(commit),
        shard: None,
        repin: false,
    }
}

pub(super) fn rollback((environment, service): Place, to: Option<u64>) -> Command {
    let (environment, service) = (environment.parse().expect("a name"), service.parse().expect("a name"));
    let reason = "it is bad".to_owned();
    Command::Rollback { environment, services: vec![service], to: to.map(TransitionNumber), reason, remind_after: None }
}
