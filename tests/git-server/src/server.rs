//! Serves a directory of bare repositories on loopback, logs every request, and misbehaves where it is told to.
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::backend::{self, Payload};
use crate::github::{self, Github, GithubApp, GithubToken, Said};

/// How a [`GitServer`] is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// User and password that every request must carry.
    pub credential: Option<(String, String)>,
    /// The GitHub App by whose tokens alone it is read, and the API that makes them.
    pub github: Option<GithubApp>,
}

/// What the server does with requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Serves them.
    #[default]
    Serve,
    /// Closes every connection at once.
    Down,
    /// Answers with this status.
    Status(u16),
    /// Waits, then serves them.
    Slow(Duration),
    /// Redirects to this URL, with the request's path and query behind it.
    Redirect(String),
    /// Lists references without end.
    Endless,
    /// Lists references as it should, and sends an endless pack.
    EndlessPack,
    /// Answers with this text, as of the right media type.
    Garbage(String),
    /// Serves who reads, and refuses whoever would push, as for a credential without that right.
    ReadOnly,
    /// Takes pushes, and closes the connection before it says so.
    PushUnanswered,
}

/// One request, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// `GET` or `POST`.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, without its question mark; empty where there is none.
    pub query: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct GitServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    credential: Option<(String, String)>,
    github: Option<Github>,
    behaviour: Mutex<Behaviour>,
    requests: Mutex<Vec<RequestRecord>>,
}

impl GitServer {
    /// Serves the bare repositories under `root` on 127.0.0.1, from a thread of its own.
    ///
    /// # Errors
    /// When the port is taken or the thread cannot be started.
    pub fn start(root: &Path, options: Options) -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .with_context(|| format!("listening on port {}", options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            credential: options.credential,
            github: options.github.map(Github::new),
            behaviour: Mutex::default(),
            requests: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("git-server".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, served) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { shared, address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a repository, by its directory's name under the root.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// The URL of the API that makes tokens for its GitHub App.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}{}", self.address, github::API)
    }

    /// Changes its GitHub App from now on.
    ///
    /// # Panics
    /// Where it was started without one.
    #[expect(clippy::expect_used, reason = "a story that changes no app is wrong")]
    pub fn change_github_app(&self, change: impl FnOnce(&mut GithubApp)) {
        change(&mut self.shared.github.as_ref().expect("a GitHub App").app());
    }

    /// The tokens that were made so far.
    #[must_use]
    pub fn github_tokens(&self) -> Vec<GithubToken> {
        self.shared.github.as_ref().map(|github| github.tokens().clone()).unwrap_or_default()
    }

    /// Changes what it does with the requests from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread's panic has been printed already.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the listener cannot be used"),
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) if shared.behaviour() == Behaviour::Down => drop(stream),
            Ok((stream, _)) => drop(tokio::spawn(serve_connection(stream, Arc::clone(&shared)))),
            Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
        }
    }
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { shared.serve(request).await }
    });
    if let Err(error) = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
    {
        tracing::debug!(%error, "a connection ended early");
    }
}

impl Shared {
    fn behaviour(&self) -> Behaviour {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An error closes the connection.
    async fn serve(&self, request: Request<Incoming>) -> Result<Response<Payload>> {
        self.record(&request);
        if let Some(github) = self.github.as_ref().filter(|_| request.uri().path().starts_with(github::API)) {
            return self.answer_api(github, request).await;
        }
        match self.behaviour() {
            Behaviour::Down => anyhow::bail!("the server is down"),
            Behaviour::Status(status) => return text(StatusCode::from_u16(status)?, "as it was told\n"),
            Behaviour::Redirect(to) => {
                let rest = request.uri().path_and_query().map_or("/", |rest| rest.as_str());
                let response = Response::builder().status(StatusCode::FOUND).header(header::LOCATION, to + rest);
                return Ok(response.body(Payload::text("elsewhere\n"))?);
            }
            Behaviour::Endless if request.method() == http::Method::GET => return endless_references(&request),
            Behaviour::EndlessPack if request.method() == http::Method::POST => return endless_pack(request).await,
            Behaviour::Garbage(garbage) => return answer(request.uri(), Payload::text(garbage)),
            Behaviour::Slow(delay) => tokio::time::sleep(delay).await,
            Behaviour::ReadOnly if is_push(request.uri()) => {
                return text(StatusCode::FORBIDDEN, "Permission to push denied\n");
            }
            Behaviour::PushUnanswered if is_push(request.uri()) && request.method() == http::Method::POST => {
                let response = backend::serve(&self.root, None, request).await?;
                response.into_body().collect().await?;
                anyhow::bail!("the answer is lost");
            }
            Behaviour::Serve
            | Behaviour::Endless
            | Behaviour::EndlessPack
            | Behaviour::ReadOnly
            | Behaviour::PushUnanswered => {}
        }
        if let Err(status) = self.admits(&request) {
            let response = Response::builder().status(status);
            let response = response.header(header::WWW_AUTHENTICATE, "Basic realm=\"git\"");
            return Ok(response.body(Payload::text("credential required\n"))?);
        }
        let user = match &self.github {
            Some(_) => Some("x-access-token"),
            None => self.credential.as_ref().map(|(user, _)| user.as_str()),
        };
        match backend::serve(&self.root, user, request).await {
            Ok(response) => Ok(response),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
        }
    }

    fn record(&self, request: &Request<Incoming>) {
        let header = |name| request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into());
        let record = RequestRecord {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            authorization: header(header::AUTHORIZATION),
            user_agent: header(header::USER_AGENT),
        };
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    fn admits(&self, request: &Request<Incoming>) -> Result<(), StatusCode> {
        if let Some(github) = &self.github {
            return github.admits(request.headers(), is_push(request.uri()));
        }
        let Some((user, password)) = &self.credential else { return Ok(()) };
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        let sent = request.headers().get(header::AUTHORIZATION);
        if sent.is_some_and(|value| value.as_bytes() == expected.as_bytes()) {
            Ok(())
        } else {
            Err(StatusCode::UNAUTHORIZED)
        }
    }

    /// The API goes down with the rest of the server, and answers a status where it was told one.
    async fn answer_api(&self, github: &Github, request: Request<Incoming>) -> Result<Response<Payload>> {
        anyhow::ensure!(self.behaviour() != Behaviour::Down, "the server is down");
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let Said { status, body, now } = github.answer(&Request::from_parts(head, ()), &body);
        let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
        Ok(response.header(header::DATE, httpdate::fmt_http_date(now)).body(Payload::text(body))?)
    }
}

/// Whether a request belongs to a push: its list of references, or the push itself.
fn is_push(uri: &Uri) -> bool {
    uri.query() == Some("service=git-receive-pack") || uri.path().ends_with("/git-receive-pack")
}

/// References without end: the framing is right, only the wanted one never comes.
fn endless_references(request: &Request<Incoming>) -> Result<Response<Payload>> {
    let head = [packet("# service=git-upload-pack\n"), Bytes::from_static(b"0000")].concat();
    let reference = packet(&format!("{} refs/heads/endless{}\n", "0".repeat(40), "x".repeat(4_000)));
    answer(request.uri(), Payload::Endless { first: Some(Bytes::from(head)), then: reference })
}

/// Progress messages without end, in place of a pack.
async fn endless_pack(request: Request<Incoming>) -> Result<Response<Payload>> {
    let (head, body) = request.into_parts();
    let asked = body.collect().await?.to_bytes();
    if !asked.ends_with(b"done\n") {
        // A client that fetches to a depth asks for the boundary first: there is none.
        return answer(&head.uri, Payload::text("0000"));
    }
    let first = [Bytes::from_static(b"0000"), packet("NAK\n")].concat();
    let then = packet(&format!("\u{2}{}", " ".repeat(60_000)));
    answer(&head.uri, Payload::Endless { first: Some(Bytes::from(first)), then })
}

fn packet(payload: &str) -> Bytes {
    Bytes::from(format!("{:04x}{payload}", payload.len() + 4))
}

/// An answer of the media type that a Git client expects.
fn answer(uri: &Uri, payload: Payload) -> Result<Response<Payload>> {
    let media_type = match uri.query().and_then(|query| query.strip_prefix("service=")) {
        Some(service) => format!("application/x-{service}-advertisement"),
        None => format!("application/x-{}-result", uri.path().rsplit('/').next().unwrap_or_default()),
    };
    Ok(Response::builder().header(header::CONTENT_TYPE, media_type).body(payload)?)
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Result<Response<Payload>> {
    Ok(Response::builder().status(status).body(Payload::text(body))?)
}
