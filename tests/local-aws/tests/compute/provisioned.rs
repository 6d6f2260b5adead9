//! Provisioned concurrency of an alias, and the weights that Lambda injects into it.
use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_lambda::operation::update_alias::builders::UpdateAliasFluentBuilder;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, ProvisionedConcurrencyStatusEnum as Status};
use local_aws::Options;

use crate::{Airline, NAME, code, refusal};

impl Airline {
    /// Two more releases, and the alias on the first version provisioned and ready.
    async fn provisioned() -> Self {
        let airline = Self::with_function(Options::default()).await;
        airline.release("v2").await;
        airline.release("v3").await;
        airline.provision().await;
        after(120).await;
        airline
    }

    async fn provision(&self) {
        let put = self.lambda.put_provisioned_concurrency_config().function_name(NAME).qualifier("live");
        put.provisioned_concurrent_executions(5).send().await.unwrap();
    }

    async fn status(&self) -> Status {
        let get = self.lambda.get_provisioned_concurrency_config().function_name(NAME).qualifier("live");
        get.send().await.unwrap().status.unwrap()
    }

    async fn weights(&self) -> Option<HashMap<String, f64>> {
        let alias = self.lambda.get_alias().function_name(NAME).name("live").send().await.unwrap();
        alias.routing_config.and_then(|routing| routing.additional_version_weights)
    }

    fn update(&self) -> UpdateAliasFluentBuilder {
        self.lambda.update_alias().function_name(NAME).name("live")
    }

    /// Switches the alias with explicit empty weights.
    async fn switch(&self, version: &str) {
        self.update().function_version(version).routing_config(weights([])).send().await.unwrap();
    }
}

async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn weights<const N: usize>(weights: [(&str, f64); N]) -> AliasRoutingConfiguration {
    AliasRoutingConfiguration::builder().set_additional_version_weights(Some(map(weights))).build()
}

fn map<const N: usize>(weights: [(&str, f64); N]) -> HashMap<String, f64> {
    HashMap::from(weights.map(|(version, weight)| (version.to_owned(), weight)))
}

#[tokio::test(start_paused = true)]
async fn while_a_switched_alias_is_provisioned_lambda_shifts_its_traffic_by_itself() {
    let airline = Airline::with_function(Options::default()).await;
    airline.release("v2").await;
    airline.provision().await;
    assert_eq!((airline.status().await, airline.weights().await), (Status::InProgress, None));
    after(120).await;
    assert_eq!(airline.status().await, Status::Ready);

    airline.switch("2").await;
    assert_eq!((airline.status().await, airline.weights().await), (Status::InProgress, Some(map([("1", 1.0)]))));
    assert_eq!(airline.fly("{}").await.0, "1");
    after(30).await;
    assert_eq!(airline.weights().await, Some(map([("1", 0.75)])));
    let mut met = Vec::new();
    for _ in 0..100 {
        met.push(airline.fly("{}").await.0);
    }
    let left = met.iter().filter(|version| *version == "1").count();
    assert!((55..=90).contains(&left), "{left} of 100");
    after(90).await;
    assert_eq!((airline.status().await, airline.weights().await), (Status::Ready, None));
    assert_eq!(airline.fly("{}").await.0, "2");
}

#[tokio::test(start_paused = true)]
async fn injected_weights_change_neither_the_revision_nor_what_an_update_leaves_out() {
    let airline = Airline::provisioned().await;
    airline.switch("2").await;
    let revision =
        airline.lambda.get_alias().function_name(NAME).name("live").send().await.unwrap().revision_id.unwrap();
    after(60).await;
    // Neither the weights nor the version before are taken for what somebody has set.
    let update = airline.update().revision_id(revision).function_version("2").description("kept").send().await.unwrap();
    assert_eq!(update.routing_config.unwrap().additional_version_weights.unwrap(), map([("1", 0.5)]));
    airline.update().function_version("1").send().await.unwrap();
    assert_eq!(airline.status().await, Status::InProgress);
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_is_switched_back_goes_on_from_where_its_traffic_is() {
    let airline = Airline::provisioned().await;
    airline.switch("2").await;
    after(30).await;
    airline.switch("1").await;
    assert_eq!(airline.weights().await, Some(map([("2", 0.25)])));
    after(60).await;
    assert_eq!(airline.weights().await, Some(map([("2", 0.125)])));
    after(60).await;
    assert_eq!((airline.status().await, airline.weights().await), (Status::Ready, None));
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_is_promoted_shifts_only_what_stable_still_had() {
    let airline = Airline::provisioned().await;
    airline.update().routing_config(weights([("2", 0.5)])).send().await.unwrap();
    // Weights under the same primary version need nothing to be prepared.
    assert_eq!((airline.status().await, airline.weights().await), (Status::Ready, Some(map([("2", 0.5)]))));
    airline.switch("2").await;
    assert_eq!(airline.weights().await, Some(map([("1", 0.5)])));
    after(120).await;
    assert_eq!(airline.weights().await, None);
}

#[tokio::test(start_paused = true)]
async fn weights_that_somebody_sets_end_the_injected_ones() {
    let airline = Airline::provisioned().await;
    airline.switch("2").await;
    airline.update().routing_config(weights([("3", 0.2)])).send().await.unwrap();
    for (seconds, status) in [(60, Status::InProgress), (60, Status::Ready)] {
        after(seconds).await;
        assert_eq!((airline.status().await, airline.weights().await), (status, Some(map([("3", 0.2)]))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_lambda_still_sends_traffic_to_cannot_be_deleted() {
    let airline = Airline::provisioned().await;
    airline.switch("2").await;
    let delete = || airline.lambda.delete_function().function_name(NAME).qualifier("1").send();
    assert_eq!(code(delete().await), "ResourceConflictException");
    after(120).await;
    delete().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn provisioned_concurrency_is_refused_where_lambda_refuses_it() {
    let airline = Airline::with_function(Options::default()).await;
    let get = airline.lambda.get_provisioned_concurrency_config().function_name(NAME).qualifier("live");
    assert_eq!(code(get.send().await), "ProvisionedConcurrencyConfigNotFoundException");
    airline.release("v2").await;
    let put = |qualifier: &str, wanted| {
        let put = airline.lambda.put_provisioned_concurrency_config().function_name(NAME).qualifier(qualifier);
        put.provisioned_concurrent_executions(wanted).send()
    };
    assert_eq!(code(put("live", 0).await), "ValidationException");
    assert_eq!(code(put("live", 1001).await), "InvalidParameterValueException");
    assert_eq!(code(put("$LATEST", 5).await), "InvalidParameterValueException");
    assert_eq!(code(put("gone", 5).await), "ResourceNotFoundException");
    assert_eq!(code(put("1", 5).await), "NotImplemented");
    airline.update().routing_config(weights([("2", 0.1)])).send().await.unwrap();
    let weighted =
        ("InvalidParameterValueException", "Alias with weights can not be used with Provisioned Concurrency");
    let (code, message) = refusal(put("live", 5).await);
    assert_eq!((code.as_str(), message.as_str()), weighted);

    airline.update().routing_config(weights([])).send().await.unwrap();
    put("live", 5).await.unwrap();
    airline.switch("2").await;
    let (code, message) = refusal(put("live", 6).await);
    assert_eq!((code.as_str(), message.as_str()), weighted);
    after(120).await;
    put("live", 6).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn configurations_are_listed_and_deleted_with_the_weights_that_came_of_them() {
    let airline = Airline::provisioned().await;
    let list = || async {
        let list = airline.lambda.list_provisioned_concurrency_configs().function_name(NAME).send().await.unwrap();
        let of = |item: &aws_sdk_lambda::types::ProvisionedConcurrencyConfigListItem| {
            (item.function_arn().unwrap().to_owned(), item.allocated_provisioned_concurrent_executions().unwrap())
        };
        list.provisioned_concurrency_configs().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(list().await, [("arn:aws:lambda:eu-central-1:111111111111:function:flights:live".to_owned(), 5)]);
    airline.switch("2").await;
    assert_eq!(list().await[0].1, 0);
    let delete = airline.lambda.delete_provisioned_concurrency_config().function_name(NAME).qualifier("live");
    delete.send().await.unwrap();
    assert_eq!((list().await.len(), airline.weights().await), (0, None));
}
