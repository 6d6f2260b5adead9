//! Plugs a world below an SDK client as its HTTP client: no sockets, the same serialisation, retries and error mapping.
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;

use crate::{LocalAws, Purpose};

impl LocalAws {
    /// An HTTP client for SDK configurations: whatever they ask for, this world answers.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(InProcess { aws: self.clone(), purpose: || None })
    }

    /// The same, for a program that says what it makes each call for: see [`LocalAws::used`].
    #[must_use]
    pub fn http_client_for(&self, purpose: fn() -> Option<Purpose>) -> SharedHttpClient {
        SharedHttpClient::new(InProcess { aws: self.clone(), purpose })
    }
}

#[derive(Clone, Debug)]
struct InProcess {
    aws: LocalAws,
    purpose: fn() -> Option<Purpose>,
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { aws, purpose } = self.clone();
        HttpConnectorFuture::new(async move { exchange(&aws, purpose(), request).await })
    }
}

async fn exchange(
    aws: &LocalAws,
    purpose: Option<Purpose>,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (mut head, body) = request.into_parts();
    if let Some(purpose) = purpose {
        head.extensions.insert(purpose);
    }
    let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
    let answer = aws.handle(http::Request::from_parts(head, body)).await;
    let answer = answer.map_err(|lost| ConnectorError::io(lost.into()))?;
    HttpResponse::try_from(answer.map(SdkBody::from)).map_err(|error| ConnectorError::other(error.into(), None))
}
