//! Operations on buckets themselves.
use chrono::SecondsFormat;

use super::bucket::{Bucket, State, Versioning};
use super::{Target, root};
use crate::codec::xml::{self, Element};
use crate::wire::{Answer, AwsError, Call, empty, set_header};

/// `ListBuckets`: the caller's own, of all regions.
pub(super) fn list(state: &State, call: &Call) -> Answer {
    let account = &call.caller.account;
    let own = state.buckets.iter().filter(|(_, bucket)| bucket.owner == *account).map(|(name, bucket)| {
        let created = bucket.created.to_rfc3339_opts(SecondsFormat::Millis, true);
        Element::new("Bucket")
            .child(Element::text("Name", name))
            .child(Element::text("CreationDate", created))
            .child(Element::text("BucketRegion", &bucket.region))
    });
    let owner = Element::new("Owner").child(Element::text("ID", account));
    xml::answer(200, &root("ListAllMyBucketsResult").child(owner).child(Element::new("Buckets").children(own)))
}

/// `CreateBucket`: in the signed region, which the configuration has to name unless it is us-east-1.
pub(super) fn create(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    let (name, region) = (&target.bucket, &call.caller.region);
    check_name(name)?;
    if call.header("x-amz-bucket-object-lock-enabled") == Some("true") {
        return Err(AwsError::not_implemented("s3 CreateBucket with object lock"));
    }
    let constraint = if call.body.is_empty() {
        None
    } else {
        xml::read(&call.body)?.child_text("LocationConstraint").filter(|text| !text.is_empty()).map(str::to_owned)
    };
    if constraint.as_deref().unwrap_or("us-east-1") != region {
        let message = match &constraint {
            Some(constraint) => format!(
                "The {constraint} location constraint is incompatible for the region specific endpoint this request was \
                 sent to."
            ),
            None => {
                "The unspecified location constraint is incompatible for the region specific endpoint this request \
                     was sent to."
                    .to_owned()
            }
        };
        return Err(AwsError::new(400, "IllegalLocationConstraintException", message));
    }
    match state.buckets.get(name) {
        Some(bucket) if bucket.owner != call.caller.account => {
            let message = "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                           system. Please select a different name and try again.";
            Err(AwsError::new(409, "BucketAlreadyExists", message).with("BucketName", name))
        }
        // For compatibility us-east-1 answers its owner as if the bucket were new.
        Some(bucket) if bucket.region != "us-east-1" || region != "us-east-1" => {
            let message = "Your previous request to create the named bucket succeeded and you already own it.";
            Err(AwsError::new(409, "BucketAlreadyOwnedByYou", message).with("BucketName", name))
        }
        Some(_) | None => {
            let owner = &call.caller.account;
            state.buckets.entry(name.clone()).or_insert_with(|| Bucket::new(owner, region, call.now));
            let mut answer = empty(200);
            set_header(&mut answer, "location", &format!("/{name}"));
            Ok(answer)
        }
    }
}

fn check_name(name: &str) -> Result<(), AwsError> {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let legal = (3..=63).contains(&name.len())
        && name.chars().all(|c| edge(c) || c == '.' || c == '-')
        && name.starts_with(edge)
        && name.ends_with(edge)
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if legal {
        return Ok(());
    }
    Err(AwsError::new(400, "InvalidBucketName", "The specified bucket is not valid.").with("BucketName", name))
}

/// `HeadBucket`.
pub(super) fn head(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    let bucket = state.bucket(call, target)?;
    let mut answer = empty(200);
    set_header(&mut answer, "x-amz-bucket-region", &bucket.region);
    set_header(&mut answer, "x-amz-access-point-alias", "false");
    Ok(answer)
}

/// `DeleteBucket`: an empty one, delete markers and old versions included.
pub(super) fn delete(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    if !state.bucket(call, target)?.is_empty() {
        let message = "The bucket you tried to delete is not empty. You must delete all versions in the bucket.";
        return Err(AwsError::new(409, "BucketNotEmpty", message).with("BucketName", &target.bucket));
    }
    state.buckets.remove(&target.bucket);
    Ok(empty(204))
}

/// `GetBucketLocation`: empty for us-east-1.
pub(super) fn location(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    let region = &state.bucket(call, target)?.region;
    let text = if region == "us-east-1" { "" } else { region };
    Ok(xml::answer(200, &Element::text("LocationConstraint", text).attribute("xmlns", super::NAMESPACE)))
}

/// `GetBucketVersioning`: no status while it was never set.
pub(super) fn versioning(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    let status = match state.bucket(call, target)?.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    };
    let status = status.map(|status| Element::text("Status", status));
    Ok(xml::answer(200, &root("VersioningConfiguration").children(status)))
}

/// `PutBucketVersioning`: once enabled it can only be suspended.
pub(super) fn put_versioning(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    let bucket = state.bucket(call, target)?;
    bucket.versioning = match xml::read(&call.body)?.child_text("Status") {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) | None => {
            let message = "The Versioning element must be specified";
            return Err(AwsError::new(400, "IllegalVersioningConfigurationException", message));
        }
    };
    Ok(empty(200))
}
