//! What a request is for: its bucket and key, and which operation its method and subresource spell.
use http::Method;
use percent_encoding::percent_decode_str;

/// The bucket and key that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Empty for requests about all buckets.
    pub(super) bucket: String,
    /// `None` for requests about the bucket.
    pub(super) key: Option<String>,
}

impl Target {
    /// Reads path and host: `/bucket/key`, or `/key` at `bucket.s3.<region>.amazonaws.com`.
    pub(super) fn of(head: &http::request::Parts) -> Self {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let path = head.uri.path().strip_prefix('/').unwrap_or_default();
        let (bucket, key) = match virtual_host(head) {
            Some(bucket) => (bucket, path),
            None => {
                let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
                (decode(bucket), key)
            }
        };
        Self { bucket, key: Some(decode(key)).filter(|key| !key.is_empty()) }
    }
}

fn virtual_host(head: &http::request::Parts) -> Option<String> {
    let header = head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let host = head.uri.host().or(header)?;
    let host = host.split(':').next().unwrap_or(host);
    let at = host.find(".s3.").or_else(|| host.find(".s3-"))?;
    let aws = host.ends_with(".amazonaws.com") || host.ends_with(".localhost");
    aws.then(|| host[..at].to_owned())
}

/// The query parameters that this AWS knows: with any other one a request asks for something that S3 has and this has not,
/// and is refused, never answered as if it had not asked.
const KNOWN: [&str; 17] = [
    "bucket-region",
    "continuation-token",
    "delete",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "location",
    "max-keys",
    "prefix",
    "start-after",
    "version-id-marker",
    "versionId",
    "versioning",
    "versions",
    "x-id",
];

fn is_known(name: &str) -> bool {
    KNOWN.contains(&name) || name.starts_with("response-") || name.starts_with("X-Amz-")
}

/// The operation that method and query spell, if this AWS has it.
pub(super) fn operation(head: &http::request::Parts) -> Option<&'static str> {
    let query = head.uri.query().unwrap_or_default();
    let names: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect();
    let asks = |name: &str| names.iter().any(|asked| asked == name);
    if !names.iter().all(|name| is_known(name)) {
        return None;
    }
    let target = Target::of(head);
    if target.bucket.is_empty() {
        return (head.method == Method::GET).then_some("ListBuckets");
    }
    let copies = head.headers.contains_key("x-amz-copy-source");
    Some(match (&head.method, target.key.is_some()) {
        (&Method::PUT, false) if asks("versioning") => "PutBucketVersioning",
        (&Method::PUT, false) => "CreateBucket",
        (&Method::HEAD, false) => "HeadBucket",
        (&Method::DELETE, false) => "DeleteBucket",
        (&Method::POST, false) if asks("delete") => "DeleteObjects",
        (&Method::GET, false) if asks("versioning") => "GetBucketVersioning",
        (&Method::GET, false) if asks("location") => "GetBucketLocation",
        (&Method::GET, false) if asks("versions") => "ListObjectVersions",
        (&Method::GET, false) if asks("list-type") => "ListObjectsV2",
        (&Method::PUT, true) if !copies => "PutObject",
        (&Method::GET, true) => "GetObject",
        (&Method::HEAD, true) => "HeadObject",
        (&Method::DELETE, true) => "DeleteObject",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, uri: &str) -> http::request::Parts {
        http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0
    }

    fn target(uri: &str) -> (String, Option<String>) {
        let target = Target::of(&head("GET", uri));
        (target.bucket, target.key)
    }

    #[test]
    fn path_and_host_name_the_same_object() {
        let expected = ("state".to_owned(), Some("a//b c+d".to_owned()));
        assert_eq!(target("http://127.0.0.1:4566/state/a//b%20c+d"), expected);
        assert_eq!(target("https://state.s3.eu-central-1.amazonaws.com/a//b%20c+d?x-id=GetObject"), expected);
        assert_eq!(target("https://s3.eu-central-1.amazonaws.com/state/"), ("state".to_owned(), None));
    }

    #[test]
    fn a_subresource_that_is_not_served_is_never_taken_for_the_object_itself() {
        assert_eq!(operation(&head("PUT", "http://h/b/k?x-id=PutObject")), Some("PutObject"));
        for uri in ["http://h/b/k?tagging", "http://h/b/k?partNumber=1&uploadId=x", "http://h/b?policy"] {
            assert_eq!(operation(&head("PUT", uri)), None, "{uri}");
        }
        assert_eq!(operation(&head("GET", "http://h/b?prefix=x")), None, "the first version of ListObjects");
    }
}
