//! Speaks HTTP to one Git server for the length of one operation, within its limits.
//!
//! A [`Session`] calls one URL with one credential. Redirects end the operation, proxies from the environment are
//! ignored, and every byte that arrives is counted before anybody sees it.
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{Request, StatusCode};
use ureq::AsSendBody;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::Url;

use super::error::{Error, Measure, Reported};
use super::limits::Limits;
use super::remote::{Pass, Remote, Right};

/// Git servers and the proxies before them tell Git clients from browsers by this prefix; libgit2 uses it as well.
const USER_AGENT: &str = concat!("git/2.0 (tidegate/", env!("CARGO_PKG_VERSION"), ")");

/// How long connecting may take, name resolution and TLS included, where the operation has that much time left.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that the head of an answer may have.
const MAX_HEADER_BYTES: usize = 32 << 10;

/// An answer whose body has not arrived yet.
type Response = http::Response<Box<dyn Read + Send>>;

/// The two services of the smart protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    UploadPack,
    ReceivePack,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

/// One operation against one remote: its deadline, its byte budgets, and the first thing that went wrong in it.
pub(super) struct Session {
    remote: Remote,
    /// Made for the first request over the network.
    agent: OnceLock<ureq::Agent>,
    right: Right,
    timeout: Duration,
    deadline: Instant,
    references: Budget,
    transfer: Budget,
    /// libgit2 carries numbers and texts across its C frames, no errors of ours: they wait here.
    failure: Mutex<Option<Error>>,
}

/// Bytes that may still arrive.
struct Budget {
    what: Measure,
    limit: u64,
    spent: AtomicU64,
}

impl Budget {
    fn new(what: Measure, limit: u64) -> Self {
        Self { what, limit, spent: AtomicU64::new(0) }
    }

    fn spend(&self, bytes: usize) -> Result<(), Error> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let before = self.spent.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.limit {
            return Err(Error::TooBig { what: self.what, limit: self.limit });
        }
        Ok(())
    }
}

impl Session {
    /// Starts the clock of one operation. Nothing is sent yet.
    pub(super) fn open(remote: &Remote, right: Right, limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            remote: remote.clone(),
            agent: OnceLock::new(),
            right,
            timeout: limits.timeout,
            deadline: Instant::now() + limits.timeout,
            references: Budget::new(Measure::References, limits.max_refs_bytes),
            transfer: Budget::new(Measure::Transfer, limits.max_bytes),
            failure: Mutex::new(None),
        })
    }

    /// Asks for the references of a service: all of them, that is how the protocol is.
    pub(super) fn advertisement(self: &Arc<Self>, service: Service) -> Result<Body, Error> {
        let mut url = self.endpoint("info/refs");
        url.set_query(Some(&format!("service={}", service.name())));
        let request = Request::get(url.as_str()).header(CACHE_CONTROL, "no-cache");
        self.exchange(request, &[], format!("application/x-{}-advertisement", service.name()), Measure::References)
    }

    /// Sends a request to a service and returns its answer as it streams in.
    pub(super) fn call(self: &Arc<Self>, service: Service, request: &[u8]) -> Result<Body, Error> {
        let media = |kind| format!("application/x-{}-{kind}", service.name());
        let builder = Request::post(self.endpoint(service.name()).as_str()).header(CONTENT_TYPE, media("request"));
        self.exchange(builder, request, media("result"), Measure::Transfer)
    }

    /// When the operation has to be over.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Ends the operation when its time is over.
    pub(super) fn check_deadline(&self) -> Result<Duration, Error> {
        match self.deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(self.timed_out()),
        }
    }

    /// Keeps the first failure, for whoever gets libgit2's error to replace it with.
    pub(super) fn fail(&self, error: Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// What [`Self::fail`] kept.
    pub(super) fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The answer is not what the protocol says.
    pub(super) fn protocol(&self, what: impl Into<String>) -> Error {
        Error::Protocol { host: self.host(), source: Reported(what.into()) }
    }

    fn host(&self) -> String {
        self.remote.host().to_owned()
    }

    fn timed_out(&self) -> Error {
        Error::TimedOut { host: self.host(), after: self.timeout }
    }

    fn endpoint(&self, path: &str) -> Url {
        let mut url = self.remote.parsed_url().clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        url
    }

    fn exchange(
        self: &Arc<Self>,
        request: http::request::Builder,
        body: &[u8],
        media_type: String,
        measure: Measure,
    ) -> Result<Body, Error> {
        let request = request.header(ACCEPT, &media_type).body(body);
        let response = self.authorized(&request.map_err(|error| self.protocol(error.to_string()))?)?;
        self.check_status(&response)?;
        let answered = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if answered.split(';').next().map(str::trim) != Some(media_type.as_str()) {
            return Err(self.protocol(format!("it sent `{answered}` in place of `{media_type}`")));
        }
        Ok(Body { reader: response.into_body(), session: Arc::clone(self), measure })
    }

    /// Sends a request with its credential. A token that was refused may have ended meanwhile: a new one is made, once.
    fn authorized(&self, request: &Request<&[u8]>) -> Result<Response, Error> {
        let pass = self.remote.pass(self.right, None, self.check_deadline()?)?;
        let response = self.send(request.clone(), &pass)?;
        match pass.renewable {
            Some(refused) if response.status() == StatusCode::UNAUTHORIZED => {
                tracing::info!(host = self.remote.host(), "a token was refused before its end: a new one is asked for");
                let pass = self.remote.pass(self.right, Some(&refused), self.check_deadline()?)?;
                self.send(request.clone(), &pass)
            }
            _ => Ok(response),
        }
    }

    fn send(&self, mut request: Request<&[u8]>, pass: &Pass) -> Result<Response, Error> {
        if let Some(authorization) = &pass.header {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(exchange) = self.remote.exchange() {
            return exchange.answer(request).map_err(|error| self.transport_error(error.into()));
        }
        // A `GET` has no body at all.
        let sent = if request.body().is_empty() { self.run(request.map(|_| ())) } else { self.run(request) };
        sent.map_err(|error| self.transport_error(error))
    }

    fn run(&self, request: Request<impl AsSendBody>) -> Result<Response, ureq::Error> {
        let agent = self.agent.get_or_init(|| agent(self.remote.parsed_url(), self.remote.roots()));
        let left = self.deadline.saturating_duration_since(Instant::now());
        let request = agent.configure_request(request).timeout_global(Some(left));
        let response = agent.run(request.timeout_connect(Some(left.min(CONNECT_TIMEOUT))).build())?;
        Ok(response.map(|body| Box::new(body.into_reader()) as Box<dyn Read + Send>))
    }

    fn check_status(&self, response: &Response) -> Result<(), Error> {
        let host = self.host();
        Err(match response.status() {
            StatusCode::OK => return Ok(()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Error::Refused { host, sent: self.remote.has_credential() }
            }
            StatusCode::NOT_FOUND => Error::RepositoryMissing { host },
            status if status.is_redirection() => Error::Redirected { host, to: self.redirect_target(response) },
            status => Error::Status { host, status: status.as_u16() },
        })
    }

    /// The host alone: the rest of a `Location` may hold a token of the server's.
    fn redirect_target(&self, response: &Response) -> String {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = location.and_then(|text| self.remote.parsed_url().join(text).ok());
        match target.as_ref().map(|url| (url.host_str(), url.port())) {
            Some((Some(host), Some(port))) => format!("{host}:{port}"),
            Some((Some(host), None)) => host.to_owned(),
            _ => "an unnamed place".to_owned(),
        }
    }

    fn transport_error(&self, error: ureq::Error) -> Error {
        let host = self.host();
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                Error::Unreachable { host, source: Box::new(error) }
            }
            ureq::Error::Timeout(_) => self.timed_out(),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => self.timed_out(),
            ureq::Error::Io(error) => match certificate_error(&error) {
                Some(reason) => Error::Certificate { host, source: Box::new(reason) },
                None => Error::Unreachable { host, source: Box::new(error) },
            },
            ureq::Error::Rustls(error @ rustls::Error::InvalidCertificate(_)) => {
                Error::Certificate { host, source: Box::new(error) }
            }
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) | ureq::Error::Http(_) => {
                self.protocol(error.to_string())
            }
            error => Error::Unreachable { host, source: Box::new(error) },
        }
    }

    fn receive(&self, reader: &mut dyn Read, measure: Measure, buffer: &mut [u8]) -> Result<usize, Error> {
        self.check_deadline()?;
        let received = reader.read(buffer).map_err(|error| self.transport_error(error.into()))?;
        let budget = if measure == Measure::References { &self.references } else { &self.transfer };
        budget.spend(received)?;
        Ok(received)
    }
}

/// The body of an answer, counted and timed while it is read.
pub(super) struct Body {
    reader: Box<dyn Read + Send>,
    session: Arc<Session>,
    measure: Measure,
}

impl Body {
    pub(super) fn session(&self) -> &Session {
        &self.session
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.session.receive(&mut *self.reader, self.measure, buffer).map_err(|error| {
            self.session.fail(error);
            // A constant: libgit2 takes this text over, and the real reason is kept in the session.
            io::Error::other("the transfer was ended")
        })
    }
}

/// What calls one server, and whom it trusts. Redirects are not followed, and the environment's proxies not asked.
pub(super) fn agent(url: &Url, roots: Option<&Arc<Vec<Certificate<'static>>>>) -> ureq::Agent {
    let roots = roots.map_or(RootCerts::WebPki, |own| RootCerts::Specific(Arc::clone(own)));
    let tls = TlsConfig::builder()
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .https_only(url.scheme() == "https")
        .max_response_header_size(MAX_HEADER_BYTES)
        .user_agent(USER_AGENT)
        .build()
        .new_agent()
}

fn certificate_error(error: &io::Error) -> Option<rustls::Error> {
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    matches!(inner, rustls::Error::InvalidCertificate(_)).then(|| inner.clone())
}
