//! A whole world in one process: an AWS account, a Git server, and the shipped controller between them, on paused time.
//!
//! Time passes only where a story lets it: a tick takes none, and [`World::tick`] lets a minute pass after it.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_lambda::operation::get_alias::GetAliasOutput;
use chrono::{TimeZone as _, Utc};
use local_aws::{Call, Fault, LocalAws, Options, Served};
use release_schema::ServiceName;
use serde_json::Value;
use tidegate_core::command::{Command, To};
use tidegate_core::history::{Head, Record, hash_bytes};
use tidegate_core::report::{Answer, Failure, ServiceReport, TickReport};
use tidegate_core::shard::Shard;
use tidegate_lambda::{Commands, Invocation, Reply, reply};
use tidegate_runtime::config::{Source, StateLocation};
use tidegate_runtime::controller::{Caller, Controller, Preview, TIMEOUT, Verified};
use tidegate_runtime::wanted::Content;
use tokio::time::Instant;

use crate::account::{
    ACCOUNT, Account, BUCKET, Build, CONTROLLER, INSTALLATION, config_in, controller_config_in,
    environment_configuration,
};
use crate::calls::Calls;
use crate::releases::Releases;
use crate::used;

/// The tags that every service has an image of.
pub const TAGS: [&str; 3] = ["v1.0.0", "v1.1.0", "v1.2.0"];

/// The services of the sample in staging: service and function.
pub const SAMPLE: [(&str, &str); 3] = [
    ("flight-service", "StagingFlightService"),
    ("reservation-service", "StagingReservationService"),
    ("flight-bff", "StagingFlightBff"),
];

/// Where the prefix of stored state begins.
const PREFIX: &str = "tidegate/";

/// An account, a release repository, and the controller that brings one to the other.
#[derive(Debug)]
pub struct World {
    /// The AWS.
    pub aws: LocalAws,
    /// Its one account, as the platform team reaches it.
    pub account: Account,
    /// The release repository.
    pub releases: Arc<Releases>,
    controller: Controller,
    ticks: AtomicU64,
    _cache: tempfile::TempDir,
}

/// The ordinary rules, from a moment on that is the same in each run: what a tick does may depend on the minute. It is one to
/// come, for the SDK compares when its credentials end with the machine's own clock.
#[must_use]
pub fn options() -> Options {
    let epoch = Utc.with_ymd_and_hms(2100, 3, 1, 9, 0, 0).single().expect("a date");
    Options { epoch, ..Options::default() }
}

impl Drop for World {
    fn drop(&mut self) {
        used::keep(&self.aws.used());
    }
}

impl World {
    /// The sample in staging, its functions and images there, and not yet an alias: no tick has been.
    pub async fn sample() -> Self {
        let world = Self::empty(Arc::new(Releases::sample()), options()).await;
        for (service, function) in SAMPLE {
            world.create_service(service, function).await;
        }
        world.configure("staging", &environment_configuration("Staging")).await;
        world
    }

    /// The sample, deployed: all is converged, and no call of it is remembered.
    pub async fn deployed() -> Self {
        let world = Self::sample().await;
        world.settle().await;
        world
    }

    /// A world with these releases and one service of staging, without an alias.
    pub async fn with_one_service(releases: Arc<Releases>) -> Self {
        let world = Self::empty(releases, options()).await;
        world.create_service("flight-service", "StagingFlightService").await;
        world.configure("staging", &environment_configuration("Staging")).await;
        world
    }

    /// A world with one service of staging: `v1.0.0`, then `v1.1.0`, which is live as version 2. These lines are part of the
    /// service's entry.
    pub async fn second_is_live(lines: &[&str]) -> Self {
        let (service, function) = SAMPLE[0];
        let world = Self::with_one_service(Arc::new(Releases::one_service())).await;
        if !lines.is_empty() {
            world.releases.add("staging", service, lines);
        }
        world.settle().await;
        world.releases.merge(service, "v1.1.0");
        world.settle().await;
        assert_eq!(world.live(function).await, "2");
        world.calls();
        world
    }

    /// So many functions that lived before Tidegate came, all of one image in `company/all`, with an alias made by hand.
    pub async fn create_functions(&self, count: usize, function: impl Fn(usize) -> String) {
        self.account.create_repository("company/all").await.expect("a repository");
        let image = self.push_image("all", "v1.0.0").await;
        self.push_image("all", "v1.1.0").await;
        for number in 0..count {
            self.account.create_function(&function(number), &image, 10, &[]).await.expect("a function");
            self.account.publish_by_hand(&function(number), "live").await.expect("a version");
        }
    }

    /// Only a bucket for state, and a configuration without an environment.
    pub async fn empty(releases: Arc<Releases>, options: Options) -> Self {
        let aws = LocalAws::new(options);
        let config = config_in(&aws, ACCOUNT);
        let account = Account::new(&config);
        account.create_bucket(BUCKET).await.expect("a bucket");
        account.configure(&releases.url(), &[]).await.expect("a configuration");
        let copy = StateLocation { bucket: BUCKET.to_owned(), prefix: "tidegate".to_owned() };
        let source = Source::Parameters { installation: INSTALLATION.to_owned(), copy: Some(copy) };
        let cache = tempfile::tempdir().expect("a folder");
        let home = tidegate_runtime::aws::Home::new(&controller_config_in(&aws, ACCOUNT));
        let controller = Controller::new(home, source, cache.path().join("git"));
        Self { aws, account, releases, controller, ticks: AtomicU64::new(0), _cache: cache }
    }

    /// Tells the controller of an environment.
    pub async fn configure(&self, environment: &str, text: &str) {
        let name = format!("/tidegate/{INSTALLATION}/environments/{environment}");
        self.account.put_parameter(&name, text, false).await.expect("PutParameter");
    }

    /// A service's repository with an image for each of [`TAGS`], and its function from the first.
    pub async fn create_service(&self, service: &str, function: &str) {
        self.account.create_repository(&format!("company/{service}")).await.expect("a repository");
        let mut images = Vec::new();
        for tag in TAGS {
            images.push(self.push_image(service, tag).await);
        }
        let variables = [("SERVICE_REGISTRY", "/services/staging")];
        self.account.create_function(function, &images[0], 10, &variables).await.expect("a function");
    }

    /// Pushes an image of a service; gives its URI by digest.
    pub async fn push_image(&self, service: &str, tag: &str) -> String {
        let build = Build { program: "closure:none", environment: &[("BUILD_VERSION", tag), ("SERVICE", service)] };
        self.account.push_image(&format!("company/{service}"), tag, build).await.expect("an image")
    }

    /// Lets server time pass.
    pub async fn advance(&self, time: Duration) {
        self.aws.clock().sleep(time).await;
    }

    /// One command of a person or of the schedule, at this moment.
    pub async fn run(&self, command: &Command) -> Answer {
        let number = self.ticks.fetch_add(1, Ordering::Relaxed) + 1;
        let caller =
            Caller { actor: "controller".to_owned(), id: format!("tick-{number}"), deadline: Instant::now() + TIMEOUT };
        // Boxed: a story that says many words would hold the whole of each on its stack.
        used::by(command.name(), Box::pin(self.controller.run(command, &caller))).await
    }

    /// What a merge of the files of the release repository, as they are, would do to staging.
    pub async fn preview(&self) -> Preview {
        self.try_preview().await.expect("a preview")
    }

    /// The same, where it may not be possible.
    ///
    /// # Errors
    /// Where the files are not valid, or nothing could be looked at.
    pub async fn try_preview(&self) -> Result<Preview, Failure> {
        let content = Content {
            release_config: self.releases.read("release-config.yaml").into_bytes(),
            services: self.releases.services("staging").into_bytes(),
        };
        let environment = "staging".parse().expect("a name");
        let now = self.aws.clock().now();
        let caller =
            Caller { actor: "a person".to_owned(), id: "preview".to_owned(), deadline: Instant::now() + TIMEOUT };
        Box::pin(self.controller.preview(&environment, &content, now, &caller)).await
    }

    /// One event of AWS at this moment, as the controller's Lambda gets it.
    pub async fn deliver(&self, event: Value) -> Reply {
        self.deliver_to(&Commands::all(), event).await
    }

    /// The same, to a function that takes only these commands.
    pub async fn deliver_to(&self, commands: &Commands, event: Value) -> Reply {
        let number = self.ticks.fetch_add(1, Ordering::Relaxed) + 1;
        let (request, function) = (format!("event-{number}"), CONTROLLER.to_owned());
        let invocation = Invocation { request, function, deadline: Instant::now() + TIMEOUT };
        used::by("event", Box::pin(reply(&self.controller, commands, event, invocation))).await
    }

    /// A person's word to a service of staging, sent through the controller; gives how the service stands then.
    ///
    /// # Errors
    /// Where it is refused, or cannot be done.
    pub async fn say(
        &self,
        word: impl Fn(To) -> Command,
        service: &str,
        reason: &str,
    ) -> Result<ServiceReport, Failure> {
        let environment = "staging".parse().expect("a name");
        let service = service.parse().expect("a name");
        let to = To { environment, service, reason: Some(reason.to_owned()), full: false, force: false };
        match self.run(&word(to)).await {
            Answer::Services { mut reports, .. } => Ok(reports.pop_first().expect("one service").1),
            Answer::Failed(failure) => Err(failure),
            other => panic!("no answer to a word: {other:?}"),
        }
    }

    /// `tidegate rollback` of services of staging.
    pub async fn roll_back(&self, services: &[&str], reason: &str) -> Answer {
        let services = services.iter().map(|name| name.parse().expect("a name")).collect();
        let environment = "staging".parse().expect("a name");
        let reason = reason.to_owned();
        self.run(&Command::Rollback { environment, services, to: None, reason, remind_after: None }).await
    }

    /// So many requests a minute through the alias `live` of a function, and a tick after each minute. Every version fails
    /// as often as `failing` says of its number, from 0 to 1.
    pub async fn minutes(&self, minutes: usize, function: &str, requests: u32, failing: impl Fn(&str) -> f64) {
        for _ in 0..minutes {
            self.traffic(function, requests, &failing);
            self.tick().await;
        }
    }

    /// Requests through the alias `live` of a function, now.
    pub fn traffic(&self, function: &str, requests: u32, failing: impl Fn(&str) -> f64) {
        let region = &self.aws.options().default_region.clone();
        self.aws.drive(ACCOUNT, region, function, "live", requests, |version, random| {
            let failed = random.f64() < failing(version);
            Served { failed, duration: Duration::from_millis(40) }
        });
    }

    /// The version that `live` of a function names first: stable.
    pub async fn primary(&self, function: &str) -> String {
        self.alias(function).await.function_version.expect("a version")
    }

    /// The share of a function's traffic that its additional version has, in percent; 0 where there is none.
    pub async fn weight(&self, function: &str) -> f64 {
        let alias = self.alias(function).await;
        let weights = alias.routing_config.and_then(|routing| routing.additional_version_weights);
        weights.and_then(|weights| weights.values().next().copied()).map_or(0.0, |weight| weight * 100.0)
    }

    /// A tick of staging as the schedule has it, and the minute until the next.
    ///
    /// # Errors
    /// Where there was no tick.
    pub async fn try_tick(&self) -> Result<TickReport, Failure> {
        let outcome = only(self.run(&sync("staging", None, None)).await);
        self.advance(Duration::from_secs(60)).await;
        outcome
    }

    /// A tick of staging that takes place, and the minute until the next.
    pub async fn tick(&self) -> TickReport {
        self.try_tick().await.expect("a tick")
    }

    /// Ticks until everything in staging is as Git wants it, at most 30 times; forgets the calls until then.
    pub async fn settle(&self) -> TickReport {
        for _ in 0..30 {
            let report = self.tick().await;
            let settled = report.services.values().all(|service| service.done.is_empty());
            if settled && report.sync() == tidegate_core::status::SyncStatus::Synced {
                self.aws.forget_calls();
                return report;
            }
        }
        panic!("it does not converge: {:#?}", self.status("staging").await);
    }

    /// What `tidegate status` shows.
    pub async fn status(&self, environment: &str) -> TickReport {
        let environment = Some(environment.parse().expect("a name"));
        only(self.run(&Command::Status { environment }).await).expect("a status")
    }

    /// The alias `live` of a function.
    pub async fn alias(&self, function: &str) -> GetAliasOutput {
        self.account.lambda.get_alias().function_name(function).name("live").send().await.expect("an alias")
    }

    /// The version that `live` of a function names, with all traffic.
    pub async fn live(&self, function: &str) -> String {
        let alias = self.alias(function).await;
        assert!(alias.routing_config.is_none(), "{function} has weights");
        alias.function_version.expect("a version")
    }

    /// Moves `live` by hand, as somebody in a hurry does.
    pub async fn move_by_hand(&self, function: &str, version: &str) {
        let call = self.account.lambda.update_alias().function_name(function).name("live");
        call.function_version(version).send().await.expect("UpdateAlias");
    }

    /// The published versions of a function.
    pub async fn versions(&self, function: &str) -> Vec<String> {
        let call = self.account.lambda.list_versions_by_function().function_name(function);
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let all = pages.expect("ListVersionsByFunction");
        let versions = all.iter().filter_map(|version| version.version());
        versions.filter(|version| *version != "$LATEST").map(str::to_owned).collect()
    }

    /// The names of the stored documents that begin so, without the installation's prefix.
    pub async fn documents(&self, beginning: &str) -> Vec<String> {
        let call = self.account.s3.list_objects_v2().bucket(BUCKET).prefix(format!("{PREFIX}{beginning}"));
        let answer = call.send().await.expect("ListObjectsV2");
        let names = answer.contents().iter().filter_map(|object| object.key()?.strip_prefix(PREFIX));
        names.map(str::to_owned).collect()
    }

    /// The bytes of a stored document.
    pub async fn document(&self, name: &str) -> Vec<u8> {
        let call = self.account.s3.get_object().bucket(BUCKET).key(format!("{PREFIX}{name}"));
        let answer = call.send().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        answer.body.collect().await.expect("a body").to_vec()
    }

    /// Writes a document as whoever may write to the bucket can.
    pub async fn put_document(&self, name: &str, bytes: Vec<u8>) {
        let call = self.account.s3.put_object().bucket(BUCKET).key(format!("{PREFIX}{name}"));
        call.body(bytes.into()).send().await.expect("PutObject");
    }

    /// Deletes a document as whoever may write to the bucket can.
    pub async fn delete_document(&self, name: &str) {
        let call = self.account.s3.delete_object().bucket(BUCKET).key(format!("{PREFIX}{name}"));
        call.send().await.expect("DeleteObject");
    }

    /// All records of a service in staging, oldest first. Their numbers have no gap, each is chained by hash to the bytes
    /// of the one before, and the head names the last.
    pub async fn history(&self, service: &str) -> Vec<Record> {
        let mut names = self.documents(&format!("history/staging/{service}/")).await;
        names.retain(|name| !name.ends_with("head.json"));
        let (mut records, mut previous) = (Vec::<Record>::new(), None);
        for (number, name) in (1..).zip(&names) {
            let bytes = self.document(name).await;
            let record: Record = serde_json::from_slice(&bytes).expect("a record");
            assert_eq!(record.number.0, number, "{name}");
            assert_eq!(record.previous, previous, "{name} is chained to the one before");
            previous = Some(hash_bytes(&bytes));
            records.push(record);
        }
        if let Some(hash) = previous {
            let head = self.document(&format!("history/staging/{service}/head.json")).await;
            let head: Head = serde_json::from_slice(&head).expect("a head");
            assert_eq!((head.number.0, head.hash), (records.len() as u64, hash));
        }
        records
    }

    /// `tidegate history verify` of a service of staging, with the rights of whoever runs it.
    ///
    /// # Errors
    /// Where it could not be read.
    pub async fn verify(&self, service: &str) -> Verified {
        let (environment, service) = ("staging".parse().expect("a name"), service.parse().expect("a name"));
        let mut all = Box::pin(self.controller.verify(&environment, Some(&service))).await?;
        all.pop().expect("one service").1
    }

    /// `tidegate history verify` of staging.
    ///
    /// # Errors
    /// Where nothing could be read.
    pub async fn verify_all(&self) -> Result<Vec<(ServiceName, Verified)>, Failure> {
        let environment = "staging".parse().expect("a name");
        Box::pin(self.controller.verify(&environment, None)).await
    }

    /// What the service registry says of a service of staging.
    pub async fn registry(&self, service: &str) -> Value {
        let name = format!("/services/staging/{service}");
        let answer = self.account.ssm.get_parameter().name(name).send().await.expect("a registry entry");
        let text = answer.parameter.and_then(|parameter| parameter.value).expect("a value");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The calls since this was asked last, those of the story itself too.
    pub fn calls(&self) -> Calls {
        let calls = self.aws.calls();
        self.aws.forget_calls();
        Calls(calls)
    }

    /// From now on each call fails as `fault` says; the answer `None` is: it does not.
    pub fn break_calls(&self, fault: impl Fn(&Call) -> Option<Fault> + Send + Sync + 'static) {
        self.aws.set_hook(Arc::new(move |call| fault(call).unwrap_or_default()));
    }
}

/// The `sync` of a schedule or a person.
#[must_use]
pub fn sync(environment: &str, service: Option<&str>, confirm: Option<&str>) -> Command {
    Command::Sync {
        environment: Some(environment.parse().expect("a name")),
        service: service.map(|name| name.parse().expect("a name")),
        confirm: confirm.map(str::to_owned),
        shard: None,
        repin: false,
    }
}

/// The `sync` of the schedule of a shard.
#[must_use]
pub fn sync_shard(environment: &str, shard: Shard) -> Command {
    let environment = Some(environment.parse().expect("a name"));
    Command::Sync { environment, service: None, confirm: None, shard: Some(shard), repin: false }
}

/// The one report of an answer about one environment.
///
/// # Errors
/// The one failure.
pub fn only(answer: Answer) -> Result<TickReport, Failure> {
    match answer {
        Answer::Reports { mut reports, mut failures } => match (reports.pop(), failures.pop()) {
            (Some(report), None) => Ok(report),
            (None, Some(failure)) => Err(failure),
            other => panic!("not one of either: {other:?}"),
        },
        Answer::Failed(failure) => Err(failure),
        Answer::History { .. } | Answer::Record { .. } | Answer::Services { .. } | Answer::Versions { .. } => {
            panic!("no report")
        }
    }
}

/// What a report says of one service.
#[must_use]
pub fn service<'a>(report: &'a TickReport, name: &str) -> &'a ServiceReport {
    let found = report.services.iter().find(|(service, _)| service.as_str() == name);
    found.unwrap_or_else(|| panic!("no `{name}` in {report:#?}")).1
}

/// Why a service does not go on, in the words that `tidegate status` shows.
#[must_use]
pub fn waiting(report: &TickReport, name: &str) -> String {
    let waiting = service(report, name).standing.waiting_on.as_ref();
    waiting.unwrap_or_else(|| panic!("`{name}` does not wait in {report:#?}")).to_string()
}

/// A zip archive with one file.
#[must_use]
pub fn archive(content: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("bootstrap", zip::write::SimpleFileOptions::default()).expect("a file");
    zip.write_all(content.as_bytes()).expect("its content");
    zip.finish().expect("an archive").into_inner()
}
