//! Makes one adopted service many: what its adoption left in the account and in the store is written again under other names.
//!
//! To adopt thousands takes minutes at AWS's rates, and as long on paused time. These calls go past the SDK, straight to the
//! local AWS's own wire.
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_lambda::types::FunctionConfiguration;
use bytes::Bytes;
use http::Method;
use local_aws::LocalAws;
use release_schema::{EnvironmentName, ServiceName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidegate_core::history::{Head, Record};
use tidegate_core::ids::Commit;
use tidegate_core::registry::parameter_name;
use tidegate_core::report::{ServiceReport, TickReport};
use tidegate_core::shard::Shard;
use tidegate_runtime::store::desired::DesiredDocument;
use tidegate_runtime::store::keys;
use tidegate_runtime::store::lease::LeaseDocument;

use crate::account::{ACCOUNT, Account, BUCKET, REGION};

/// The alias of every service.
const ALIAS: &str = "live";

/// An environment whose services are `service-0`, `service-1` and so on, of which only the first is adopted yet: its first
/// version is what is live, and its history is that one record.
#[derive(Clone, Copy)]
pub struct Fleet<'a> {
    /// Where it lives.
    pub aws: &'a LocalAws,
    /// In whose account.
    pub account: &'a Account,
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// The function of the service with this number.
    pub function: &'a dyn Fn(usize) -> String,
}

impl std::fmt::Debug for Fleet<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet").field("environment", self.environment).finish_non_exhaustive()
    }
}

/// The service with this number.
fn service(number: usize) -> ServiceName {
    format!("service-{number}").parse().expect("a name")
}

impl Fleet<'_> {
    /// Makes it `count` services, all as the first one is. `services` is the environment's file that names them, and `commit`
    /// the one in which it is.
    ///
    /// # Errors
    /// Where the local AWS refuses, or the first service was not adopted just now.
    pub async fn grow(self, count: usize, services: &str, commit: &str) -> Result<()> {
        self.functions(count).await?;
        self.histories(count).await?;
        self.registry(count).await?;
        self.desired(count, services, commit).await?;
        self.status(count).await?;
        self.lease().await?;
        self.aws.forget_calls();
        Ok(())
    }

    /// A function each, with one version and an alias on it, as the first has them.
    async fn functions(self, count: usize) -> Result<()> {
        let name = (self.function)(0);
        let lambda = &self.account.lambda;
        let first = lambda.get_function().function_name(&name).send().await?;
        let alias = lambda.get_alias().function_name(&name).name(ALIAS).send().await?;
        ensure!(alias.function_version() == Some("1"), "the first service is not at its first version");
        let image = first.code.and_then(|code| code.resolved_image_uri).context("a function without an image")?;
        let configuration = first.configuration.context("a function without a configuration")?;
        let alias = json!({ "Name": ALIAS, "FunctionVersion": "1", "Description": alias.description });
        for number in 1..count {
            let body = create(&(self.function)(number), &image, &configuration).to_string();
            self.wire("lambda", Method::POST, "/2015-03-31/functions", body.into()).await?;
        }
        self.aws.clock().sleep(self.aws.options().image_update).await;
        for (path, wait, body) in
            [("versions", self.aws.options().publish, json!({})), ("aliases", Duration::ZERO, alias)]
        {
            for number in 1..count {
                let path = format!("/2015-03-31/functions/{}/{path}", (self.function)(number));
                self.wire("lambda", Method::POST, &path, body.to_string().into()).await?;
            }
            self.aws.clock().sleep(wait).await;
        }
        Ok(())
    }

    /// A history each: the first one's record, of another service.
    async fn histories(self, count: usize) -> Result<()> {
        let head: Head = self.document(&keys::head(self.environment, &service(0))).await?;
        let [first] = head.recent.as_slice() else { anyhow::bail!("the first service has more than one record") };
        for service in (1..count).map(service) {
            let appended = Head::append(None, Record { service: service.clone(), ..first.clone() })?;
            self.put(&keys::record(self.environment, &service, first.number), appended.bytes).await?;
            self.put_document(&keys::head(self.environment, &service), &appended.head).await?;
        }
        Ok(())
    }

    /// An entry of the service registry each.
    async fn registry(self, count: usize) -> Result<()> {
        let name = parameter_name("/services", self.environment, &service(0));
        let entry = self.account.ssm.get_parameter().name(name).send().await?;
        let entry = entry.parameter.and_then(|parameter| parameter.value).context("no registry entry")?;
        for number in 1..count {
            let value = entry.replace(&format!("{}:", (self.function)(0)), &format!("{}:", (self.function)(number)));
            let name = parameter_name("/services", self.environment, &service(number));
            let body = json!({ "Name": name, "Value": value, "Type": "String" });
            self.wire("ssm", Method::POST, "/", body.to_string().into()).await?;
        }
        Ok(())
    }

    /// The last valid content, which now names all of them.
    async fn desired(self, count: usize, services: &str, commit: &str) -> Result<()> {
        let name = keys::desired(self.environment);
        let document: DesiredDocument = self.document(&name).await?;
        let first = document.pins.get(&service(0)).context("the first service is not pinned")?;
        ensure!(first.recorded.is_some(), "the first service is not known to be recorded");
        let pins = (0..count).map(|number| (service(number), first.clone())).collect();
        let commit = Commit { id: commit.to_owned(), ..document.commit };
        let document = DesiredDocument { commit, services: services.to_owned(), pins, ..document };
        self.put_document(&name, &document).await
    }

    /// The last report, of all of them.
    async fn status(self, count: usize) -> Result<()> {
        let name = keys::status(self.environment, Shard::WHOLE);
        let report: TickReport = self.document(&name).await?;
        let first = report.services.get(&service(0)).context("the first service is not in the report")?;
        let of = |number| ServiceReport { function: (self.function)(number), ..first.clone() };
        let services: BTreeMap<ServiceName, ServiceReport> =
            (0..count).map(|number| (service(number), of(number))).collect();
        self.put_document(&name, &TickReport { services, ..report }).await
    }

    /// The lease as after a tick of somebody else: whoever ticked before knows nothing any more.
    async fn lease(self) -> Result<()> {
        let name = keys::lease(self.environment, Shard::WHOLE);
        let lease: LeaseDocument = self.document(&name).await?;
        self.put_document(&name, &LeaseDocument { epoch: lease.epoch + 1, ..lease }).await
    }

    async fn document<T: DeserializeOwned>(self, name: &str) -> Result<T> {
        let body = self.wire("s3", Method::GET, &object(name), Bytes::new()).await?;
        serde_json::from_slice(&body).with_context(|| format!("{name} cannot be read"))
    }

    async fn put_document<T: Serialize>(self, name: &str, value: &T) -> Result<()> {
        self.put(name, serde_json::to_vec(value)?).await
    }

    async fn put(self, name: &str, bytes: Vec<u8>) -> Result<()> {
        self.wire("s3", Method::PUT, &object(name), bytes.into()).await.map(drop)
    }

    /// One request as it goes over the wire; gives the answer's body.
    async fn wire(self, service: &str, method: Method, path: &str, body: Bytes) -> Result<Bytes> {
        let scope = format!("{ACCOUNT}/20260101/{REGION}/{service}/aws4_request");
        let request = http::Request::builder().method(method).uri(format!("https://{service}.localhost{path}"));
        let request = request.header("authorization", format!("AWS4-HMAC-SHA256 Credential={scope}"));
        // Of the services that are called so, only Parameter Store tells its operations by this.
        let request = request.header("x-amz-target", "AmazonSSM.PutParameter").body(body)?;
        let answer = self.aws.handle(request).await.map_err(|lost| anyhow::anyhow!("{lost}"))?;
        let (head, body) = answer.into_parts();
        ensure!(head.status.is_success(), "{path}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }
}

/// The path of an object of stored state.
fn object(name: &str) -> String {
    format!("/{BUCKET}/tidegate/{name}")
}

/// What `CreateFunction` takes for a function like the first.
fn create(name: &str, image: &str, like: &FunctionConfiguration) -> Value {
    let variables = like.environment.as_ref().and_then(|it| it.variables.clone()).unwrap_or_default();
    json!({
        "FunctionName": name,
        "Role": like.role,
        "Code": { "ImageUri": image },
        "PackageType": "Image",
        "Timeout": like.timeout,
        "MemorySize": like.memory_size,
        "Environment": { "Variables": variables },
    })
}
