//! `ListObjectsV2` and `ListObjectVersions`: prefixes, delimiters and pages.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::SecondsFormat;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::bucket::{Bucket, State, Version};
use super::{Target, invalid_argument, root};
use crate::codec::xml::{self, Element};
use crate::wire::{Answer, AwsError, Call};

/// What S3 leaves as it is where a client asks for `encoding-type=url`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// What both listings are asked for.
struct Query {
    prefix: String,
    delimiter: Option<String>,
    most: usize,
    url: bool,
}

impl Query {
    fn of(call: &Call) -> Result<Self, AwsError> {
        let url = match call.query("encoding-type").as_deref() {
            None => false,
            Some("url") => true,
            Some(other) => {
                return Err(invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", other));
            }
        };
        let most = match call.query("max-keys") {
            None => 1000,
            Some(text) => {
                let message = "Provided max-keys not an integer or within integer range";
                let number: u32 = text.parse().map_err(|_| invalid_argument(message, "max-keys", &text))?;
                number.min(1000) as usize
            }
        };
        let delimiter = call.query("delimiter").filter(|delimiter| !delimiter.is_empty());
        Ok(Self { prefix: call.query("prefix").unwrap_or_default(), delimiter, most, url })
    }

    /// The common prefix that a key disappears behind.
    fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter.as_ref()?;
        let rest = key.strip_prefix(&self.prefix)?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        key.get(..end)
    }

    fn write(&self, text: &str) -> String {
        if self.url { utf8_percent_encode(text, ENCODED).to_string() } else { text.to_owned() }
    }

    /// The elements that repeat what was asked for.
    fn echo(&self, bucket: &str, list: Element) -> Element {
        list.child(Element::text("Name", bucket))
            .child(Element::text("Prefix", self.write(&self.prefix)))
            .child(Element::text("MaxKeys", self.most.to_string()))
            .children(self.delimiter.as_ref().map(|delimiter| Element::text("Delimiter", self.write(delimiter))))
            .children(self.url.then(|| Element::text("EncodingType", "url")))
    }

    fn prefixes(&self, prefixes: &[String]) -> Vec<Element> {
        let element =
            |prefix: &String| Element::new("CommonPrefixes").child(Element::text("Prefix", self.write(prefix)));
        prefixes.iter().map(element).collect()
    }
}

/// `ListObjectsV2`: keys and common prefixes count alike; the token says after which of them to go on.
pub(super) fn objects(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    let query = Query::of(call)?;
    let token = call.query("continuation-token");
    let after = token.as_deref().map(decode_token).transpose()?;
    let start_after = call.query("start-after");
    let bucket = state.bucket(call, target)?;
    let owner = (call.query("fetch-owner").as_deref() == Some("true")).then(|| bucket.owner.clone());

    let (mut contents, mut prefixes) = (Vec::new(), Vec::<String>::new());
    let (mut last, mut truncated) = (String::new(), false);
    for (key, version) in current_objects(bucket, &query.prefix) {
        // A token outweighs `start-after`.
        if after.is_none() && start_after.as_deref().is_some_and(|start| key <= start) {
            continue;
        }
        let common = query.common_prefix(key);
        let item = common.unwrap_or(key);
        let repeated = common.is_some() && prefixes.last().is_some_and(|prefix| prefix == item);
        if repeated || after.as_deref().is_some_and(|after| item <= after) {
            continue;
        }
        if contents.len() + prefixes.len() == query.most {
            truncated = query.most > 0;
            break;
        }
        match common {
            Some(prefix) => prefixes.push(prefix.to_owned()),
            None => contents.push(describe("Contents", key, version, &query, owner.as_deref())),
        }
        item.clone_into(&mut last);
    }
    let count = contents.len() + prefixes.len();
    let next = truncated.then(|| Element::text("NextContinuationToken", URL_SAFE_NO_PAD.encode(last)));
    let list = query
        .echo(&target.bucket, root("ListBucketResult"))
        .child(Element::text("IsTruncated", truncated.to_string()))
        .child(Element::text("KeyCount", count.to_string()))
        .children(token.map(|token| Element::text("ContinuationToken", token)))
        .children(start_after.map(|start| Element::text("StartAfter", query.write(&start))))
        .children(next)
        .children(contents)
        .children(query.prefixes(&prefixes));
    Ok(xml::answer(200, &list))
}

fn current_objects<'b>(bucket: &'b Bucket, prefix: &str) -> impl Iterator<Item = (&'b str, &'b Version)> {
    bucket.keys().filter(move |(key, _)| key.starts_with(prefix)).filter_map(|(key, versions)| {
        let current = versions.last()?;
        current.object.is_some().then_some((key, current))
    })
}

fn decode_token(token: &str) -> Result<String, AwsError> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| invalid_argument("The continuation token provided is incorrect", "continuation-token", token))
}

fn describe(element: &str, key: &str, version: &Version, query: &Query, owner: Option<&str>) -> Element {
    let common = Element::new(element)
        .child(Element::text("Key", query.write(key)))
        .child(Element::text("LastModified", version.modified.to_rfc3339_opts(SecondsFormat::Millis, true)))
        .children(owner.map(|owner| Element::new("Owner").child(Element::text("ID", owner))));
    let Some(object) = &version.object else { return common };
    let algorithm = object.checksum.as_ref().and_then(|(name, _)| name.strip_prefix("x-amz-checksum-"));
    common
        .child(Element::text("ETag", &object.etag))
        .children(algorithm.map(|name| Element::text("ChecksumAlgorithm", name.to_ascii_uppercase())))
        .child(Element::text("Size", object.bytes.len().to_string()))
        .child(Element::text("StorageClass", "STANDARD"))
}

/// `ListObjectVersions`: keys in order, of each the newest version first.
pub(super) fn versions(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    let query = Query::of(call)?;
    let key_marker = call.query("key-marker").filter(|marker| !marker.is_empty());
    let id_marker = call.query("version-id-marker").filter(|marker| !marker.is_empty());
    if id_marker.is_some() && key_marker.is_none() {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(invalid_argument(message, "version-id-marker", id_marker.as_deref().unwrap_or_default()));
    }
    let bucket = state.bucket(call, target)?;
    let owner = bucket.owner.clone();
    let (mut entries, mut prefixes) = (Vec::new(), Vec::<String>::new());
    let (mut last, mut truncated) = ((String::new(), None), false);
    'keys: for (key, versions) in bucket.keys().filter(|(key, _)| key.starts_with(&query.prefix)) {
        let common = query.common_prefix(key);
        if let Some(prefix) = common {
            let repeated = prefixes.last().is_some_and(|last| last == prefix);
            if repeated || key_marker.as_deref().is_some_and(|marker| prefix <= marker) {
                continue;
            }
            if entries.len() + prefixes.len() == query.most {
                truncated = query.most > 0;
                break;
            }
            prefixes.push(prefix.to_owned());
            last = (prefix.to_owned(), None);
            continue;
        }
        for version in after_markers(key, versions, key_marker.as_deref(), id_marker.as_deref()) {
            if entries.len() + prefixes.len() == query.most {
                truncated = query.most > 0;
                break 'keys;
            }
            let is_latest = versions.last().is_some_and(|latest| std::ptr::eq(latest, version));
            let element = if version.object.is_some() { "Version" } else { "DeleteMarker" };
            entries.push(
                describe(element, key, version, &query, Some(&owner))
                    .child(Element::text("VersionId", &version.id))
                    .child(Element::text("IsLatest", is_latest.to_string())),
            );
            last = (key.to_owned(), Some(version.id.clone()));
        }
    }
    let mut list = query
        .echo(&target.bucket, root("ListVersionsResult"))
        .child(Element::text("KeyMarker", query.write(key_marker.as_deref().unwrap_or_default())))
        .child(Element::text("VersionIdMarker", id_marker.unwrap_or_default()))
        .child(Element::text("IsTruncated", truncated.to_string()));
    if truncated {
        let (key, id) = last;
        list = list.child(Element::text("NextKeyMarker", query.write(&key)));
        list = list.children(id.map(|id| Element::text("NextVersionIdMarker", id)));
    }
    Ok(xml::answer(200, &list.children(entries).children(query.prefixes(&prefixes))))
}

/// The versions of a key that come after the markers, newest first.
fn after_markers<'v>(
    key: &str,
    versions: &'v [Version],
    key_marker: Option<&str>,
    id_marker: Option<&str>,
) -> impl Iterator<Item = &'v Version> {
    let skip = match (key_marker, id_marker) {
        (Some(marker), Some(id)) if key == marker => {
            versions.iter().rev().position(|version| version.id == id).map_or(versions.len(), |at| at + 1)
        }
        (Some(marker), _) if key <= marker => versions.len(),
        _ => 0,
    };
    versions.iter().rev().skip(skip)
}
