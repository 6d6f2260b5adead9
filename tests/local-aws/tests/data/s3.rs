//! S3: what a controller's state rests on.
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, Delete, ObjectIdentifier,
    VersioningConfiguration,
};
use local_aws::{LocalAws, Options};

use crate::{REGION, STRANGER, code, config, config_of};

const BUCKET: &str = "tidegate-state";

async fn bucket(aws: &LocalAws) -> Client {
    let client = Client::new(&config(aws));
    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuCentral1);
    client.create_bucket().bucket(BUCKET).create_bucket_configuration(place.build()).send().await.unwrap();
    client
}

async fn versioned(aws: &LocalAws) -> Client {
    let client = bucket(aws).await;
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(BUCKET).versioning_configuration(enabled).send().await.unwrap();
    client
}

async fn put(client: &Client, key: &str, body: &'static str) -> PutObjectOutput {
    let body = ByteStream::from_static(body.as_bytes());
    client.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap()
}

async fn read(client: &Client, key: &str) -> String {
    let object = client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_was_put_is_read_back_with_its_etag_type_and_metadata() {
    let aws = LocalAws::new(Options::default());
    let client = bucket(&aws).await;
    let body = ByteStream::from_static(b"hello");
    let put = client.put_object().bucket(BUCKET).key("a b/ü+c.json").content_type("application/json");
    let put = put.metadata("tick", "42").body(body).send().await.unwrap();
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let got = client.get_object().bucket(BUCKET).key("a b/ü+c.json").send().await.unwrap();
    assert_eq!(got.e_tag(), put.e_tag());
    assert_eq!(got.content_type(), Some("application/json"));
    assert_eq!(got.metadata().unwrap()["tick"], "42");
    assert_eq!(got.content_length(), Some(5));
    assert_eq!(&got.body.collect().await.unwrap().to_vec(), b"hello");
    let head = client.head_object().bucket(BUCKET).key("a b/ü+c.json").send().await.unwrap();
    assert_eq!((head.content_length(), head.e_tag()), (Some(5), put.e_tag()));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_created_only_once_under_if_none_match() {
    let aws = LocalAws::new(Options::default());
    let client = bucket(&aws).await;
    let create = || client.put_object().bucket(BUCKET).key("lease").if_none_match("*");
    create().send().await.unwrap();
    assert_eq!(code(create().send().await), "PreconditionFailed");
    client.delete_object().bucket(BUCKET).key("lease").send().await.unwrap();
    create().send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_is_replaced_under_if_match_only_as_it_was_read() {
    let aws = LocalAws::new(Options::default());
    let client = bucket(&aws).await;
    let replace = |etag: &str| client.put_object().bucket(BUCKET).key("state").if_match(etag);
    assert_eq!(code(replace("\"00\"").send().await), "NoSuchKey");
    let first = put(&client, "state", "one").await;
    let second = replace(first.e_tag().unwrap()).body(ByteStream::from_static(b"two")).send().await.unwrap();
    assert_eq!(code(replace(first.e_tag().unwrap()).send().await), "PreconditionFailed");
    assert_eq!(read(&client, "state").await, "two");

    let delete = |etag: &str| client.delete_object().bucket(BUCKET).key("state").if_match(etag);
    assert_eq!(code(delete(first.e_tag().unwrap()).send().await), "PreconditionFailed");
    delete(second.e_tag().unwrap()).send().await.unwrap();
    assert_eq!(code(delete(second.e_tag().unwrap()).send().await), "NoSuchKey");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_did_not_change_is_not_sent_again() {
    let aws = LocalAws::new(Options::default());
    let client = bucket(&aws).await;
    let etag = put(&client, "desired", "one").await.e_tag().unwrap().to_owned();
    let get = || client.get_object().bucket(BUCKET).key("desired").if_none_match(&etag);
    let unchanged = get().send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
    put(&client, "desired", "two").await;
    get().send().await.unwrap();
    let stale = client.get_object().bucket(BUCKET).key("desired").if_match(&etag).send().await;
    assert_eq!(code(stale), "PreconditionFailed");
}

#[tokio::test(start_paused = true)]
async fn a_range_is_part_of_the_object() {
    let aws = LocalAws::new(Options::default());
    let client = bucket(&aws).await;
    put(&client, "k", "0123456789").await;
    let part = client.get_object().bucket(BUCKET).key("k").range("bytes=2-4").send().await.unwrap();
    assert_eq!(part.content_range(), Some("bytes 2-4/10"));
    assert_eq!(&part.body.collect().await.unwrap().to_vec(), b"234");
    let beyond = client.get_object().bucket(BUCKET).key("k").range("bytes=10-").send().await;
    assert_eq!(code(beyond), "InvalidRange");
}

#[tokio::test(start_paused = true)]
async fn a_versioned_bucket_keeps_what_is_overwritten_and_deleted() {
    let aws = LocalAws::new(Options::default());
    let client = versioned(&aws).await;
    let first = put(&client, "k", "one").await.version_id().unwrap().to_owned();
    let second = put(&client, "k", "two").await.version_id().unwrap().to_owned();
    assert_ne!(first, second);
    let deleted = client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    assert_eq!(code(client.get_object().bucket(BUCKET).key("k").send().await), "NoSuchKey");
    let old = client.get_object().bucket(BUCKET).key("k").version_id(&first).send().await.unwrap();
    assert_eq!(&old.body.collect().await.unwrap().to_vec(), b"one");

    let marker = deleted.version_id().unwrap();
    let on_marker = client.get_object().bucket(BUCKET).key("k").version_id(marker).send().await;
    assert_eq!(code(on_marker), "MethodNotAllowed");
    let listed = client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    let ids: Vec<_> = listed.versions().iter().map(|version| version.version_id().unwrap()).collect();
    assert_eq!(ids, [second.as_str(), first.as_str()]);
    assert_eq!(listed.delete_markers()[0].is_latest(), Some(true));

    // Deleting the marker brings the object back.
    client.delete_object().bucket(BUCKET).key("k").version_id(marker).send().await.unwrap();
    assert_eq!(read(&client, "k").await, "two");
    assert_eq!(code(client.get_object().bucket(BUCKET).key("k").version_id("junk").send().await), "InvalidArgument");
    assert_eq!(code(client.delete_bucket().bucket(BUCKET).send().await), "BucketNotEmpty");
}

#[tokio::test(start_paused = true)]
async fn a_delete_marker_counts_as_nothing_for_preconditions() {
    let aws = LocalAws::new(Options::default());
    let client = versioned(&aws).await;
    let etag = put(&client, "k", "one").await.e_tag().unwrap().to_owned();
    client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
    let replace = client.put_object().bucket(BUCKET).key("k").if_match(etag).send().await;
    assert_eq!(code(replace), "NoSuchKey");
    client.put_object().bucket(BUCKET).key("k").if_none_match("*").send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn listings_are_paged_in_order_and_group_what_a_delimiter_parts() {
    let aws = LocalAws::new(Options::default());
    let client = bucket(&aws).await;
    for key in ["state/b/1", "state/a/1", "state/a/2", "state/c", "status/x", "state/d e"] {
        put(&client, key, "x").await;
    }
    let list = || client.list_objects_v2().bucket(BUCKET).prefix("state/").delimiter("/").max_keys(2);
    let first = list().send().await.unwrap();
    let prefixes: Vec<_> = first.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap()).collect();
    assert_eq!((prefixes, first.is_truncated()), (vec!["state/a/", "state/b/"], Some(true)));
    let second = list().continuation_token(first.next_continuation_token().unwrap()).send().await.unwrap();
    let keys: Vec<_> = second.contents().iter().map(|object| object.key().unwrap()).collect();
    assert_eq!((keys, second.is_truncated(), second.key_count()), (vec!["state/c", "state/d e"], Some(false), Some(2)));
    let after = client.list_objects_v2().bucket(BUCKET).start_after("state/b/1").send().await.unwrap();
    assert_eq!(after.contents().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_listing_never_gives_more_than_a_thousand_keys() {
    let aws = LocalAws::new(Options::default());
    let client = bucket(&aws).await;
    for number in 0..1001 {
        put(&client, &format!("history/{number:010}"), "x").await;
    }
    let page = client.list_objects_v2().bucket(BUCKET).max_keys(5000).send().await.unwrap();
    assert_eq!((page.contents().len(), page.is_truncated()), (1000, Some(true)));
    let rest = client.list_objects_v2().bucket(BUCKET).continuation_token(page.next_continuation_token().unwrap());
    assert_eq!(rest.send().await.unwrap().contents()[0].key(), Some("history/0000001000"));
}

#[tokio::test(start_paused = true)]
async fn several_objects_are_deleted_each_on_its_own() {
    let aws = LocalAws::new(Options::default());
    let client = bucket(&aws).await;
    put(&client, "a", "x").await;
    put(&client, "b", "x").await;
    let id = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder().objects(id("a")).objects(id("missing")).build().unwrap();
    let deleted = client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (2, 0));
    let left = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(left.contents()[0].key(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_belongs_to_one_account_and_one_region() {
    let aws = LocalAws::new(Options::default());
    let owner = bucket(&aws).await;
    put(&owner, "k", "x").await;
    let stranger = Client::new(&config_of(&aws, STRANGER, REGION));
    assert_eq!(code(stranger.get_object().bucket(BUCKET).key("k").send().await), "AccessDenied");
    assert_eq!(code(stranger.put_object().bucket(BUCKET).key("k").send().await), "AccessDenied");
    assert_eq!(code(stranger.list_objects_v2().bucket(BUCKET).send().await), "AccessDenied");
    assert!(stranger.list_buckets().send().await.unwrap().buckets().is_empty());
    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuCentral1).build();
    let taken = stranger.create_bucket().bucket(BUCKET).create_bucket_configuration(place.clone()).send().await;
    assert_eq!(code(taken), "BucketAlreadyExists");
    let again = owner.create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await;
    assert_eq!(code(again), "BucketAlreadyOwnedByYou");
    let elsewhere = Client::new(&config_of(&aws, crate::ACCOUNT, "us-west-2"));
    assert_eq!(code(elsewhere.get_object().bucket(BUCKET).key("k").send().await), "PermanentRedirect");
    assert_eq!(code(owner.get_object().bucket("no-such-bucket").key("k").send().await), "NoSuchBucket");
    assert_eq!(code(owner.get_object().bucket(BUCKET).key("none").send().await), "NoSuchKey");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_served_says_so() {
    let aws = LocalAws::new(Options::default());
    let client = bucket(&aws).await;
    let copy = client.copy_object().bucket(BUCKET).key("b").copy_source("tidegate-state/a").send().await;
    assert_eq!(code(copy), "NotImplemented");
}
