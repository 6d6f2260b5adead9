//! Parameter Store: configuration, credentials and the service registry.
use aws_sdk_ssm::Client;
use aws_sdk_ssm::operation::put_parameter::builders::PutParameterFluentBuilder;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use local_aws::{LocalAws, Options};

use crate::{ACCOUNT, REGION, STRANGER, code, config, config_of, message};

fn put(client: &Client, name: &str, value: impl Into<String>) -> PutParameterFluentBuilder {
    client.put_parameter().name(name).value(value).r#type(ParameterType::String)
}

#[tokio::test(start_paused = true)]
async fn a_parameter_counts_its_versions_and_is_overwritten_only_on_request() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    assert_eq!(put(&client, "/a/b", "one").send().await.unwrap().version(), 1);
    assert_eq!(code(put(&client, "/a/b", "two").send().await), "ParameterAlreadyExists");
    assert_eq!(put(&client, "/a/b", "two").overwrite(true).send().await.unwrap().version(), 2);
    let read = client.get_parameter().name("/a/b").send().await.unwrap().parameter.unwrap();
    assert_eq!((read.value(), read.version()), (Some("two"), 2));
    let arn = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/a/b");
    assert_eq!(read.arn(), Some(arn.as_str()));
    let old = client.get_parameter().name(format!("{arn}:1")).send().await.unwrap().parameter.unwrap();
    assert_eq!((old.value(), old.selector()), (Some("one"), Some(":1")));
    assert_eq!(code(client.get_parameter().name("/a/b:9").send().await), "ParameterVersionNotFound");
    assert_eq!(code(client.get_parameter().name("/a").send().await), "ParameterNotFound");
}

#[tokio::test(start_paused = true)]
async fn a_secure_string_is_readable_only_with_decryption() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let secret = client.put_parameter().name("/token").value("planted-secret").r#type(ParameterType::SecureString);
    secret.send().await.unwrap();
    let sealed = client.get_parameter().name("/token").send().await.unwrap().parameter.unwrap();
    assert!(!sealed.value().unwrap().contains("planted-secret"));
    let open = client.get_parameter().name("/token").with_decryption(true).send().await.unwrap().parameter.unwrap();
    assert_eq!(open.value(), Some("planted-secret"));
    let changed = put(&client, "/token", "x").overwrite(true).send().await;
    assert_eq!(code(changed), "HierarchyTypeMismatchException");
}

#[tokio::test(start_paused = true)]
async fn a_standard_parameter_holds_four_kilobytes_and_an_advanced_one_eight() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    put(&client, "/full", "x".repeat(4096)).send().await.unwrap();
    let refused = put(&client, "/over", "x".repeat(4097)).send().await;
    assert!(
        message(refused).starts_with("Standard tier parameters support a maximum parameter value of 4096 characters")
    );
    let tiered = |value: usize, tier| put(&client, "/over", "x".repeat(value)).tier(tier).overwrite(true).send();
    assert_eq!(tiered(8192, ParameterTier::Advanced).await.unwrap().tier(), Some(&ParameterTier::Advanced));
    assert_eq!(code(tiered(8193, ParameterTier::Advanced).await), "ValidationException");
    assert_eq!(code(tiered(1, ParameterTier::Standard).await), "ValidationException");
    let automatic = put(&client, "/auto", "x".repeat(5000)).tier(ParameterTier::IntelligentTiering).send().await;
    assert_eq!(automatic.unwrap().tier(), Some(&ParameterTier::Advanced));
}

#[tokio::test(start_paused = true)]
async fn a_path_is_read_ten_at_a_time() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    for number in 0..12 {
        put(&client, &format!("/services/production/s{number:02}"), "x").send().await.unwrap();
    }
    put(&client, "/services/production/deep/er", "x").send().await.unwrap();
    put(&client, "/services/productions", "x").send().await.unwrap();
    let read = || client.get_parameters_by_path().path("/services/production");
    let first = read().send().await.unwrap();
    assert_eq!(first.parameters().len(), 10);
    let second = read().next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!((second.parameters().len(), second.next_token()), (2, None));
    assert_eq!(code(read().max_results(11).send().await), "ValidationException");
    assert_eq!(code(read().next_token("?").send().await), "InvalidNextToken");
    let pages = read().recursive(true).into_paginator().send().collect::<Result<Vec<_>, _>>().await.unwrap();
    let all: Vec<_> = pages.iter().flat_map(|page| page.parameters()).collect();
    assert_eq!(all.len(), 13);
}

#[tokio::test(start_paused = true)]
async fn names_that_do_not_exist_are_listed_as_invalid() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    put(&client, "/a", "x").send().await.unwrap();
    let read = client.get_parameters().names("/a").names("/b").send().await.unwrap();
    assert_eq!((read.parameters().len(), read.invalid_parameters()), (1, &["/b".to_owned()][..]));
    let names = (0..11).map(|number| format!("/{number}")).collect();
    assert_eq!(code(client.get_parameters().set_names(Some(names)).send().await), "ValidationException");
    client.delete_parameter().name("/a").send().await.unwrap();
    assert_eq!(code(client.delete_parameter().name("/a").send().await), "ParameterNotFound");
}

#[tokio::test(start_paused = true)]
async fn accounts_and_regions_do_not_see_each_others_parameters() {
    let aws = LocalAws::new(Options::default());
    put(&Client::new(&config(&aws)), "/a", "x").send().await.unwrap();
    for config in [config_of(&aws, STRANGER, REGION), config_of(&aws, ACCOUNT, "us-east-1")] {
        assert_eq!(code(Client::new(&config).get_parameter().name("/a").send().await), "ParameterNotFound");
    }
}

#[tokio::test(start_paused = true)]
async fn writes_beyond_three_a_second_are_throttled_where_rates_are_enforced() {
    let aws = LocalAws::new(Options { rates: true, ..Options::default() });
    let config = config(&aws).into_builder().retry_config(aws_config::retry::RetryConfig::disabled()).build();
    let client = Client::new(&config);
    for number in 0..3 {
        put(&client, &format!("/{number}"), "x").send().await.unwrap();
    }
    assert_eq!(code(put(&client, "/3", "x").send().await), "ThrottlingException");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    put(&client, "/3", "x").send().await.unwrap();
}
