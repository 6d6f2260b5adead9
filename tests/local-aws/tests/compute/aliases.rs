//! Aliases: what may stand behind one, and what is kept when an update says nothing.
use std::collections::HashMap;

use aws_sdk_lambda::operation::update_alias::builders::UpdateAliasFluentBuilder;
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use local_aws::Options;

use crate::{Airline, NAME, code, refusal};

fn update(airline: &Airline) -> UpdateAliasFluentBuilder {
    airline.lambda.update_alias().function_name(NAME).name("live")
}

fn weights<const N: usize>(weights: [(&str, f64); N]) -> AliasRoutingConfiguration {
    let weights = weights.map(|(version, weight)| (version.to_owned(), weight));
    AliasRoutingConfiguration::builder().set_additional_version_weights(Some(HashMap::from(weights))).build()
}

#[tokio::test(start_paused = true)]
async fn promoting_takes_one_call_and_empty_weights() {
    let airline = Airline::with_function(Options::default()).await;
    airline.release("v2").await;
    let canary = update(&airline).routing_config(weights([("2", 0.1)])).send().await.unwrap();
    assert_eq!(canary.function_version(), Some("1"));
    assert_eq!(
        canary.routing_config.unwrap().additional_version_weights.unwrap(),
        HashMap::from([("2".to_owned(), 0.1)])
    );
    let promoted = update(&airline).function_version("2").routing_config(weights([])).send().await.unwrap();
    assert_eq!((promoted.function_version(), promoted.routing_config()), (Some("2"), None));
    assert_eq!(airline.fly("{}").await.1, "\"v2\"");
}

#[tokio::test(start_paused = true)]
async fn what_an_update_leaves_out_stays() {
    let airline = Airline::with_function(Options::default()).await;
    airline.release("v2").await;
    airline.release("v3").await;
    update(&airline).routing_config(weights([("2", 0.1)])).description("a canary").send().await.unwrap();
    let kept = update(&airline).function_version("3").send().await.unwrap();
    assert_eq!((kept.function_version(), kept.description()), (Some("3"), Some("a canary")));
    assert_eq!(kept.routing_config.unwrap().additional_version_weights.unwrap()["2"].to_bits(), 0.1f64.to_bits());
    // The old weight would name the new primary version again.
    let (code, message) = refusal(update(&airline).function_version("2").send().await);
    assert_eq!(code, "InvalidParameterValueException");
    assert!(message.contains("already included in routing configuration"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn weights_that_lambda_refuses_are_refused_with_its_codes() {
    let airline = Airline::with_function(Options::default()).await;
    airline.release("v2").await;
    airline.release("v3").await;
    let refused = [
        (weights([("2", 0.1), ("3", 0.1)]), "InvalidParameterValueException", "cannot be greater than 1"),
        (weights([("1", 0.1)]), "InvalidParameterValueException", "already included"),
        (weights([("2", 1.25)]), "ValidationException", "Member must have value less than or equal to 1.0"),
        (weights([("2", -0.25)]), "ValidationException", "Member must have value greater than or equal to 0.0"),
        (weights([("$LATEST", 0.1)]), "ValidationException", "regular expression pattern: [0-9]+"),
        (weights([("9", 0.1)]), "ResourceNotFoundException", "Function not found: arn:aws:lambda"),
    ];
    for (routing, expected, text) in refused {
        let (code, message) = refusal(update(&airline).routing_config(routing).send().await);
        assert_eq!(code, expected);
        assert!(message.contains(text), "{message}");
    }
    let latest = update(&airline).function_version("$LATEST").routing_config(weights([("2", 0.1)])).send().await;
    assert_eq!(code(latest), "InvalidParameterValueException");
    update(&airline).function_version("$LATEST").send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn versions_with_another_role_or_dead_letter_queue_cannot_share_an_alias() {
    let airline = Airline::with_function(Options::default()).await;
    let configure = || airline.lambda.update_function_configuration().function_name(NAME);
    configure().role("arn:aws:iam::111111111111:role/other").send().await.unwrap();
    airline.settle().await;
    assert_eq!(airline.publish().await, "2");
    let queue =
        aws_sdk_lambda::types::DeadLetterConfig::builder().target_arn("arn:aws:sqs:eu-central-1:111111111111:dead");
    configure().role(crate::ROLE).dead_letter_config(queue.build()).send().await.unwrap();
    airline.settle().await;
    assert_eq!(airline.publish().await, "3");
    // Each version keeps what it was published with, and says so.
    let expected = [("1", "flights", None), ("2", "other", None), ("3", "flights", Some("dead"))];
    for (version, role, queue) in expected {
        let get = airline.lambda.get_function().function_name(NAME).qualifier(version).send().await.unwrap();
        let shown = get.configuration.unwrap();
        assert!(shown.role().unwrap().ends_with(role), "{shown:?}");
        let target = shown.dead_letter_config().and_then(|it| it.target_arn());
        assert_eq!(target.and_then(|arn| arn.rsplit(':').next()), queue);
    }
    for version in ["2", "3"] {
        let (code, message) = refusal(update(&airline).routing_config(weights([(version, 0.1)])).send().await);
        assert_eq!(code, "InvalidParameterValueException");
        assert!(message.contains("must have the same"), "{message}");
        update(&airline).function_version(version).send().await.unwrap();
        update(&airline).function_version("1").send().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn every_update_makes_a_new_revision_of_the_alias_alone() {
    let airline = Airline::with_function(Options::default()).await;
    let function = || async {
        let get = airline.lambda.get_function().function_name(NAME).qualifier("live").send().await.unwrap();
        get.configuration.unwrap().revision_id
    };
    let before = function().await;
    let first = airline.lambda.get_alias().function_name(NAME).name("live").send().await.unwrap().revision_id.unwrap();
    let second = update(&airline).revision_id(&first).send().await.unwrap().revision_id.unwrap();
    assert_ne!(first, second);
    let (code, message) = refusal(update(&airline).revision_id(&first).function_version("1").send().await);
    assert_eq!(code, "PreconditionFailedException");
    assert!(message.contains("does not match the latest RevisionId"), "{message}");
    assert_eq!(function().await, before);
}

#[tokio::test(start_paused = true)]
async fn names_versions_and_descriptions_have_to_be_well_formed() {
    let airline = Airline::with_function(Options::default()).await;
    let create = |name: &str| airline.lambda.create_alias().function_name(NAME).name(name).function_version("1");
    assert_eq!(code(create("live").send().await), "ResourceConflictException");
    assert_eq!(code(create("7").send().await), "ValidationException");
    assert_eq!(code(create("a b").send().await), "ValidationException");
    assert_eq!(code(create("next").function_version("9").send().await), "ResourceNotFoundException");
    assert_eq!(code(update(&airline).description("x".repeat(257)).send().await), "ValidationException");
    update(&airline).description("x".repeat(256)).send().await.unwrap();
    let missing = airline.lambda.update_alias().function_name(NAME).name("none").send().await;
    let (code, message) = refusal(missing);
    assert_eq!(code, "ResourceNotFoundException");
    assert!(message.starts_with("Cannot find alias arn: arn:aws:lambda:"), "{message}");
}
