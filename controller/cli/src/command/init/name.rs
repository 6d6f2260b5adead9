//! Decides what things are called in the release repository: services by their function, images by the tag that people read.
use std::cmp::Reverse;

use release_schema::{Digest, FunctionName, ServiceName, Tag};
use tidegate_runtime::adopt::Image;

/// The service's name: the function's without the prefix, its words in lower case with hyphens between them.
///
/// # Errors
/// Where that is no name for a service: what it would be.
pub(super) fn service(function: &FunctionName, prefix: &str) -> Result<ServiceName, String> {
    let name = function.as_str();
    let name = kebab_case(name.strip_prefix(prefix).unwrap_or(name));
    name.parse().map_err(|_not_a_name| name)
}

/// `FlightBFFService_v2` is `flight-bff-service-v2`.
fn kebab_case(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut before: Option<char> = None;
    let mut characters = name.chars().peekable();
    while let Some(now) = characters.next() {
        // A word begins with a capital behind a small letter or digit, or with the last one of several.
        let after = characters.peek().copied();
        let begins = now.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(|after| after.is_ascii_lowercase()))
            });
        let separates = !now.is_ascii_alphanumeric();
        if (begins || separates) && !words.is_empty() && !words.ends_with('-') {
            words.push('-');
        }
        if !separates {
            words.push(now.to_ascii_lowercase());
        }
        before = Some(now);
    }
    words.truncate(words.trim_end_matches('-').len());
    words
}

/// How an image is written as `imageTag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ImageTag {
    /// By a tag that names it now.
    Tag(Tag),
    /// Only tags name it that move on with each build, such as `latest`: with the digest, so that it stays what it is.
    Moving(Tag, Digest),
    /// No tag is known to name it: the digest decides. The tag by which it was deployed is shown, where it had one.
    Untagged(Option<Tag>, Digest),
}

/// The tag that the team deployed by, where it still names the image; else the one that says most.
pub(super) fn image_tag(image: &Image, digest: &Digest) -> ImageTag {
    let Image { repository: _, deployed_as, tags } = image;
    let deployed_as_yet = deployed_as.as_ref().filter(|tag| tags.contains(tag));
    let numbered = tags.iter().filter(|tag| is_numbered(tag)).min_by_key(|tag| {
        let text = tag.as_str();
        // `v1.2.3` rather than a commit, and rather than `v1` or `v1.2`, which move on.
        (!is_version(text), Reverse(text.len()), text.to_owned())
    });
    if let Some(tag) = deployed_as_yet.filter(|tag| is_numbered(tag)).or(numbered) {
        return ImageTag::Tag(tag.clone());
    }
    match deployed_as_yet.or_else(|| tags.iter().min()) {
        Some(tag) => ImageTag::Moving(tag.clone(), digest.clone()),
        None => ImageTag::Untagged(deployed_as.clone(), digest.clone()),
    }
}

fn is_numbered(tag: &Tag) -> bool {
    tag.as_str().bytes().any(|byte| byte.is_ascii_digit())
}

/// `1.2` or `v1.2`, and whatever follows.
fn is_version(text: &str) -> bool {
    let (major, rest) = text.strip_prefix('v').unwrap_or(text).split_once('.').unwrap_or_default();
    let begins_with_digit = rest.starts_with(|first: char| first.is_ascii_digit());
    !major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit()) && begins_with_digit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_the_words_of_its_function_without_the_prefix() {
        for (function, prefix, service_name) in [
            ("StagingFlightService", "Staging", "flight-service"),
            ("StagingFlightBff", "Staging", "flight-bff"),
            ("staging-flight_service", "staging", "flight-service"),
            ("FlightBFFService", "", "flight-bff-service"),
            ("flightAPI", "", "flight-api"),
            ("S3Copy", "", "s3-copy"),
            ("OAuth2Client", "", "o-auth2-client"),
            ("acme--reports__v2-", "acme", "reports-v2"),
            ("2fast", "", "2fast"),
            ("Other", "Staging", "other"),
        ] {
            let name = service(&function.parse().unwrap(), prefix);
            assert_eq!(name.as_ref().map(ServiceName::as_str), Ok(service_name), "{function}");
        }
    }

    #[test]
    fn a_function_of_which_nothing_or_too_much_is_left_has_no_name() {
        for (function, prefix, left) in [("Staging", "Staging", ""), ("staging___", "staging", "")] {
            assert_eq!(service(&function.parse().unwrap(), prefix), Err(left.to_owned()));
        }
        let long: FunctionName = "aB".repeat(32).parse().unwrap();
        assert_eq!(service(&long, "").map_err(|left| left.len()), Err(96));
    }

    fn named(tags: &[&str], deployed_as: Option<&str>) -> ImageTag {
        let tag = |text: &str| text.parse::<Tag>().unwrap();
        let repository = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/company/a".parse().unwrap();
        let tags = tags.iter().copied().map(tag).collect();
        image_tag(&Image { repository, deployed_as: deployed_as.map(tag), tags }, &digest())
    }

    fn digest() -> Digest {
        format!("sha256:{}", "0a".repeat(32)).parse().unwrap()
    }

    #[test]
    fn the_tag_that_was_deployed_is_kept_where_it_still_names_the_image() {
        let tag = |text: &str| ImageTag::Tag(text.parse().unwrap());
        assert_eq!(named(&["v1.2.3", "build-7", "latest"], Some("build-7")), tag("build-7"));
        assert_eq!(named(&["v1.2.3", "latest"], Some("latest")), tag("v1.2.3"));
        assert_eq!(named(&["v1.2.3"], Some("v1.2.2")), tag("v1.2.3"));
    }

    #[test]
    fn of_several_tags_a_whole_version_says_most() {
        let tag = |text: &str| ImageTag::Tag(text.parse().unwrap());
        assert_eq!(named(&["v1", "v1.2", "v1.2.3", "3f2a9c1d4e5b", "latest"], None), tag("v1.2.3"));
        assert_eq!(named(&["latest", "3f2a9c1d4e5b"], None), tag("3f2a9c1d4e5b"));
        assert_eq!(named(&["b-1", "a-1"], None), tag("a-1"));
    }

    #[test]
    fn what_moves_on_or_has_no_tag_is_kept_by_its_digest() {
        let tag = |text: &str| text.parse::<Tag>().unwrap();
        assert_eq!(named(&["main", "latest"], None), ImageTag::Moving(tag("latest"), digest()));
        assert_eq!(named(&["main", "latest"], Some("main")), ImageTag::Moving(tag("main"), digest()));
        assert_eq!(named(&[], Some("v1.0.0")), ImageTag::Untagged(Some(tag("v1.0.0")), digest()));
        assert_eq!(named(&[], None), ImageTag::Untagged(None, digest()));
    }
}
