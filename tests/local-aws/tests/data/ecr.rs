//! ECR: tags that move, digests that do not.
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier, ImageTagMutability};
use local_aws::{LocalAws, Options};

use crate::{ACCOUNT, REGION, STRANGER, code, config, config_of, message};

const REPOSITORY: &str = "company/flight-service";
const ONE: &str = r#"{"schemaVersion":2,"annotations":{"build":"1"}}"#;
const TWO: &str = r#"{"schemaVersion":2,"annotations":{"build":"2"}}"#;

async fn repository(aws: &LocalAws, mutability: ImageTagMutability) -> Client {
    let client = Client::new(&config(aws));
    client.create_repository().repository_name(REPOSITORY).image_tag_mutability(mutability).send().await.unwrap();
    client
}

async fn push(client: &Client, manifest: &str, tag: &str) -> String {
    let put = client.put_image().repository_name(REPOSITORY).image_manifest(manifest).image_tag(tag).send().await;
    put.unwrap().image.unwrap().image_id.unwrap().image_digest.unwrap()
}

fn tag(tag: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_tag(tag).build()
}

fn digest(digest: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_digest(digest).build()
}

#[tokio::test(start_paused = true)]
async fn an_image_is_known_by_the_digest_of_its_manifest_and_by_its_tags() {
    let aws = LocalAws::new(Options::default());
    let client = repository(&aws, ImageTagMutability::Mutable).await;
    let pushed = push(&client, ONE, "v1").await;
    assert_eq!(push(&client, ONE, "latest").await, pushed);
    assert!(pushed.starts_with("sha256:") && pushed.len() == 71);
    for id in [tag("v1"), digest(&pushed)] {
        let images = client.describe_images().repository_name(REPOSITORY).image_ids(id).send().await.unwrap();
        let [image] = images.image_details() else { panic!("one image: {images:?}") };
        assert_eq!((image.image_digest(), image.image_tags()), (Some(&*pushed), &["latest".into(), "v1".into()][..]));
    }
    let described = client.describe_repositories().repository_names(REPOSITORY).send().await.unwrap();
    let uri = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}");
    assert_eq!(described.repositories()[0].repository_uri(), Some(uri.as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_missing_image_and_a_missing_repository_are_named() {
    let aws = LocalAws::new(Options::default());
    let client = repository(&aws, ImageTagMutability::Mutable).await;
    let missing = client.describe_images().repository_name(REPOSITORY).image_ids(tag("v9")).send().await;
    assert_eq!(
        message(missing),
        "The image with imageId {imageDigest:'null', imageTag:'v9'} does not exist within the repository with name \
         'company/flight-service' in the registry with id '111111111111'"
    );
    let nowhere = client.describe_images().repository_name("company/none").image_ids(tag("v9")).send().await;
    assert_eq!(code(nowhere), "RepositoryNotFoundException");
    let batch = client.batch_get_image().repository_name(REPOSITORY).image_ids(tag("v9")).send().await.unwrap();
    assert_eq!(batch.failures()[0].failure_code(), Some(&ImageFailureCode::ImageNotFound));
}

#[tokio::test(start_paused = true)]
async fn a_mutable_tag_moves_and_leaves_the_old_image_untagged() {
    let aws = LocalAws::new(Options::default());
    let client = repository(&aws, ImageTagMutability::Mutable).await;
    let (one, two) = (push(&client, ONE, "v1").await, push(&client, TWO, "v1").await);
    let batch = client.batch_get_image().repository_name(REPOSITORY).image_ids(tag("v1")).send().await.unwrap();
    assert_eq!(batch.images()[0].image_id().unwrap().image_digest(), Some(&*two));
    assert_eq!(batch.images()[0].image_manifest(), Some(TWO));
    let old = client.describe_images().repository_name(REPOSITORY).image_ids(digest(&one)).send().await.unwrap();
    assert!(old.image_details()[0].image_tags().is_empty());
    let again = client.put_image().repository_name(REPOSITORY).image_manifest(TWO).image_tag("v1").send().await;
    assert_eq!(code(again), "ImageAlreadyExistsException");
}

#[tokio::test(start_paused = true)]
async fn an_immutable_tag_stays() {
    let aws = LocalAws::new(Options::default());
    let client = repository(&aws, ImageTagMutability::Immutable).await;
    push(&client, ONE, "v1").await;
    let moved = client.put_image().repository_name(REPOSITORY).image_manifest(TWO).image_tag("v1").send().await;
    assert_eq!(code(moved), "ImageTagAlreadyExistsException");
    push(&client, TWO, "v2").await;
}

#[tokio::test(start_paused = true)]
async fn the_last_tag_takes_its_image_along() {
    let aws = LocalAws::new(Options::default());
    let client = repository(&aws, ImageTagMutability::Mutable).await;
    let pushed = push(&client, ONE, "v1").await;
    push(&client, ONE, "v1.0").await;
    let delete = |id| client.batch_delete_image().repository_name(REPOSITORY).image_ids(id).send();
    delete(tag("v1")).await.unwrap();
    let still = client.describe_images().repository_name(REPOSITORY).image_ids(digest(&pushed)).send().await.unwrap();
    assert_eq!(still.image_details()[0].image_tags(), ["v1.0"]);
    delete(tag("v1.0")).await.unwrap();
    let gone = client.describe_images().repository_name(REPOSITORY).image_ids(digest(&pushed)).send().await;
    assert_eq!(code(gone), "ImageNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_call_names_at_most_a_hundred_images_and_pages_the_rest() {
    let aws = LocalAws::new(Options::default());
    let client = repository(&aws, ImageTagMutability::Mutable).await;
    for number in 0..101 {
        push(&client, &format!("{{\"build\":{number}}}"), &format!("v{number}")).await;
    }
    let ids = |count| Some((0..count).map(|number| tag(&format!("v{number}"))).collect());
    let describe = |count| client.describe_images().repository_name(REPOSITORY).set_image_ids(ids(count)).send();
    assert_eq!(describe(100).await.unwrap().image_details().len(), 100);
    assert_eq!(code(describe(101).await), "InvalidParameterException");
    let page = client.describe_images().repository_name(REPOSITORY).send().await.unwrap();
    assert_eq!(page.image_details().len(), 100);
    let rest = client.describe_images().repository_name(REPOSITORY).next_token(page.next_token().unwrap());
    assert_eq!(rest.send().await.unwrap().image_details().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_account_needs_a_policy_of_the_repository() {
    let aws = LocalAws::new(Options::default());
    let owner = repository(&aws, ImageTagMutability::Mutable).await;
    push(&owner, ONE, "v1").await;
    let stranger = Client::new(&config_of(&aws, STRANGER, REGION));
    let own = stranger.describe_images().repository_name(REPOSITORY).image_ids(tag("v1")).send().await;
    assert_eq!(code(own), "RepositoryNotFoundException");
    let describe = || stranger.describe_images().registry_id(ACCOUNT).repository_name(REPOSITORY).image_ids(tag("v1"));
    assert_eq!(code(describe().send().await), "AccessDeniedException");
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    owner.set_repository_policy().repository_name(REPOSITORY).policy_text(policy).send().await.unwrap();
    assert_eq!(describe().send().await.unwrap().image_details().len(), 1);
}
