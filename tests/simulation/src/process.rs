//! One controller process: the shipped controller with the real SDK clients, told by its access key, that can die.
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use futures::FutureExt as _;
use local_aws::LocalAws;
use local_aws::clock::Clock;
use stories::account::{BUCKET, INSTALLATION};
use tidegate_core::command::Command;
use tidegate_core::report::Answer;
use tidegate_runtime::aws::Home;
use tidegate_runtime::config::{Source, StateLocation};
use tidegate_runtime::controller::{Caller, Controller, TIMEOUT};
use tokio::time::Instant;

use crate::facts::Running;
use crate::forge::{self, Forge, Origin, Room};
use crate::gate::{self, Gate};
use crate::invariants::{self, Violation};
use crate::memory;
use crate::watch::{End, KEY, Watch};
use crate::world::REGION;

/// The SDK signs with the server's time, and judges by it when credentials end.
#[derive(Clone, Debug)]
struct ServerTime(Clock);

impl TimeSource for ServerTime {
    fn now(&self) -> std::time::SystemTime {
        self.0.now().into()
    }
}

/// The SDK's configuration of somebody with this access key.
#[must_use]
pub fn config(aws: &LocalAws, access_key: &str, client: SharedHttpClient) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(access_key, "key", None, None, "sim")))
        .region(Region::from_static(REGION))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(ServerTime(aws.clock().clone())))
        .http_client(client)
        .build()
}

/// A command on its way to a process.
#[derive(Clone, Debug)]
pub struct Order {
    /// The command.
    pub command: Command,
    /// What is known of it.
    pub running: Running,
}

/// One process of the controller's Lambda.
pub struct Process {
    number: u32,
    controller: Controller,
    watch: Arc<Watch>,
    _room: Room,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Process {
    /// A process that knows nothing yet.
    #[must_use]
    pub fn start(
        number: u32,
        aws: &LocalAws,
        watch: &Arc<Watch>,
        forge: &Arc<Forge>,
        origin: &Arc<Mutex<Origin>>,
        gate: &Gate,
    ) -> Self {
        let client = gate.before(number, aws.http_client());
        let home = Home::new(&config(aws, &format!("{KEY}{number}"), client));
        let copy = StateLocation { bucket: BUCKET.to_owned(), prefix: "tidegate".to_owned() };
        let source = Source::Parameters { installation: INSTALLATION.to_owned(), copy: Some(copy) };
        let room = forge.room();
        let git = {
            let watch = Arc::clone(watch);
            forge::exchange(Arc::clone(forge), Arc::clone(origin), move |operation| watch.git(number, operation))
        };
        let controller = Controller::new(home, source, room.path().join("git")).with_git(git);
        Self { number, controller, watch: Arc::clone(watch), _room: room }
    }

    /// Its number, which its calls are told by.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// An order as something that several processes run at the same time, with the process's number.
    pub fn boxed(&self, order: Order) -> (u32, gate::Command<'_, End<Answer>>) {
        let actor = if order.running.word.is_some() { "ada" } else { "controller" };
        (self.number, Box::pin(async move { self.run(&order.command, order.running, actor).await }))
    }

    /// Runs a command, unless it dies.
    pub async fn run(&self, command: &Command, running: Running, actor: &str) -> End<Answer> {
        let deadline = Instant::now() + TIMEOUT;
        let (id, stalled) = (running.id.clone(), running.stalled);
        let caller = Caller { actor: actor.to_owned(), id: id.clone(), deadline };
        let memory = memory::Since::now();
        let died = self.watch.begin(Running { process: self.number, ..running });
        let (_, before) = self.watch.calls();
        let answer = tokio::select! {
            biased;
            () = died.notified() => None,
            answer = AssertUnwindSafe(Box::pin(self.controller.run(command, &caller))).catch_unwind() => match answer {
                Ok(answer) => Some(answer),
                Err(_panic) => {
                    let what = format!("`{id}` panicked as a whole");
                    self.watch.violate(Violation { invariant: 10, what });
                    None
                }
            },
            // Lambda ends what runs for too long.
            () = tokio::time::sleep_until(deadline + Duration::from_secs(1)) => None,
        };
        let (_, after) = self.watch.calls();
        let calls = u32::try_from(after - before).unwrap_or(u32::MAX);
        let memory = memory.most();
        // Its own clock stood still with it.
        let ended = if stalled { deadline } else { Instant::now() };
        if let Err(violation) = invariants::finished(&id, calls, memory, ended, deadline) {
            self.watch.violate(violation);
        }
        let dead = self.watch.end(self.number);
        match answer {
            Some(answer) if !dead => {
                let text = serde_json::to_string(&answer).unwrap_or_default();
                if let Err(violation) = invariants::spoken(&text) {
                    self.watch.violate(violation);
                }
                End::Answer(answer)
            }
            Some(_) | None => End::Died,
        }
    }
}
