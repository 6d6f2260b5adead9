//! `DeleteObject` and `DeleteObjects`: markers, single versions, and deletes on condition.
use super::bucket::{Bucket, State};
use super::objects::{check_version_id, matches};
use super::{Target, no_such_key, precondition_failed, root};
use crate::codec::xml::{self, Element};
use crate::wire::{Answer, AwsError, Call, empty, set_header};

/// What a delete left behind.
struct Deleted {
    /// The version that was deleted for good, where one was named.
    version: Option<String>,
    /// The delete marker that was made or deleted.
    marker: Option<String>,
}

/// `DeleteObject`: also where there is nothing to delete, unless `If-Match` expects something.
pub(super) fn one(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    let bucket = state.bucket(call, target)?;
    let key = target.key.as_deref().unwrap_or_default();
    let deleted = delete(bucket, call, key, call.query("versionId").as_deref(), call.header("if-match"))?;
    let mut answer = empty(204);
    if deleted.marker.is_some() {
        set_header(&mut answer, "x-amz-delete-marker", "true");
    }
    if let Some(id) = deleted.version.or(deleted.marker) {
        set_header(&mut answer, "x-amz-version-id", &id);
    }
    Ok(answer)
}

/// `DeleteObjects`: at most a thousand, each on its own.
pub(super) fn many(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    let bucket = state.bucket(call, target)?;
    let payload = super::payload::read(call)?;
    let request = xml::read(&payload.bytes)?;
    let quiet = request.child_text("Quiet") == Some("true");
    let objects: Vec<_> = request.all("Object").collect();
    if objects.is_empty() || objects.len() > 1000 {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(AwsError::new(400, "MalformedXML", message));
    }
    let mut results = Vec::new();
    for object in objects {
        let key = object.child_text("Key").unwrap_or_default();
        let named = object.child_text("VersionId");
        match delete(bucket, call, key, named, object.child_text("ETag")) {
            Ok(_) if quiet => {}
            Ok(deleted) => results.push(describe(key, deleted)),
            Err(error) => results.push(
                Element::new("Error")
                    .child(Element::text("Key", key))
                    .children(named.map(|id| Element::text("VersionId", id)))
                    .child(Element::text("Code", error.code))
                    .child(Element::text("Message", error.message)),
            ),
        }
    }
    Ok(xml::answer(200, &root("DeleteResult").children(results)))
}

fn describe(key: &str, deleted: Deleted) -> Element {
    let element = Element::new("Deleted").child(Element::text("Key", key));
    let element = element.children(deleted.version.map(|id| Element::text("VersionId", id)));
    let Some(marker) = deleted.marker else { return element };
    element.child(Element::text("DeleteMarker", "true")).child(Element::text("DeleteMarkerVersionId", marker))
}

fn delete(
    bucket: &mut Bucket,
    call: &Call,
    key: &str,
    version: Option<&str>,
    if_match: Option<&str>,
) -> Result<Deleted, AwsError> {
    version.map_or(Ok(()), check_version_id)?;
    if let Some(expected) = if_match {
        let found = match version {
            Some(id) => bucket.version(key, id).and_then(|version| version.object.as_ref()),
            None => bucket.current_object(key),
        };
        let object = found.ok_or_else(|| no_such_key(key))?;
        if !matches(expected, &object.etag) {
            return Err(precondition_failed("If-Match"));
        }
    }
    let Some(id) = version else {
        let marker = bucket.delete(key, call.now).map(|marker| marker.id.clone());
        return Ok(Deleted { version: None, marker });
    };
    let removed = bucket.remove(key, id);
    let marker = removed.filter(|version| version.object.is_none()).map(|version| version.id);
    Ok(Deleted { version: Some(id.to_owned()), marker })
}
