//! One world: its state, clock and chance, and the one entrance through which every call comes.
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeZone, Utc};

use crate::calls::CallLog;
pub use crate::calls::{CallRecord, Used, is_mutating};
use crate::clock::Clock;
use crate::faults::{Fault, Hook, Lost, Observer};
use crate::limits::{self, Limits};
use crate::past::Past;
use crate::wire::{self, Answer, AwsError, Call, Caller, Credential, Service};
use crate::{cloudwatch, ecr, lambda, s3, scheduler, ssm, sts};

/// What a world is made of, and what AWS leaves open.
#[derive(Clone, Debug)]
pub struct Options {
    /// Server time at the start.
    pub epoch: DateTime<Utc>,
    /// How many times as fast as tokio's time the world's clock runs.
    pub time_scale: f64,
    /// Everything random comes from this: routing by weight, identifiers, revision ids.
    pub seed: u64,
    /// Whether AWS's request rates are enforced.
    pub rates: bool,
    /// The account of access keys that say nothing of an account.
    pub default_account: String,
    /// The region of unsigned control requests and of this crate's own conveniences.
    pub default_region: String,
    /// How long a new or updated image function is `Pending` or `InProgress`, in server time.
    pub image_update: Duration,
    /// The same for a zip function.
    pub zip_update: Duration,
    /// How long a configuration update is `InProgress`, in server time.
    pub configuration_update: Duration,
    /// How long a version that `PublishVersion` made is `Pending`, in server time.
    pub publish: Duration,
    /// How long provisioned concurrency is `IN_PROGRESS`, in server time.
    pub provisioning: Duration,
    /// Whether `UpdateFunctionCode` with the code that is already live and `Publish=true` makes a new version. Nobody could
    /// prove which: callers must be safe with both.
    pub republish_makes_version: bool,
    /// How long metrics take until they can be read, in server time.
    pub metric_delay: Duration,
    /// After how much of tokio's time a function's idle process is ended.
    pub idle_process: Duration,
    /// Where the logs of functions are written, a file a function, besides the ring in memory.
    pub logs: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            epoch: Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).single().expect("a date"),
            time_scale: 1.0,
            seed: 0,
            rates: false,
            default_account: "111111111111".to_owned(),
            default_region: "eu-central-1".to_owned(),
            image_update: Duration::from_secs(8),
            zip_update: Duration::from_secs(2),
            configuration_update: Duration::from_secs(2),
            publish: Duration::from_secs(1),
            provisioning: Duration::from_secs(120),
            republish_makes_version: true,
            metric_delay: Duration::ZERO,
            idle_process: Duration::from_secs(300),
            logs: None,
        }
    }
}

/// Everything behind one world's clones.
pub(crate) struct World {
    options: Options,
    /// Whether AWS's request rates are enforced now.
    rates: AtomicBool,
    clock: Clock,
    random: Mutex<fastrand::Rng>,
    ids: Mutex<fastrand::Rng>,
    hook: Mutex<Option<Hook>>,
    observer: Mutex<Option<Observer>>,
    past: Mutex<Past>,
    calls: Mutex<CallLog>,
    limits: Mutex<Limits>,
    endpoint: Mutex<Option<String>>,
    lambda: Mutex<lambda::State>,
    s3: Mutex<s3::State>,
    ssm: Mutex<ssm::State>,
    ecr: Mutex<ecr::State>,
    cloudwatch: Mutex<cloudwatch::State>,
    sts: Mutex<sts::State>,
    scheduler: Mutex<scheduler::State>,
}

/// What a world begins with.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    options: Options,
    random: fastrand::Rng,
    ids: fastrand::Rng,
}

impl World {
    /// Empty, at the beginning of its time.
    fn new(options: Options, random: fastrand::Rng, ids: fastrand::Rng) -> Self {
        Self {
            clock: Clock::new(options.epoch, options.time_scale),
            random: Mutex::new(random),
            ids: Mutex::new(ids),
            rates: AtomicBool::new(options.rates),
            options,
            hook: Mutex::default(),
            observer: Mutex::default(),
            past: Mutex::default(),
            calls: Mutex::default(),
            limits: Mutex::default(),
            endpoint: Mutex::default(),
            lambda: Mutex::default(),
            s3: Mutex::default(),
            ssm: Mutex::default(),
            ecr: Mutex::default(),
            cloudwatch: Mutex::default(),
            sts: Mutex::default(),
            scheduler: Mutex::default(),
        }
    }
}

/// A world. Clones are the same world; it ends, with every process that it started, when the last clone is dropped.
#[derive(Clone)]
pub struct LocalAws(Arc<World>);

/// Does not keep the world alive: for tasks that wait.
#[derive(Clone)]
pub(crate) struct WeakAws(Weak<World>);

impl WeakAws {
    pub(crate) fn upgrade(&self) -> Option<LocalAws> {
        self.0.upgrade().map(LocalAws)
    }
}

impl std::fmt::Debug for LocalAws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalAws").field("now", &self.clock().now()).finish_non_exhaustive()
    }
}

/// A panic in one test's hook must not hide behind another's poisoned lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalAws {
    /// A new, empty world.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut seeds = fastrand::Rng::with_seed(options.seed);
        let (random, ids) = (seeds.fork(), seeds.fork());
        Self::begin(Beginning { options, random, ids })
    }

    /// Whether AWS's request rates are enforced from now on, whatever [`Options::rates`] said at the start.
    pub fn enforce_rates(&self, enforced: bool) {
        self.0.rates.store(enforced, Ordering::Relaxed);
    }

    /// What it was made of.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The world's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Draws from the world's seeded chance.
    pub fn random<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut lock(&self.0.random))
    }

    /// A new identifier in the form of a version 4 UUID, from a seeded source of its own: how many are drawn does not
    /// change what [`Self::random`] gives.
    #[must_use]
    pub fn uuid(&self) -> String {
        let bytes = lock(&self.0.ids).u128(..).to_be_bytes();
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// Every call so far, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<CallRecord> {
        lock(&self.0.calls).all()
    }

    /// The operations that were called by programs that said what for, since the world began.
    #[must_use]
    pub fn used(&self) -> BTreeSet<Used> {
        lock(&self.0.calls).used()
    }

    /// Empties the log of calls.
    pub fn forget_calls(&self) {
        lock(&self.0.calls).forget();
    }

    /// From now on `hook` decides how each call fails.
    pub fn set_hook(&self, hook: Hook) {
        *lock(&self.0.hook) = Some(hook);
    }

    /// No call fails on purpose any more.
    pub fn clear_hook(&self) {
        *lock(&self.0.hook) = None;
    }

    /// Nobody sees calls or makes them fail any more.
    pub fn leave_alone(&self) {
        self.clear_hook();
        *lock(&self.0.observer) = None;
    }

    /// From now on `observer` sees each call after its effect.
    pub fn set_observer(&self, observer: Observer) {
        *lock(&self.0.observer) = Some(observer);
    }

    /// What it is made of and where its chance is, from here on.
    pub(crate) fn beginning(&self) -> Beginning {
        let options = Options { epoch: self.clock().now(), ..self.options().clone() };
        let (random, ids) = (lock(&self.0.random).clone(), lock(&self.0.ids).clone());
        Beginning { options, random, ids }
    }

    /// A world with nothing in it yet.
    pub(crate) fn begin(Beginning { options, random, ids }: Beginning) -> Self {
        Self(Arc::new(World::new(options, random, ids)))
    }

    pub(crate) fn past(&self) -> MutexGuard<'_, Past> {
        lock(&self.0.past)
    }

    /// Where functions reach this world, once it is served.
    #[must_use]
    pub fn endpoint(&self) -> Option<String> {
        lock(&self.0.endpoint).clone()
    }

    pub(crate) fn set_endpoint(&self, url: String) {
        *lock(&self.0.endpoint) = Some(url);
    }

    pub(crate) fn downgrade(&self) -> WeakAws {
        WeakAws(Arc::downgrade(&self.0))
    }

    pub(crate) fn lambda(&self) -> MutexGuard<'_, lambda::State> {
        lock(&self.0.lambda)
    }

    pub(crate) fn s3(&self) -> MutexGuard<'_, s3::State> {
        lock(&self.0.s3)
    }

    pub(crate) fn ssm(&self) -> MutexGuard<'_, ssm::State> {
        lock(&self.0.ssm)
    }

    pub(crate) fn ecr(&self) -> MutexGuard<'_, ecr::State> {
        lock(&self.0.ecr)
    }

    pub(crate) fn cloudwatch(&self) -> MutexGuard<'_, cloudwatch::State> {
        lock(&self.0.cloudwatch)
    }

    pub(crate) fn sts(&self) -> MutexGuard<'_, sts::State> {
        lock(&self.0.sts)
    }

    pub(crate) fn scheduler(&self) -> MutexGuard<'_, scheduler::State> {
        lock(&self.0.scheduler)
    }

    /// Answers one request as AWS does.
    ///
    /// # Errors
    /// [`Lost`] where the hook breaks the connection: the caller must then see no answer at all.
    pub async fn handle(&self, request: http::Request<Bytes>) -> Result<Answer, Lost> {
        let (head, body) = request.into_parts();
        let mut answer = match self.identify(head, body) {
            Ok(call) => self.perform(call).await?,
            Err(answer) => *answer,
        };
        let date = httpdate::fmt_http_date(self.clock().now().into());
        wire::set_header(&mut answer, "date", &date);
        let request_id = self.uuid();
        // An invocation has its own, which its log names as well.
        if !answer.headers().contains_key(wire::REQUEST_ID) {
            wire::set_header(&mut answer, wire::REQUEST_ID, &request_id);
        }
        Ok(answer)
    }

    /// Who calls what, or the answer for a request that cannot be told.
    fn identify(&self, head: http::request::Parts, body: Bytes) -> Result<Call, Box<Answer>> {
        let Some(credential) = Credential::of(&head) else {
            let error = AwsError::new(403, "MissingAuthenticationToken", "Missing Authentication Token");
            return Err(Box::new(wire::rest_json_error(&error, "message")));
        };
        let Some(service) = Service::from_signing_name(&credential.service) else {
            let what = format_args!("{} {} {}", credential.service, head.method, head.uri.path());
            return Err(Box::new(wire::rest_json_error(&AwsError::not_implemented(what), "message")));
        };
        let now = self.clock().now();
        let caller = self.caller(credential, now).map_err(|error| Box::new(error_answer(service, &head, &error)))?;
        let Some(operation) = operation(service, &head, &body) else {
            let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
            let what = match target {
                Some(target) => format!("{service} {target}"),
                None => {
                    format!("{service} {} {}", head.method, head.uri.path_and_query().map_or("/", |it| it.as_str()))
                }
            };
            return Err(Box::new(error_answer(service, &head, &AwsError::not_implemented(what))));
        };
        let mut call = Call { service, operation, caller, now, head: Arc::new(head), body, resource: Arc::default() };
        call.resource = resource(&call).into();
        Ok(call)
    }

    fn caller(&self, credential: Credential, now: DateTime<Utc>) -> Result<Caller, AwsError> {
        let region = credential.region;
        if let Some(session) = self.sts().session(&credential.access_key) {
            if session.expires <= now {
                let message = "The security token included in the request is expired";
                return Err(AwsError::new(403, "ExpiredTokenException", message));
            }
            return Ok(Caller { account: session.account, region, arn: session.arn });
        }
        let key = credential.access_key;
        let is_account = key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit());
        let account = if is_account { key } else { self.options().default_account.clone() };
        let arn = format!("arn:aws:iam::{account}:root");
        Ok(Caller { account, region, arn })
    }

    /// The call itself, between its record and its faults.
    async fn perform(&self, call: Call) -> Result<Answer, Lost> {
        let sequence = lock(&self.0.calls).open(&call);
        let hook = lock(&self.0.hook).clone();
        let fault = hook.map_or(Fault::None, |hook| hook(&call));
        let lose_answer = fault == Fault::LoseAnswer;
        let (service, head) = (call.service, Arc::clone(&call.head));
        let observer = lock(&self.0.observer).clone().map(|observer| (observer, call.clone()));
        let result = match fault {
            Fault::None | Fault::LoseAnswer => self.serve(call).await,
            Fault::Delay(delay) => {
                tokio::time::sleep(delay).await;
                // The call arrives when the delay is over: what it reads and stamps is of that time.
                self.serve(Call { now: self.clock().now(), ..call }).await
            }
            Fault::FailBefore(error) => Err(error),
            Fault::Throttle => Err(limits::throttled(service)),
            Fault::Stale(changes) => self.serve_past(changes, call).await,
            Fault::LoseRequest => {
                if let Some((observer, call)) = observer {
                    observer(&call, None);
                }
                return Err(Lost);
            }
            Fault::Hang => std::future::pending().await,
        };
        let code = result.as_ref().err().map(|error| error.code.clone());
        let answer = result.unwrap_or_else(|error| error_answer(service, &head, &error));
        lock(&self.0.calls).close(sequence, answer.status().as_u16(), code);
        if let Some((observer, call)) = observer {
            observer(&call, Some(answer.status().as_u16()));
        }
        if lose_answer { Err(Lost) } else { Ok(answer) }
    }

    pub(crate) async fn serve(&self, call: Call) -> Result<Answer, AwsError> {
        if self.0.rates.load(Ordering::Relaxed) {
            lock(&self.0.limits).admit(&call)?;
        }
        self.remember(&call);
        match call.service {
            Service::Lambda => lambda::handle(self, call).await,
            Service::S3 => s3::handle(self, call).await,
            Service::Ssm => ssm::handle(self, call).await,
            Service::Ecr => ecr::handle(self, call).await,
            Service::CloudWatch => cloudwatch::handle(self, call).await,
            Service::Sts => sts::handle(self, call).await,
            Service::Scheduler => scheduler::handle(self, call).await,
        }
    }
}

/// The operation that a request asks for, by each service's own protocol.
fn operation(service: Service, head: &http::request::Parts, body: &Bytes) -> Option<&'static str> {
    match service {
        Service::Lambda => lambda::operation(head, body),
        Service::S3 => s3::operation(head, body),
        Service::Ssm => ssm::operation(head, body),
        Service::Ecr => ecr::operation(head, body),
        Service::CloudWatch => cloudwatch::operation(head, body),
        Service::Sts => sts::operation(head, body),
        Service::Scheduler => scheduler::operation(head, body),
    }
}

/// What a call is about, for the log.
fn resource(call: &Call) -> String {
    match call.service {
        Service::Lambda => lambda::resource(call),
        Service::S3 => s3::resource(call),
        Service::Ssm => ssm::resource(call),
        Service::Ecr => ecr::resource(call),
        Service::CloudWatch => cloudwatch::resource(call),
        Service::Sts => sts::resource(call),
        Service::Scheduler => scheduler::resource(call),
    }
}

/// An error in the protocol that the request was made in.
fn error_answer(service: Service, head: &http::request::Parts, error: &AwsError) -> Answer {
    match service {
        Service::Lambda => lambda::error(head, error),
        Service::S3 => s3::error(head, error),
        Service::Ssm => ssm::error(head, error),
        Service::Ecr => ecr::error(head, error),
        Service::CloudWatch => cloudwatch::error(head, error),
        Service::Sts => sts::error(head, error),
        Service::Scheduler => scheduler::error(head, error),
    }
}
