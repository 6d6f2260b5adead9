//! The Lambda Runtime API on loopback, for one process: hands it events, takes its responses and errors.
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::wire::{self, path_segments};
use crate::world::lock;

/// The largest response that Lambda passes on: 6 MB.
const RESPONSE_LIMIT: usize = 6 * 1024 * 1024;

/// One event on its way to the process.
pub(crate) struct Delivery {
    pub(crate) request_id: String,
    pub(crate) payload: Bytes,
    pub(crate) invoked_arn: String,
    pub(crate) trace_id: String,
    /// JSON, where the caller sent one.
    pub(crate) client_context: Option<String>,
    /// How long the process has, from when it takes the event: real time, as the process's own clock is real.
    pub(crate) timeout: Duration,
}

/// What the process said about an event.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The handler's answer.
    Response(Bytes),
    /// The handler failed: an error object in JSON.
    Error(Bytes),
}

struct Waiting {
    request_id: String,
    reply: oneshot::Sender<Reply>,
}

struct Shared {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Delivery>>,
    waiting: Mutex<Option<Waiting>>,
    /// How often the process asked for the next event.
    asked: watch::Sender<u64>,
    init_error: Mutex<Option<Bytes>>,
}

/// The endpoint of one process; dropping it closes the port.
pub(crate) struct RuntimeApi {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    events: mpsc::UnboundedSender<Delivery>,
    accepting: AbortHandle,
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl RuntimeApi {
    /// Opens the endpoint on a free port.
    pub(crate) async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (events, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            events: tokio::sync::Mutex::new(receiver),
            waiting: Mutex::default(),
            asked: watch::Sender::new(0),
            init_error: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, shared, events, accepting })
    }

    /// How often the process asked for the next event until now; watch it to see the process become ready.
    pub(crate) fn asked(&self) -> watch::Receiver<u64> {
        self.shared.asked.subscribe()
    }

    /// What the process said when it could not start, if it did.
    pub(crate) fn init_error(&self) -> Option<Bytes> {
        lock(&self.shared.init_error).clone()
    }

    /// Gives the process its next event; the reply comes when there is one.
    pub(crate) fn deliver(&self, delivery: Delivery) -> oneshot::Receiver<Reply> {
        let (reply, receiver) = oneshot::channel();
        *lock(&self.shared.waiting) = Some(Waiting { request_id: delivery.request_id.clone(), reply });
        // The receiver lives as long as this end.
        let _ = self.events.send(delivery);
        receiver
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let _ = stream.set_nodelay(true);
            let service = service_fn(|request| respond(&shared, request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

type Response = http::Response<Full<Bytes>>;

async fn respond(shared: &Shared, request: http::Request<Incoming>) -> Result<Response, hyper::Error> {
    let (head, body) = request.into_parts();
    let segments = path_segments(&head.uri);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let body = body.collect().await?.to_bytes();
    Ok(match (head.method.as_str(), segments.as_slice()) {
        ("GET", ["2018-06-01", "runtime", "invocation", "next"]) => next(shared).await,
        ("POST", ["2018-06-01", "runtime", "invocation", id, "response"]) if body.len() > RESPONSE_LIMIT => {
            too_large(shared, id, body.len())
        }
        ("POST", ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            complete(shared, id, Reply::Response(body))
        }
        ("POST", ["2018-06-01", "runtime", "invocation", id, "error"]) => complete(shared, id, Reply::Error(body)),
        ("POST", ["2018-06-01", "runtime", "init", "error"]) => {
            *lock(&shared.init_error) = Some(body);
            status(202, &json!({ "status": "OK" }))
        }
        (method, _) => {
            let message = format!("not implemented: Runtime API {method} {}", head.uri.path());
            status(404, &json!({ "errorType": "NotFound", "errorMessage": message }))
        }
    })
}

/// Waits for an event, for as long as it takes.
async fn next(shared: &Shared) -> Response {
    let mut events = shared.events.lock().await;
    shared.asked.send_modify(|asked| *asked += 1);
    let Some(delivery) = events.recv().await else { return status(410, &json!({})) };
    let Delivery { request_id, payload, invoked_arn, trace_id, client_context, timeout } = delivery;
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + timeout;
    let mut answer = wire::empty(200);
    *answer.body_mut() = payload;
    wire::set_header(&mut answer, "content-type", "application/json");
    wire::set_header(&mut answer, "lambda-runtime-aws-request-id", &request_id);
    wire::set_header(&mut answer, "lambda-runtime-deadline-ms", &deadline.as_millis().to_string());
    wire::set_header(&mut answer, "lambda-runtime-invoked-function-arn", &invoked_arn);
    wire::set_header(&mut answer, "lambda-runtime-trace-id", &trace_id);
    if let Some(context) = client_context {
        wire::set_header(&mut answer, "lambda-runtime-client-context", &context);
    }
    answer.map(Full::new)
}

fn complete(shared: &Shared, id: &str, reply: Reply) -> Response {
    match lock(&shared.waiting).take_if(|waiting| waiting.request_id == id) {
        Some(waiting) => {
            // The invocation may have timed out in the meantime.
            let _ = waiting.reply.send(reply);
            status(202, &json!({ "status": "OK" }))
        }
        None => status(400, &json!({ "errorType": "InvalidRequestID", "errorMessage": "Invalid request ID" })),
    }
}

fn too_large(shared: &Shared, id: &str, size: usize) -> Response {
    let message =
        format!("Response payload size ({size} bytes) exceeded maximum allowed payload size (6291556 bytes).");
    let error = json!({ "errorType": "Function.ResponseSizeTooLarge", "errorMessage": message });
    complete(shared, id, Reply::Error(Bytes::from(error.to_string())));
    status(413, &error)
}

fn status(status: u16, body: &Value) -> Response {
    wire::json(status, body).map(Full::new)
}
