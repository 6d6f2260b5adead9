//! Provisioned concurrency of an alias, the weights that Lambda injects into it, and traffic without programs.
use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_lambda::types::{AliasRoutingConfiguration, ProvisionedConcurrencyStatusEnum as Status};
use local_aws::{Options, Served};

use crate::{ACCOUNT, Airline, NAME, REGION, code, refusal};

impl Airline {
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
}

#[tokio::test(start_paused = true)]
async fn while_a_switched_alias_is_provisioned_lambda_shifts_its_traffic_by_itself() {
    let airline = Airline::with_function(Options::default()).await;
    airline.release("v2").await;
    airline.provision().await;
    assert_eq!((airline.status().await, airline.weights().await), (Status::InProgress, None));
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(airline.status().await, Status::Ready);

    let none = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(HashMap::new())).build();
    let update = airline.lambda.update_alias().function_name(NAME).name("live").function_version("2");
    update.routing_config(none).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(airline.status().await, Status::InProgress);
    assert_eq!(airline.weights().await, Some(HashMap::from([("1".to_owned(), 0.75)])));
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!((airline.status().await, airline.weights().await), (Status::Ready, None));
}

#[tokio::test(start_paused = true)]
async fn provisioned_concurrency_is_refused_where_lambda_refuses_it() {
    let airline = Airline::with_function(Options::default()).await;
    let get = airline.lambda.get_provisioned_concurrency_config().function_name(NAME).qualifier("live");
    assert_eq!(code(get.send().await), "ProvisionedConcurrencyConfigNotFoundException");
    airline.release("v2").await;
    let weights = HashMap::from([("2".to_owned(), 0.1)]);
    let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build();
    airline.lambda.update_alias().function_name(NAME).name("live").routing_config(routing).send().await.unwrap();
    let put = |qualifier: &str| {
        let put = airline.lambda.put_provisioned_concurrency_config().function_name(NAME).qualifier(qualifier);
        put.provisioned_concurrent_executions(5).send()
    };
    for qualifier in ["live", "$LATEST"] {
        assert_eq!(refusal(put(qualifier).await).0, "InvalidParameterValueException", "{qualifier}");
    }
    assert_eq!(code(put("gone").await), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn traffic_without_a_program_follows_the_weights_and_is_measured() {
    let airline = Airline::with_function(Options::default()).await;
    airline.release("v2").await;
    let weights = HashMap::from([("2".to_owned(), 0.25)]);
    let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build();
    airline.lambda.update_alias().function_name(NAME).name("live").routing_config(routing).send().await.unwrap();
    let met = airline.aws.drive(ACCOUNT, REGION, NAME, "live", 1_000, |version, _| Served {
        failed: version == "2",
        duration: Duration::from_millis(20),
    });
    assert_eq!(met.values().sum::<u32>(), 1_000);
    assert!((180..=320).contains(&met["2"]), "{met:?}");
    let unknown = |_: &str, _: &mut fastrand::Rng| Served { failed: false, duration: Duration::ZERO };
    assert!(airline.aws.drive(ACCOUNT, REGION, NAME, "gone", 5, unknown).is_empty());
}
