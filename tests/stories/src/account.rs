//! An AWS account as the platform team prepares it: buckets, parameters, images, functions, schedules.
use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cloudwatch::types::{ComparisonOperator, Statistic};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, PackageType, State};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration,
};
use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, Target};
use aws_sdk_ssm::types::ParameterType;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use local_aws::LocalAws;
use serde_json::{Value, json};

/// The account that stories play in. The local AWS takes an access key of twelve digits for the account itself.
pub const ACCOUNT: &str = "111111111111";
/// The region that stories play in.
pub const REGION: &str = "eu-central-1";
/// The installation's name.
pub const INSTALLATION: &str = "main";
/// The controller's function.
pub const CONTROLLER: &str = "tidegate-main";
/// Where state is stored.
pub const BUCKET: &str = "tidegate-main-state";
/// The role of every function in stories.
const ROLE: &str = "arn:aws:iam::111111111111:role/story";

/// The account's ECR registry.
#[must_use]
pub fn registry() -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com")
}

/// An SDK configuration of an account of the AWS that is served at `endpoint`.
#[must_use]
pub fn config_at(endpoint: &str, account: &str) -> SdkConfig {
    base(account).to_builder().endpoint_url(endpoint).build()
}

/// An SDK configuration of an account of a world in this process.
#[must_use]
pub fn config_in(world: &LocalAws, account: &str) -> SdkConfig {
    base(account).to_builder().http_client(world.http_client()).build()
}

/// The same for the controller, which says what each call is for.
#[must_use]
pub fn controller_config_in(world: &LocalAws, account: &str) -> SdkConfig {
    base(account).to_builder().http_client(world.http_client_for(crate::used::purpose)).build()
}

fn base(account: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(account, "story", None, None, "story")))
        .region(Region::from_static(REGION))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(SystemTimeSource::new()))
        .build()
}

/// A program that is packed as an image, and the environment that is part of it.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// An executable on this machine, or `closure:NAME`.
    pub program: &'a str,
    /// Environment variables that belong to the image.
    pub environment: &'a [(&'a str, &'a str)],
}

/// The clients of one account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Alarms.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// Images.
    pub ecr: aws_sdk_ecr::Client,
    /// Functions.
    pub lambda: aws_sdk_lambda::Client,
    /// Buckets.
    pub s3: aws_sdk_s3::Client,
    /// Schedules.
    pub scheduler: aws_sdk_scheduler::Client,
    /// Parameters.
    pub ssm: aws_sdk_ssm::Client,
}

impl Account {
    /// On this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
        Self {
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            ecr: aws_sdk_ecr::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            scheduler: aws_sdk_scheduler::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
        }
    }

    /// An alarm on the controller's own errors: what it is about is of no interest, only its state.
    ///
    /// # Errors
    /// Where CloudWatch refuses.
    pub async fn put_alarm(&self, name: &str) -> Result<()> {
        let alarm = self.cloudwatch.put_metric_alarm().alarm_name(name).namespace("Tidegate").metric_name("SyncErrors");
        let alarm = alarm.statistic(Statistic::Sum).comparison_operator(ComparisonOperator::GreaterThanThreshold);
        alarm.threshold(0.0).period(60).evaluation_periods(1).send().await?;
        Ok(())
    }

    /// A versioned bucket.
    ///
    /// # Errors
    /// Where AWS refuses.
    pub async fn create_bucket(&self, name: &str) -> Result<()> {
        let place =
            CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(REGION)).build();
        self.s3.create_bucket().bucket(name).create_bucket_configuration(place).send().await.context("CreateBucket")?;
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        self.s3
            .put_bucket_versioning()
            .bucket(name)
            .versioning_configuration(on)
            .send()
            .await
            .context("PutBucketVersioning")?;
        Ok(())
    }

    /// A parameter; `SecureString` where `secret` says so.
    ///
    /// # Errors
    /// Where AWS refuses.
    pub async fn put_parameter(&self, name: &str, value: &str, secret: bool) -> Result<()> {
        let kind = if secret { ParameterType::SecureString } else { ParameterType::String };
        let put = self.ssm.put_parameter().name(name).value(value).r#type(kind).overwrite(true);
        put.send().await.with_context(|| format!("PutParameter {name}"))?;
        Ok(())
    }

    /// An image repository.
    ///
    /// # Errors
    /// Where AWS refuses.
    pub async fn create_repository(&self, name: &str) -> Result<()> {
        self.ecr.create_repository().repository_name(name).send().await.context("CreateRepository")?;
        Ok(())
    }

    /// Pushes an image; gives its URI by digest.
    ///
    /// # Errors
    /// Where AWS refuses.
    pub async fn push_image(&self, repository: &str, tag: &str, build: Build<'_>) -> Result<String> {
        let mut annotations = serde_json::Map::new();
        annotations.insert("dev.tidegate.local.program".to_owned(), build.program.into());
        for (name, value) in build.environment {
            annotations.insert(format!("dev.tidegate.local.env.{name}"), (*value).into());
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "annotations": annotations,
        });
        let put = self.ecr.put_image().repository_name(repository).image_tag(tag).image_manifest(manifest.to_string());
        let answer = put.send().await.with_context(|| format!("PutImage {repository}:{tag}"))?;
        let id = answer.image.and_then(|image| image.image_id).and_then(|id| id.image_digest);
        Ok(format!("{}/{repository}@{}", registry(), id.context("an image without a digest")?))
    }

    /// A function from an image; waits until it can be invoked.
    ///
    /// # Errors
    /// Where AWS refuses.
    pub async fn create_function(
        &self,
        name: &str,
        image: &str,
        timeout: i32,
        variables: &[(&str, &str)],
    ) -> Result<()> {
        let code = FunctionCode::builder().image_uri(image).build();
        self.create(name, code, PackageType::Image, timeout, variables).await
    }

    /// A function from a zip archive; waits until it can be invoked.
    ///
    /// # Errors
    /// Where AWS refuses.
    pub async fn create_zip_function(
        &self,
        name: &str,
        archive: Vec<u8>,
        timeout: i32,
        variables: &[(&str, &str)],
    ) -> Result<()> {
        let code = FunctionCode::builder().zip_file(Blob::new(archive)).build();
        self.create(name, code, PackageType::Zip, timeout, variables).await
    }

    async fn create(
        &self,
        name: &str,
        code: FunctionCode,
        package: PackageType,
        timeout: i32,
        variables: &[(&str, &str)],
    ) -> Result<()> {
        let variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = Environment::builder().set_variables(Some(variables)).build();
        let mut call = self.lambda.create_function().function_name(name).role(ROLE).code(code);
        if package == PackageType::Zip {
            call = call.runtime(aws_sdk_lambda::types::Runtime::Providedal2023).handler("bootstrap");
        }
        let call = call.package_type(package).timeout(timeout).memory_size(256).environment(environment);
        call.send().await.with_context(|| format!("CreateFunction {name}"))?;
        loop {
            let state = self.lambda.get_function_configuration().function_name(name).send().await?.state;
            if state == Some(State::Active) {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Publishes `$LATEST` and puts an alias on it, as a team did by hand before Tidegate came.
    ///
    /// # Errors
    /// Where AWS refuses.
    pub async fn publish_by_hand(&self, name: &str, alias: &str) -> Result<String> {
        let version = self.lambda.publish_version().function_name(name).send().await?.version.context("no version")?;
        self.lambda.create_alias().function_name(name).name(alias).function_version(&version).send().await?;
        Ok(version)
    }

    /// A schedule that invokes a function every minute with this input, without retries.
    ///
    /// # Errors
    /// Where AWS refuses.
    pub async fn schedule_every_minute(&self, name: &str, function: &str, input: &Value) -> Result<()> {
        let retries = RetryPolicy::builder().maximum_retry_attempts(0).maximum_event_age_in_seconds(60).build();
        let target = Target::builder()
            .arn(format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"))
            .role_arn(ROLE)
            .input(input.to_string())
            .retry_policy(retries)
            .build()?;
        let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build()?;
        let call = self.scheduler.create_schedule().name(name).schedule_expression("rate(1 minute)");
        call.flexible_time_window(window).target(target).send().await.context("CreateSchedule")?;
        Ok(())
    }

    /// Invokes a function or alias, and gives what it answers.
    ///
    /// # Errors
    /// Where AWS refuses, or the function fails.
    pub async fn invoke(&self, function: &str, qualifier: Option<&str>, payload: &Value) -> Result<Value> {
        let call = self.lambda.invoke().function_name(function).set_qualifier(qualifier.map(str::to_owned));
        let answer =
            call.payload(Blob::new(payload.to_string())).send().await.with_context(|| format!("Invoke {function}"))?;
        let body = answer.payload.map(Blob::into_inner).unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        anyhow::ensure!(answer.function_error.is_none(), "{function} failed: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    /// What the controller is told of the installation: where its release repository is, and whether it tells it of rollbacks.
    ///
    /// # Errors
    /// Where AWS refuses.
    pub async fn install(&self, repository_url: &str, write_back: bool) -> Result<()> {
        let installation = format!(
            "schemaVersion: 1\nrepository:\n  url: {repository_url}\n  branch: main\n  writeBack: {write_back}\n\
             state:\n  bucket: {BUCKET}\n  prefix: tidegate\n"
        );
        self.put_parameter(&format!("/tidegate/{INSTALLATION}/installation"), &installation, false).await
    }

    /// The controller's configuration in Parameter Store, for the environments given as name and YAML.
    ///
    /// # Errors
    /// Where AWS refuses.
    pub async fn configure(&self, repository_url: &str, environments: &[(&str, String)]) -> Result<()> {
        self.install(repository_url, false).await?;
        for (name, text) in environments {
            self.put_parameter(&format!("/tidegate/{INSTALLATION}/environments/{name}"), text, false).await?;
        }
        Ok(())
    }
}

/// What the controller is told of an environment whose functions begin with `prefix`.
#[must_use]
pub fn environment_configuration(prefix: &str) -> String {
    format!(
        "schemaVersion: 1\nregion: {REGION}\nallowedFunctions: [\"{prefix}*\"]\nregistries: [{}]\nbuckets: [artifacts]\n\
         massChange: {{ percent: 100 }}\n",
        registry()
    )
}

/// Whether a path exists, as text for an image's annotation.
///
/// # Errors
/// Where it does not exist.
pub fn program(path: &Path) -> Result<String> {
    let path = path.canonicalize().with_context(|| format!("{} was not built", path.display()))?;
    Ok(path.to_str().context("a path that is not UTF-8")?.to_owned())
}
