//! Functions and versions: states that take time, preconditions, numbers that are never used again.
use std::time::Duration;

use aws_sdk_lambda::types::{FunctionCode, LastUpdateStatus, PackageType, State, StateReasonCode};
use local_aws::Options;

use crate::{ACCOUNT, Airline, NAME, ROLE, STRANGER, code, config, refusal, repository_uri};

async fn configuration(airline: &Airline, qualifier: &str) -> aws_sdk_lambda::types::FunctionConfiguration {
    let get = airline.lambda.get_function().function_name(NAME).qualifier(qualifier);
    get.send().await.unwrap().configuration.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_new_function_is_pending_until_its_image_is_ready() {
    let airline = Airline::new(Options::default()).await;
    let code = FunctionCode::builder().image_uri(airline.push("v1").await).build();
    let create = airline.lambda.create_function().function_name(NAME).role(ROLE).code(code);
    let created = create.package_type(PackageType::Image).send().await.unwrap();
    assert_eq!((created.state, created.state_reason_code), (Some(State::Pending), Some(StateReasonCode::Creating)));
    tokio::time::sleep(Duration::from_millis(7_900)).await;
    assert_eq!(configuration(&airline, "$LATEST").await.state, Some(State::Pending));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let ready = configuration(&airline, "$LATEST").await;
    assert_eq!((&ready.state, &ready.state_reason), (&Some(State::Active), &None));
    assert_ne!(ready.revision_id, created.revision_id);
}

#[tokio::test(start_paused = true)]
async fn an_update_answers_at_once_while_the_old_code_serves() {
    let airline = Airline::with_function(Options::default()).await;
    let image = airline.push("v2").await;
    let update = airline.lambda.update_function_code().function_name(NAME).image_uri(&image).publish(true);
    let published = update.send().await.unwrap();
    assert_eq!((published.version(), &published.state), (Some("2"), &Some(State::Pending)));
    let latest = airline.lambda.get_function().function_name(NAME).send().await.unwrap();
    let (code, before) = (latest.code.unwrap(), latest.configuration.unwrap());
    assert_eq!(before.last_update_status, Some(LastUpdateStatus::InProgress));
    assert_eq!((code.image_uri(), code.resolved_image_uri()), (Some(&*image), Some(&*image)));
    assert_eq!(before.code_sha256(), image.split("sha256:").nth(1));
    let served = airline.lambda.invoke().function_name(NAME).send().await.unwrap().payload.unwrap();
    assert_eq!(served.as_ref(), b"\"v1\"");
    let two = airline.lambda.invoke().function_name(NAME).qualifier("2").send().await;
    assert_eq!(crate::code(two), "ResourceConflictException");
    airline.settle().await;
    let after = configuration(&airline, "$LATEST").await;
    assert_eq!(after.last_update_status, Some(LastUpdateStatus::Successful));
    assert_ne!(after.revision_id, before.revision_id);
    assert_eq!(configuration(&airline, "2").await.state, Some(State::Active));
    let served = airline.lambda.invoke().function_name(NAME).send().await.unwrap().payload.unwrap();
    assert_eq!(served.as_ref(), b"\"v2\"");
}

#[tokio::test(start_paused = true)]
async fn nothing_else_changes_while_an_update_is_in_progress() {
    let airline = Airline::with_function(Options::default()).await;
    let image = airline.push("v2").await;
    airline.lambda.update_function_configuration().function_name(NAME).memory_size(512).send().await.unwrap();
    let again = airline.lambda.update_function_code().function_name(NAME).image_uri(&image).send().await;
    assert_eq!(code(again), "ResourceConflictException");
    let again = airline.lambda.update_function_configuration().function_name(NAME).timeout(5).send().await;
    assert_eq!(code(again), "ResourceConflictException");
    assert_eq!(code(airline.lambda.publish_version().function_name(NAME).send().await), "ResourceConflictException");
    airline.settle().await;
    assert_eq!(airline.publish().await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_broken_image_fails_the_update_and_the_version_but_not_what_serves() {
    let airline = Airline::with_function(Options::default()).await;
    let broken = airline.push_manifest("broken", r#"{"schemaVersion":2}"#).await;
    let update = airline.lambda.update_function_code().function_name(NAME).image_uri(&broken).publish(true);
    update.send().await.unwrap();
    airline.settle().await;
    let latest = airline.lambda.get_function().function_name(NAME).send().await.unwrap();
    assert!(latest.code.unwrap().resolved_image_uri != Some(broken));
    let latest = latest.configuration.unwrap();
    assert_eq!(latest.last_update_status, Some(LastUpdateStatus::Failed));
    assert_eq!(latest.last_update_status_reason_code.unwrap().as_str(), "InvalidImage");
    assert_eq!(configuration(&airline, "2").await.state, Some(State::Failed));
    assert_eq!(airline.fly("{}").await.1, "\"v1\"");
    assert_eq!(airline.release("v3").await, "3");
}

#[tokio::test(start_paused = true)]
async fn images_that_lambda_cannot_use_are_refused() {
    let airline = Airline::with_function(Options::default()).await;
    let index = airline.push_manifest("index", r#"{"schemaVersion":2,"manifests":[]}"#).await;
    let missing = format!("{}:none", repository_uri());
    let elsewhere = repository_uri().replace("eu-central-1", "us-east-1") + ":v1";
    let wanted = [
        (&missing, format!("Source image {missing} does not exist. Provide a valid source image.")),
        (&elsewhere, "is not in the function's region".to_owned()),
        (&index, "media type for the source image".to_owned()),
        (&"flights:v1".to_owned(), "is not valid".to_owned()),
    ];
    for (image, text) in wanted {
        let update = airline.lambda.update_function_code().function_name(NAME).image_uri(image).send().await;
        let (code, message) = refusal(update);
        assert_eq!(code, "InvalidParameterValueException");
        assert!(message.contains(&text), "{message}");
    }
    let update = airline.lambda.update_function_code().function_name(NAME).s3_bucket("code").s3_key("code.zip");
    assert_eq!(code(update.send().await), "InvalidParameterValueException");
}

#[tokio::test(start_paused = true)]
async fn publishing_what_has_not_changed_gives_the_same_version_again() {
    let airline = Airline::with_function(Options::default()).await;
    assert_eq!(airline.publish().await, "1");
    let update = airline.lambda.update_function_configuration().function_name(NAME).description("by hand");
    update.send().await.unwrap();
    airline.settle().await;
    assert_eq!(airline.publish().await, "2");
    assert_eq!(airline.publish().await, "2");
    let latest = configuration(&airline, "$LATEST").await;
    let wrong = airline.lambda.publish_version().function_name(NAME).code_sha256("0".repeat(64)).send().await;
    assert_eq!(code(wrong), "InvalidParameterValueException");
    let wrong = airline.lambda.publish_version().function_name(NAME).revision_id("other").send().await;
    assert_eq!(code(wrong), "PreconditionFailedException");
    let right = airline.lambda.publish_version().function_name(NAME).code_sha256(latest.code_sha256.unwrap());
    let right = right.revision_id(latest.revision_id.unwrap()).send().await.unwrap();
    assert_eq!(right.version(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn a_number_is_never_used_again_and_a_named_version_stays() {
    let airline = Airline::with_function(Options::default()).await;
    assert_eq!(airline.release("v2").await, "2");
    airline.lambda.delete_function().function_name(NAME).qualifier("2").send().await.unwrap();
    assert_eq!(
        code(airline.lambda.get_function().function_name(NAME).qualifier("2").send().await),
        "ResourceNotFoundException"
    );
    assert_eq!(airline.release("v3").await, "3");
    let named = airline.lambda.delete_function().function_name(NAME).qualifier("1").send().await;
    assert_eq!(code(named), "ResourceConflictException");
    let latest = airline.lambda.delete_function().function_name(NAME).qualifier("$LATEST").send().await;
    assert_eq!(code(latest), "InvalidParameterValueException");
}

/// Nobody could prove what AWS does here: code under test has to be safe with both.
#[tokio::test(start_paused = true)]
async fn the_digest_that_is_already_live_makes_a_version_or_not_as_the_world_was_made() {
    for (republish_makes_version, expected) in [(true, "2"), (false, "1")] {
        let airline = Airline::with_function(Options { republish_makes_version, ..Options::default() }).await;
        let image = format!("{}:v1", repository_uri());
        let update = airline.lambda.update_function_code().function_name(NAME).image_uri(image).publish(true);
        assert_eq!(update.send().await.unwrap().version(), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_changes_nothing() {
    let airline = Airline::with_function(Options::default()).await;
    let before = configuration(&airline, "$LATEST").await;
    let image = airline.push("v2").await;
    let update = airline.lambda.update_function_code().function_name(NAME).image_uri(&image).dry_run(true);
    assert_eq!(update.send().await.unwrap().code_sha256(), image.split("sha256:").nth(1));
    assert_eq!(configuration(&airline, "$LATEST").await, before);
}

#[tokio::test(start_paused = true)]
async fn lists_come_in_pages_of_fifty_without_states() {
    let airline = Airline::new(Options::default()).await;
    let image = airline.push("v1").await;
    for number in 0..60 {
        let code = FunctionCode::builder().image_uri(&image).build();
        let create =
            airline.lambda.create_function().function_name(format!("flights-{number:02}")).role(ROLE).code(code);
        create.package_type(PackageType::Image).send().await.unwrap();
    }
    let first = airline.lambda.list_functions().max_items(1000).send().await.unwrap();
    assert_eq!(first.functions().len(), 50);
    assert!(first.functions().iter().all(|it| it.state.is_none() && it.last_update_status.is_none()));
    let rest = airline.lambda.list_functions().marker(first.next_marker.unwrap()).send().await.unwrap();
    let names: Vec<_> = rest.functions().iter().filter_map(|it| it.function_name()).collect();
    assert_eq!((names.len(), names[0], rest.next_marker()), (10, "flights-50", None));
    let stranger = aws_sdk_lambda::Client::new(&config(&airline.aws, STRANGER));
    assert_eq!(stranger.list_functions().send().await.unwrap().functions().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_lambda_refuses_is_refused() {
    let airline = Airline::with_function(Options::default()).await;
    let update = || airline.lambda.update_function_configuration().function_name(NAME);
    assert_eq!(refusal(update().timeout(0).memory_size(1).send().await), (
        "ValidationException".to_owned(),
        "2 validation errors detected: Value '0' at 'timeout' failed to satisfy constraint: Member must have value \
         greater than or equal to 1; Value '1' at 'memorySize' failed to satisfy constraint: Member must have value \
         greater than or equal to 128"
            .to_owned(),
    ));
    let environment =
        |name: &str, value: &str| aws_sdk_lambda::types::Environment::builder().variables(name, value).build();
    for variables in [environment("AWS_REGION", "x"), environment("LONG", &"x".repeat(4096))] {
        assert_eq!(code(update().environment(variables).send().await), "InvalidParameterValueException");
    }
    let foreign = format!("arn:aws:iam::{STRANGER}:role/flights");
    assert_eq!(code(update().role(foreign).send().await), "AccessDeniedException");
    assert_eq!(code(update().revision_id("other").timeout(5).send().await), "PreconditionFailedException");
}

#[tokio::test(start_paused = true)]
async fn get_function_has_a_bucket_of_its_own_and_everything_else_shares_one() {
    let airline = Airline::with_function(Options { rates: true, ..Options::default() }).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for _ in 0..15 {
        airline.lambda.get_alias().function_name(NAME).name("live").send().await.unwrap();
    }
    let error = airline.lambda.list_aliases().function_name(NAME).send().await.unwrap_err().into_service_error();
    let aws_sdk_lambda::operation::list_aliases::ListAliasesError::TooManyRequestsException(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(error.reason().unwrap().as_str(), "CallerRateLimitExceeded");
    for _ in 0..100 {
        airline.lambda.get_function().function_name(NAME).send().await.unwrap();
    }
    assert_eq!(code(airline.lambda.get_function().function_name(NAME).send().await), "TooManyRequestsException");
    let stranger = aws_sdk_lambda::Client::new(&config(&airline.aws, STRANGER));
    assert_eq!(code(stranger.list_aliases().function_name(NAME).send().await), "ResourceNotFoundException");
    tokio::time::sleep(Duration::from_millis(100)).await;
    airline.lambda.get_alias().function_name(NAME).name("live").send().await.unwrap();
    assert_eq!(
        code(airline.lambda.get_alias().function_name(NAME).name("live").send().await),
        "TooManyRequestsException"
    );
}

#[tokio::test(start_paused = true)]
async fn a_function_is_found_by_name_and_by_arn_and_not_by_strangers() {
    let airline = Airline::with_function(Options::default()).await;
    let arn = format!("arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{NAME}");
    for name in [arn.clone(), format!("{arn}:live"), format!("{ACCOUNT}:function:{NAME}"), format!("{NAME}:1")] {
        airline
            .lambda
            .get_function()
            .function_name(&name)
            .send()
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    let stranger = aws_sdk_lambda::Client::new(&config(&airline.aws, STRANGER));
    assert_eq!(code(stranger.get_function().function_name(&arn).send().await), "AccessDeniedException");
    assert_eq!(code(stranger.get_function().function_name(NAME).send().await), "ResourceNotFoundException");
}
