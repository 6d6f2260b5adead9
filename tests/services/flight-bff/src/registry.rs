//! Effect: asks Parameter Store which alias a service has: at `/services/<environment>/<service>`, or in the one document of
//! all services, as the environment has it.
//!
//! Tidegate writes them whenever it has moved an alias for good. An alias keeps its ARN from release to
//! release, so an entry that is some seconds old does no harm; one that is older still beats none when Parameter Store
//! is down.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_ssm::error::{BoxError, DisplayErrorContext, SdkError};
use aws_sdk_ssm::operation::get_parameter::GetParameterError;
use serde::Deserialize;
use tokio::time::Instant;

/// How long an entry is used before it is read again. With many instances this keeps far below the 40 reads a second
/// that an account has.
const FRESH_FOR: Duration = Duration::from_secs(15);

/// What the registry tells of a service. Fields that a newer Tidegate adds are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// What to invoke.
    pub(crate) alias_arn: String,
    /// The Lambda version behind it.
    pub(crate) version: Option<String>,
    /// What the release calls that version, where it is known.
    pub(crate) tag: Option<String>,
}

/// Where the registry stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A parameter for each service, below this path: `/services/staging`.
    Below(String),
    /// One parameter with a document of all services: `/services/registry`.
    Document(String),
}

/// The document of all services.
#[derive(Debug, Deserialize)]
struct Document {
    services: HashMap<String, Entry>,
}

/// Why a service is not to be found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It was never released to this environment, or the path is wrong.
    #[error("`{service}` is not registered: no parameter `{parameter}`")]
    NotRegistered { service: &'static str, parameter: String },
    /// The same, where all services stand in one document.
    #[error("`{service}` is not registered: it is not in the parameter `{parameter}`")]
    NotListed { service: &'static str, parameter: String },
    /// Parameter Store did not answer, or refused.
    #[error("the service registry cannot be read for `{service}`")]
    Unavailable { service: &'static str, source: BoxError },
    /// The parameter holds something else.
    #[error("parameter `{parameter}` is not an entry of the service registry")]
    Malformed { parameter: String, source: serde_json::Error },
}

/// The registry of one environment, remembered for a short time.
#[derive(Debug)]
pub(crate) struct Registry {
    ssm: aws_sdk_ssm::Client,
    place: Place,
    known: Mutex<HashMap<&'static str, Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    entry: Entry,
    since: Instant,
}

impl Registry {
    /// The registry at this place.
    pub(crate) fn new(ssm: aws_sdk_ssm::Client, place: Place) -> Self {
        Self { ssm, place, known: Mutex::default() }
    }

    /// Finds a service.
    pub(crate) async fn find(&self, service: &'static str) -> Result<Entry, Error> {
        let known = self.remembered(service);
        if let Some(known) = &known
            && known.since.elapsed() < FRESH_FOR
        {
            return Ok(known.entry.clone());
        }
        match (self.read(service).await, known) {
            (Ok(entry), _) => {
                self.remember(service, &entry);
                Ok(entry)
            }
            (Err(error @ Error::Unavailable { .. }), Some(known)) => {
                tracing::warn!(service, error = %DisplayErrorContext(&error), "going on with the entry read before");
                Ok(known.entry)
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn read(&self, service: &'static str) -> Result<Entry, Error> {
        let parameter = match &self.place {
            Place::Below(path) => format!("{}/{service}", path.trim_end_matches('/')),
            Place::Document(name) => name.clone(),
        };
        let answer = match self.ssm.get_parameter().name(&parameter).send().await {
            Ok(answer) => answer,
            Err(error) if is_missing(&error) => return Err(Error::NotRegistered { service, parameter }),
            Err(error) => return Err(Error::Unavailable { service, source: error.into() }),
        };
        let value = answer.parameter.and_then(|parameter| parameter.value).unwrap_or_default();
        let malformed = |source| Error::Malformed { parameter: parameter.clone(), source };
        match &self.place {
            Place::Below(_) => serde_json::from_str(&value).map_err(malformed),
            Place::Document(_) => {
                let Document { mut services } = serde_json::from_str(&value).map_err(malformed)?;
                services.remove(service).ok_or(Error::NotListed { service, parameter })
            }
        }
    }

    fn remembered(&self, service: &str) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned()
    }

    fn remember(&self, service: &'static str, entry: &Entry) {
        let known = Known { entry: entry.clone(), since: Instant::now() };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(service, known);
    }
}

fn is_missing(error: &SdkError<GetParameterError>) -> bool {
    error.as_service_error().is_some_and(GetParameterError::is_parameter_not_found)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_config::retry::RetryConfig;
    use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
    use local_aws::{Fault, LocalAws, Options};

    use super::*;

    const ENTRY: &str = r#"{"schemaVersion": 1, "aliasArn": "arn:x", "version": "7", "tag": "v1.2.3"}"#;

    fn ssm(aws: &LocalAws) -> aws_sdk_ssm::Client {
        let config = aws_sdk_ssm::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("111111111111", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(aws.http_client())
            .build();
        aws_sdk_ssm::Client::from_conf(config)
    }

    async fn register(aws: &LocalAws, value: &str) {
        let put = ssm(aws).put_parameter().name("/services/staging/flight-service").value(value).overwrite(true);
        put.r#type(aws_sdk_ssm::types::ParameterType::String).send().await.unwrap();
        aws.forget_calls();
    }

    fn world() -> (LocalAws, Registry) {
        let aws = LocalAws::new(Options::default());
        let registry = Registry::new(ssm(&aws), Place::Below("/services/staging/".to_owned()));
        (aws, registry)
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_is_not_registered_is_named_with_its_parameter() {
        let (_aws, registry) = world();
        let error = registry.find("flight-service").await.unwrap_err();
        let message = "`flight-service` is not registered: no parameter `/services/staging/flight-service`";
        assert_eq!(error.to_string(), message);
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_is_read_once_while_it_is_fresh_and_again_after_that() {
        let (aws, registry) = world();
        register(&aws, ENTRY).await;
        for _ in 0..10 {
            assert_eq!(registry.find("flight-service").await.unwrap().tag.as_deref(), Some("v1.2.3"));
        }
        assert_eq!(aws.calls().len(), 1);

        register(&aws, &ENTRY.replace("v1.2.3", "v1.3.0")).await;
        tokio::time::advance(FRESH_FOR).await;
        assert_eq!(registry.find("flight-service").await.unwrap().tag.as_deref(), Some("v1.3.0"));
    }

    #[tokio::test(start_paused = true)]
    async fn while_parameter_store_is_down_the_entry_read_before_is_used() {
        let (aws, registry) = world();
        register(&aws, ENTRY).await;
        let before = registry.find("flight-service").await.unwrap();

        aws.set_hook(Arc::new(|_| Fault::LoseRequest));
        tokio::time::advance(FRESH_FOR * 100).await;
        assert_eq!(registry.find("flight-service").await.unwrap(), before);
        let error = registry.find("reservation-service").await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { service: "reservation-service", .. }), "{error}");

        aws.clear_hook();
        register(&aws, &ENTRY.replace("v1.2.3", "v1.3.0")).await;
        assert_eq!(registry.find("flight-service").await.unwrap().tag.as_deref(), Some("v1.3.0"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_parameter_that_holds_something_else_is_named() {
        let (aws, registry) = world();
        register(&aws, "soon").await;
        let error = registry.find("flight-service").await.unwrap_err();
        let message = "parameter `/services/staging/flight-service` is not an entry of the service registry";
        assert_eq!(error.to_string(), message);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_services_stand_in_one_document_each_is_found_there() {
        let aws = LocalAws::new(Options::default());
        let registry = Registry::new(ssm(&aws), Place::Document("/services/registry".to_owned()));
        let error = registry.find("flight-service").await.unwrap_err();
        assert_eq!(error.to_string(), "`flight-service` is not registered: no parameter `/services/registry`");
        let listed = r#"{"aliasArn": "arn:x", "version": "7", "tag": "v1.2.3"}"#;
        let document =
            format!(r#"{{"schemaVersion": 1, "environment": "staging", "services": {{"flight-service": {listed}}}}}"#);
        let put = ssm(&aws).put_parameter().name("/services/registry").value(document);
        put.r#type(aws_sdk_ssm::types::ParameterType::String).send().await.unwrap();
        assert_eq!(registry.find("flight-service").await.unwrap().alias_arn, "arn:x");
        let error = registry.find("reservation-service").await.unwrap_err();
        let message = "`reservation-service` is not registered: it is not in the parameter `/services/registry`";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn an_entry_is_read_with_fields_that_are_not_known_here() {
        let text = r#"{"schemaVersion": 2, "aliasArn": "arn:x", "version": "7", "tag": "v1.2.3", "region": "eu"}"#;
        let entry = Entry { alias_arn: "arn:x".into(), version: Some("7".into()), tag: Some("v1.2.3".into()) };
        assert_eq!(serde_json::from_str::<Entry>(text).unwrap(), entry);
    }

    #[test]
    fn a_release_by_digest_has_no_tag() {
        let entry = Entry { alias_arn: "arn:x".into(), version: Some("7".into()), tag: None };
        for text in
            [r#"{"aliasArn": "arn:x", "version": "7"}"#, r#"{"aliasArn": "arn:x", "version": "7", "tag": null}"#]
        {
            assert_eq!(serde_json::from_str::<Entry>(text).unwrap(), entry);
        }
    }

    #[test]
    fn an_entry_without_an_alias_is_none() {
        let error = serde_json::from_str::<Entry>(r#"{"version": "7"}"#).unwrap_err();
        assert!(error.to_string().starts_with("missing field `aliasArn`"), "{error}");
    }
}
