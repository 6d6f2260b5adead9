//! Zip archives: the `CodeSha256` that Lambda will show for an object's version, without unpacking or keeping it.
use base64::Engine as _;
use release_schema::{CodeSha256, Zip};
use sha2::{Digest as _, Sha256};

use super::error::{CallError, Kind, failed};

/// Lambda's own limit for an archive: 250 MB unpacked (AWS Lambda quotas), so more than that packed is none.
const LARGEST: u64 = 250 * 1024 * 1024;

/// Hashes one version of an object, as a stream.
///
/// # Errors
/// Where the object does not exist, may not be read, is larger than any archive, or S3 does not answer.
pub async fn code_sha256(client: &aws_sdk_s3::Client, zip: &Zip) -> Result<CodeSha256, CallError> {
    const OPERATION: &str = "s3:GetObject";
    let resource = format!("s3://{}/{} (version {})", zip.bucket, zip.key, zip.object_version);
    let error = |kind, message: String| CallError {
        operation: OPERATION,
        resource: resource.clone(),
        kind,
        code: None,
        message,
    };
    let mut answer = client
        .get_object()
        .bucket(&zip.bucket)
        .key(&zip.key)
        .version_id(&zip.object_version)
        .send()
        .await
        .map_err(failed(OPERATION, &resource))?;
    let (mut hash, mut size) = (Sha256::new(), 0u64);
    while let Some(chunk) = answer.body.next().await {
        let chunk = chunk.map_err(|cause| error(Kind::Unreachable, cause.to_string()))?;
        size = size.saturating_add(chunk.len() as u64);
        if size > LARGEST {
            return Err(error(Kind::Invalid, format!("larger than {LARGEST} bytes, which no archive may be")));
        }
        hash.update(&chunk);
    }
    let text = base64::engine::general_purpose::STANDARD.encode(hash.finalize());
    text.parse().map_err(|cause| error(Kind::Invalid, format!("{cause}")))
}
