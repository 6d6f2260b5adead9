//! An AWS that answers what a target says, below the real SDK clients: its bytes go through all that reads an answer.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use tokio::runtime::Runtime;

/// The region that targets play in.
pub(crate) const REGION: &str = "eu-central-1";

/// An answer, before it is read.
pub(crate) type Answer = http::Response<Vec<u8>>;

/// What a request is answered.
type Answers = dyn Fn(&HttpRequest) -> Answer + Send + Sync;

/// An AWS that answers as it was told last.
#[derive(Clone)]
pub(crate) struct Aws {
    answers: Arc<Mutex<Arc<Answers>>>,
    asked: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aws").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl Aws {
    pub(crate) fn new() -> Self {
        Self { answers: Arc::new(Mutex::new(Arc::new(|_| answer(500, &[], Vec::new())))), asked: Arc::default() }
    }

    /// From now on answers so, and counts anew.
    pub(crate) fn answers(&self, answers: impl Fn(&HttpRequest) -> Answer + Send + Sync + 'static) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(answers);
        self.asked.store(0, Ordering::Relaxed);
    }

    /// How many requests there were since.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// What clients are built from. They try each call once.
    pub(crate) fn config(&self) -> SdkConfig {
        let credentials = Credentials::new("111111111111", "fuzz", None, None, "fuzz");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .region(Region::from_static(REGION))
            .retry_config(RetryConfig::disabled())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SharedTimeSource::new(SystemTimeSource::new()))
            .http_client(SharedHttpClient::new(self.clone()))
            .build()
    }
}

impl HttpClient for Aws {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answers = Arc::clone(&self.answers.lock().unwrap_or_else(PoisonError::into_inner));
        let answer = answers(&request).map(SdkBody::from);
        HttpConnectorFuture::ready(
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None)),
        )
    }
}

/// An answer with these headers; one that no header can be is left out.
pub(crate) fn answer(status: u16, headers: &[(&str, &[u8])], body: Vec<u8>) -> Answer {
    let mut answer = http::Response::new(body);
    *answer.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        if let Ok(value) = http::HeaderValue::from_bytes(value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// Runs what waits for answers. Nothing here waits for time: it is skipped.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}
