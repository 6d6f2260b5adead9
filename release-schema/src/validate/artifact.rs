//! Decides which code a service has: an image or a zip, never both and never neither.

use super::{checked, value};
use crate::parsed;
use crate::problem::Findings;
use crate::read::Place;
use crate::release::{Artifact, Image, Zip};
use crate::value::{check_bucket, check_key, check_object_version, parse_tag_and_digest};

const IMAGE_FIELDS: [&str; 2] = ["imageTag", "ecrRepository"];
const ZIP_FIELDS: [&str; 3] = ["s3Bucket", "s3Key", "s3ObjectVersion"];
const ZIP_EXTRA: &str = "codeSha256";

/// Checks the fields that name code. `None` if something was found.
pub(super) fn artifact(parsed: &parsed::Service, place: &Place<'_>, findings: &mut Findings<'_>) -> Option<Artifact> {
    let image = image(parsed, place, findings);
    let zip = zip(parsed, place, findings);
    let has_image = IMAGE_FIELDS.iter().any(|field| place.has(field));
    let of_zip = ZIP_FIELDS.iter().chain([&ZIP_EXTRA]).find(|field| place.has(field));
    match (has_image, of_zip) {
        (true, Some(field)) => {
            let hint = "an image has `ecrRepository` and `imageTag`, a zip `s3Bucket`, `s3Key` and `s3ObjectVersion`";
            findings.add(
                place.key(field).span(),
                format!("`{field}` is of a zip, but this service has an image"),
                hint,
            );
            None
        }
        (false, None) => {
            let hint =
                "`ecrRepository` and `imageTag` for an image; `s3Bucket`, `s3Key` and `s3ObjectVersion` for a zip";
            findings.add(place.span(), "the service names no code", hint);
            None
        }
        (true, None) => {
            report_missing(&IMAGE_FIELDS, place, findings);
            image.map(Artifact::Image)
        }
        (false, Some(_)) => {
            report_missing(&ZIP_FIELDS, place, findings);
            zip.map(Artifact::Zip)
        }
    }
}

fn report_missing(fields: &[&str], place: &Place<'_>, findings: &mut Findings<'_>) {
    for field in fields {
        let hint = match *field {
            "s3ObjectVersion" => {
                "a key alone can be overwritten: switch on versioning for the bucket, and give the version id"
            }
            _ => "",
        };
        super::require(findings, place, field, hint);
    }
}

fn image(parsed: &parsed::Service, place: &Place<'_>, findings: &mut Findings<'_>) -> Option<Image> {
    let repository = value(findings, &place.field("ecrRepository"), parsed.ecr_repository.clone());
    let tag = checked(findings, &place.field("imageTag"), parsed.image_tag.as_deref(), parse_tag_and_digest);
    let (tag, digest) = tag?;
    Some(Image { repository: repository?, tag, digest })
}

fn zip(parsed: &parsed::Service, place: &Place<'_>, findings: &mut Findings<'_>) -> Option<Zip> {
    let owned =
        |check: fn(&str) -> Result<(), crate::value::Error>| move |text: &str| check(text).map(|()| text.to_owned());
    let bucket = checked(findings, &place.field("s3Bucket"), parsed.s3_bucket.as_deref(), owned(check_bucket));
    let key = checked(findings, &place.field("s3Key"), parsed.s3_key.as_deref(), owned(check_key));
    let version = parsed.s3_object_version.as_deref();
    let object_version = checked(findings, &place.field("s3ObjectVersion"), version, owned(check_object_version));
    let code_sha256 = value(findings, &place.field(ZIP_EXTRA), parsed.code_sha256.clone());
    Some(Zip { bucket: bucket?, key: key?, object_version: object_version?, code_sha256 })
}
