//! STS: sessions of roles in other accounts.
use aws_credential_types::Credentials;
use aws_sdk_sts::Client;
use local_aws::{LocalAws, Options};

use crate::{REGION, code, config, message, with_credentials};

const ROLE: &str = "arn:aws:iam::333333333333:role/tidegate/deployer";

fn keys(credentials: &aws_sdk_sts::types::Credentials) -> Credentials {
    let (key, secret) = (credentials.access_key_id(), credentials.secret_access_key());
    Credentials::new(key, secret, Some(credentials.session_token().to_owned()), None, "test")
}

#[tokio::test(start_paused = true)]
async fn a_session_belongs_to_the_roles_account() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let assumed = client.assume_role().role_arn(ROLE).role_session_name("tidegate-main").send().await.unwrap();
    let arn = "arn:aws:sts::333333333333:assumed-role/deployer/tidegate-main";
    assert_eq!(assumed.assumed_role_user().unwrap().arn(), arn);
    let session = with_credentials(&aws, keys(assumed.credentials().unwrap()), REGION);
    let identity = Client::new(&session).get_caller_identity().send().await.unwrap();
    assert_eq!((identity.account(), identity.arn()), (Some("333333333333"), Some(arn)));
    let ssm = aws_sdk_ssm::Client::new(&session);
    let kind = aws_sdk_ssm::types::ParameterType::String;
    ssm.put_parameter().name("/a").value("x").r#type(kind).send().await.unwrap();
    let read = ssm.get_parameter().name("/a").send().await.unwrap().parameter.unwrap();
    assert_eq!(read.arn(), Some("arn:aws:ssm:eu-central-1:333333333333:parameter/a"));
}

#[tokio::test(start_paused = true)]
async fn a_registered_role_wants_its_external_id_and_others_cannot_be_assumed_any_more() {
    let aws = LocalAws::new(Options::default());
    aws.register_role(ROLE, Some("tide"));
    let client = Client::new(&config(&aws));
    let assume = |arn: &str| client.assume_role().role_arn(arn).role_session_name("tidegate");
    assume(ROLE).external_id("tide").send().await.unwrap();
    let expected = format!(
        "User: arn:aws:iam::111111111111:root is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    );
    assert_eq!(message(assume(ROLE).external_id("ebb").send().await), expected);
    assert_eq!(code(assume(ROLE).send().await), "AccessDenied");
    assert_eq!(code(assume("arn:aws:iam::333333333333:role/other").send().await), "AccessDenied");
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_on_the_worlds_clock() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let assumed = client.assume_role().role_arn(ROLE).role_session_name("tidegate").duration_seconds(900).send().await;
    let session = with_credentials(&aws, keys(assumed.unwrap().credentials().unwrap()), REGION);
    let ssm = aws_sdk_ssm::Client::new(&session);
    tokio::time::sleep(std::time::Duration::from_secs(899)).await;
    assert_eq!(code(ssm.get_parameter().name("/a").send().await), "ParameterNotFound");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(code(ssm.get_parameter().name("/a").send().await), "ExpiredTokenException");
    assert_eq!(code(Client::new(&session).get_caller_identity().send().await), "ExpiredToken");
    let s3 = aws_sdk_s3::Client::new(&session);
    assert_eq!(code(s3.list_buckets().send().await), "ExpiredToken");
}

#[tokio::test(start_paused = true)]
async fn what_sts_would_refuse_is_refused() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let assume = || client.assume_role().role_arn(ROLE).role_session_name("tidegate");
    assert_eq!(code(assume().role_session_name("no spaces").send().await), "ValidationError");
    assert_eq!(code(assume().role_arn("arn:aws:iam::1:role/x").send().await), "ValidationError");
    assert_eq!(code(assume().duration_seconds(899).send().await), "ValidationError");
    assert_eq!(code(assume().duration_seconds(7200).send().await), "ValidationError");
}
