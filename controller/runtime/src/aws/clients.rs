//! Builds the clients: once for the home account, once for each environment with its region and role.
use std::sync::Arc;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::retry::RetryPartition;
use tidegate_core::shard::{Shard, Shards};
use tokio::time::Instant;

use super::budget::SlowDown;
use super::lambda::Paced;
use super::{Budget, Budgets, Calls};
use crate::config::{CallBudget, EnvironmentConfig};

/// A hanging call ends here and is retried, so that one of them cannot use up a tick.
const ATTEMPT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);
const OPERATION: Duration = Duration::from_secs(25);

/// The account that Tidegate runs in: its stored state, its configuration and its metrics.
#[derive(Clone, Debug)]
pub struct Home {
    config: SdkConfig,
    /// State.
    pub s3: aws_sdk_s3::Client,
    /// Configuration.
    pub ssm: aws_sdk_ssm::Client,
    /// Metrics.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
}

impl Home {
    /// Credentials, region and endpoint as the environment of the process gives them.
    pub async fn from_environment() -> Self {
        Self::new(&aws_config::defaults(BehaviorVersion::latest()).load().await)
    }

    /// On this configuration: where tests plug in another AWS.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let config = config.to_builder().timeout_config(timeouts).build();
        Self {
            s3: s3_client(&config, &Calls::default()),
            ssm: ssm_client(&config, &Calls::default()),
            cloudwatch: cloudwatch_client(&config, &Calls::default()),
            config,
        }
    }

    /// What the clients are built from: region, credentials, endpoint.
    #[must_use]
    pub const fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The same clients, counted into `calls`.
    #[must_use]
    pub fn counted(&self, calls: &Calls) -> Self {
        Self {
            s3: s3_client(&self.config, calls),
            ssm: ssm_client(&self.config, calls),
            cloudwatch: cloudwatch_client(&self.config, calls),
            config: self.config.clone(),
        }
    }

    /// The clients of this account and region themselves, with the caller's own rights.
    #[must_use]
    pub fn clients(&self) -> Clients {
        Clients::new(&self.config, &Calls::default(), Budgets::new(&CallBudget::default(), Shard::WHOLE.of()))
    }

    /// The clients of one environment, for one of so many schedules: its region, and its role where it has one. The role is
    /// assumed at the first call.
    pub async fn environment(
        &self,
        environment: &EnvironmentConfig,
        among: Shards,
        session: &str,
        calls: &Calls,
    ) -> Clients {
        let region = Region::new(environment.region.clone());
        let mut builder = self.config.to_builder().region(region.clone());
        if let Some(role) = &environment.role_arn {
            let provider = aws_config::sts::AssumeRoleProvider::builder(role.clone())
                .session_name(session)
                .region(region)
                .configure(&self.config);
            let provider = match &environment.external_id {
                Some(id) => provider.external_id(id.clone()),
                None => provider,
            };
            builder = builder.credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
                provider.build().await,
            ));
        }
        Clients::new(&builder.build(), calls, Budgets::new(&environment.call_budget, among))
    }
}

/// What one environment is reached with.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Functions, versions, aliases.
    pub lambda: aws_sdk_lambda::Client,
    /// Images.
    pub ecr: aws_sdk_ecr::Client,
    /// Zip archives.
    pub s3: aws_sdk_s3::Client,
    /// The service registry.
    pub ssm: aws_sdk_ssm::Client,
    /// The functions' metrics and alarms.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// What is called through them.
    pub calls: Calls,
    /// What may be called through them.
    pub budgets: Budgets,
}

/// How long one call waits for its turn where nobody waits for the end of a tick.
const PATIENCE: Duration = Duration::from_secs(600);

impl Clients {
    /// Lambda for as long as it takes, out of what `budget` allows.
    #[must_use]
    pub fn patiently<'a>(&'a self, budget: &'a Budget) -> Paced<'a> {
        Paced::new(&self.lambda, budget, Instant::now() + PATIENCE)
    }

    fn new(config: &SdkConfig, calls: &Calls, budgets: Budgets) -> Self {
        let slow_down = SlowDown(Arc::clone(&budgets.sweep));
        let lambda = aws_sdk_lambda::config::Builder::from(config).interceptor(calls.clone()).interceptor(slow_down);
        let ecr = aws_sdk_ecr::config::Builder::from(config).interceptor(calls.clone());
        Self {
            lambda: aws_sdk_lambda::Client::from_conf(lambda.retry_partition(own_tokens()).build()),
            ecr: aws_sdk_ecr::Client::from_conf(ecr.retry_partition(own_tokens()).build()),
            s3: s3_client(config, calls),
            ssm: ssm_client(config, calls),
            cloudwatch: cloudwatch_client(config, calls),
            calls: calls.clone(),
            budgets,
        }
    }
}

/// What a client may spend on trying again. All clients of a process share one such purse unless told otherwise; but what one
/// environment lost in an outage must not be missing to another, or to a rollback.
fn own_tokens() -> RetryPartition {
    RetryPartition::custom("tidegate").build()
}

fn ssm_client(config: &SdkConfig, calls: &Calls) -> aws_sdk_ssm::Client {
    let config = aws_sdk_ssm::config::Builder::from(config).interceptor(calls.clone()).retry_partition(own_tokens());
    aws_sdk_ssm::Client::from_conf(config.build())
}

fn cloudwatch_client(config: &SdkConfig, calls: &Calls) -> aws_sdk_cloudwatch::Client {
    let config = aws_sdk_cloudwatch::config::Builder::from(config).interceptor(calls.clone());
    aws_sdk_cloudwatch::Client::from_conf(config.retry_partition(own_tokens()).build())
}

/// Path style where the endpoint is not AWS's own: a bucket's name is no host there.
fn s3_client(config: &SdkConfig, calls: &Calls) -> aws_sdk_s3::Client {
    let own_endpoint = config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL").is_some();
    let config = aws_sdk_s3::config::Builder::from(config).interceptor(calls.clone()).force_path_style(own_endpoint);
    aws_sdk_s3::Client::from_conf(config.retry_partition(own_tokens()).build())
}
