//! Setting a service back replaces the bytes of its code and no others, or is refused with the reason.

#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on has failed its test")]
#![expect(clippy::disallowed_methods, reason = "tests may read files")]

use proptest::prelude::*;
use release_schema::edit::{ArtifactText, Error, set_back};
use release_schema::{ReleaseConfig, SourceFile, Zip, read_release_config};
use std::path::Path;

const DIGEST: &str = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const OTHER_DIGEST: &str = "sha256:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";

fn config(bytes: &[u8]) -> ReleaseConfig {
    read_release_config(&SourceFile::new("release-config.yaml", bytes).unwrap()).unwrap()
}

fn edit(text: &str, service: &str, to: &ArtifactText) -> Result<String, Error> {
    let file = SourceFile::new("environments/test/services.yaml", text.as_bytes()).unwrap();
    let config = config(b"environments: { test: {} }");
    set_back(&file, &"test".parse().unwrap(), &config, &service.parse().unwrap(), to)
}

fn image(tag: &str) -> ArtifactText {
    ArtifactText::Image { tag: tag.parse().unwrap(), digest: None }
}

fn zip(key: &str, object_version: &str) -> ArtifactText {
    let (bucket, key, object_version) = ("artifacts".to_owned(), key.to_owned(), object_version.to_owned());
    ArtifactText::Zip(Zip { bucket, key, object_version, code_sha256: None })
}

/// A file of one service, whose tag is written like this.
fn with_tag(tag: &str) -> String {
    format!("services:\n  a:\n    functionName: F\n    imageTag: {tag}\n    ecrRepository: x/y\n")
}

#[test]
fn the_quotes_a_tag_has_are_kept() {
    for (before, after) in [
        ("\"v2\"", "\"v1\""),
        ("'v2'", "'v1'"),
        ("v2", "v1"),
        ("v2 # good", "v1 # good"),
        ("  \"v2\"   # good", "  \"v1\"   # good"),
        ("&tag v2", "&tag v1"),
        ("&tag  'v2' #", "&tag  'v1' #"),
        ("\n      v2", "\n      v1"),
        ("\"v\\u0032\"", "\"v1\""),
    ] {
        assert_eq!(edit(&with_tag(before), "a", &image("v1")).unwrap(), with_tag(after), "{before}");
    }
}

#[test]
fn a_tag_that_would_be_a_number_gets_quotes() {
    assert_eq!(edit(&with_tag("v2"), "a", &image("1.10")).unwrap(), with_tag("\"1.10\""));
    assert_eq!(edit(&with_tag("v2"), "a", &image("_x")).unwrap(), with_tag("\"_x\""));
}

#[test]
fn a_digest_is_written_where_there_is_one() {
    let to = ArtifactText::Image { tag: "v1".parse().unwrap(), digest: Some(DIGEST.parse().unwrap()) };
    assert_eq!(edit(&with_tag("\"v2\""), "a", &to).unwrap(), with_tag("\"v1\""));
    let pinned = with_tag(&format!("v2@{OTHER_DIGEST} # pinned"));
    assert_eq!(edit(&pinned, "a", &to).unwrap(), with_tag(&format!("v1@{DIGEST} # pinned")));
    assert_eq!(edit(&pinned, "a", &image("v1")).unwrap(), with_tag("v1 # pinned"));
}

#[test]
fn what_says_so_already_stays_as_it_is() {
    for tag in ["v1", "'v1'", "\"v1\" # good", ">-\n      v1"] {
        assert_eq!(edit(&with_tag(tag), "a", &image("v1")).unwrap(), with_tag(tag));
    }
}

#[test]
fn an_archive_is_set_back_with_all_that_names_it() {
    let file = |bucket: &str, key: &str, version: &str, hash: &str| {
        format!(
            "services:\n  a: {{ functionName: F, s3Bucket: {bucket}, s3Key: {key},\n    s3ObjectVersion: {version}{hash} }}\n"
        )
    };
    let before = file("artifacts", "'a/2.zip'", "two", "");
    assert_eq!(edit(&before, "a", &zip("a/1.zip", "one")).unwrap(), file("artifacts", "'a/1.zip'", "one", ""));
    let odd = edit(&before, "a", &zip("it's [1]", "one")).unwrap();
    assert_eq!(odd, file("artifacts", "'it''s [1]'", "one", ""));
    let odd = edit(&file("others", "a/2.zip", "two", ""), "a", &zip("a \"1\", #b", "one")).unwrap();
    assert_eq!(odd, file("artifacts", "\"a \\\"1\\\", #b\"", "one", ""));

    let hash = |hash: &str| format!(", codeSha256: {hash}");
    let (old, new) = ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "V/GhbcIW1n/Hw6ZQEbLNTR2gt2NGWGVCRZ4fKdHjNGw=");
    let before = file("artifacts", "a/2.zip", "two", &hash(old));
    let ArtifactText::Zip(to) = zip("a/1.zip", "one") else { panic!("a zip") };
    assert!(matches!(edit(&before, "a", &ArtifactText::Zip(to.clone())), Err(Error::HashUnknown { .. })));
    let to = ArtifactText::Zip(Zip { code_sha256: Some(new.parse().unwrap()), ..to });
    let after = file("artifacts", "a/1.zip", "one", &hash(&format!("\"{new}\"")));
    assert_eq!(edit(&before, "a", &to).unwrap(), after);
}

#[test]
fn what_others_share_is_refused_with_the_reason() {
    let aliased = "services:\n  a:\n    functionName: F\n    imageTag: &tag v2\n    ecrRepository: x/y\n  \
                   b:\n    functionName: G\n    imageTag: *tag\n    ecrRepository: x/z\n";
    let refused = |text: &str, service: &str| edit(text, service, &image("v1")).unwrap_err();
    assert_eq!(
        refused(aliased, "b").to_string(),
        "`imageTag` of `b` is a YAML alias: its value stands elsewhere in the file"
    );
    assert_eq!(
        refused(aliased, "a").to_string(),
        "the code of `a` is a YAML anchor: other values of the file would change with it"
    );
    let expected = "services:\n  a:\n    functionName: F\n    imageTag: &tag v2\n    ecrRepository: x/y\n    \
                    smokeTest: { payload: {}, expectJson: { /version: *tag } }\n";
    assert!(matches!(refused(expected, "a"), Error::Shared { .. }));
}

#[test]
fn an_alias_of_what_stays_is_no_obstacle() {
    let file = |key: &str| {
        format!(
            "services:\n  a: {{ functionName: F, s3Bucket: &bucket artifacts, s3Key: a.zip, s3ObjectVersion: x }}\n  \
             b: {{ functionName: G, s3Bucket: *bucket, s3Key: {key}, s3ObjectVersion: x }}\n"
        )
    };
    assert_eq!(edit(&file("b2.zip"), "b", &zip("b1.zip", "x")).unwrap(), file("b1.zip"));
}

#[test]
fn what_an_edit_cannot_do_is_refused_with_the_reason() {
    let refused = |text: &str, service: &str, to: &ArtifactText| edit(text, service, to).unwrap_err();
    for block in [">-\n      v2", "|-\n      v2"] {
        let error = refused(&with_tag(block), "a", &image("v1"));
        assert_eq!(error.to_string(), "`imageTag` of `a` is not written on one line");
    }
    let error = refused(&with_tag("v2"), "b", &image("v1"));
    assert_eq!(error.to_string(), "`environments/test/services.yaml` has no service `b`");
    let error = refused(&with_tag("v2"), "a", &zip("k", "v"));
    assert_eq!(error.to_string(), "`a` and its earlier release are not of the same package type");
    let error = refused(&with_tag("1.10"), "a", &image("v1"));
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    let ArtifactText::Zip(zip) = zip("k", "null") else { panic!("a zip") };
    let archive = "services: { a: { functionName: F, s3Bucket: abc, s3Key: k, s3ObjectVersion: v } }\n";
    let error = refused(archive, "a", &ArtifactText::Zip(zip));
    assert!(matches!(error, Error::WouldBeInvalid { .. }), "{error}");
}

/// Services with all that may stand around their tag: the text before each tag, and the text after the last one.
#[derive(Clone, Debug)]
struct Formatted {
    mark: bool,
    services: Vec<(String, String)>,
    rest: String,
}

impl Formatted {
    /// The file, where the service at this place has this tag.
    fn text(&self, changed: usize, tag: &str) -> String {
        let mut text = if self.mark { "\u{feff}".to_owned() } else { String::new() };
        for (at, (before, quote)) in self.services.iter().enumerate() {
            let tag = if at == changed { tag } else { "v2.0.0" };
            text.push_str(&format!("{before}{quote}{tag}{quote}"));
        }
        text + &self.rest
    }
}

/// A comment as people write them, with whatever looks like YAML in it; or none.
fn comment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ -~äß→🚀]{0,30}".prop_map(|text| format!(" #{text}")),
        Just(" # imageTag: \"v1.9.9\"".to_owned()),
    ]
}

fn formatted() -> impl Strategy<Value = Formatted> {
    let gap = prop::collection::vec(comment(), 0..3);
    let service = (comment(), gap, comment(), prop::bool::ANY, prop::bool::ANY, "[\"']?", 1..4_usize);
    (prop::bool::ANY, prop::sample::select(vec!["\n", "\r\n"]), prop::collection::vec(service, 1..5)).prop_map(
        |(mark, end, written)| {
            let mut services = Vec::new();
            let mut rest = format!("# what runs{end}services:{end}");
            for (number, (name, gap, behind, flow, first, quote, spaces)) in written.into_iter().enumerate() {
                let between: String = gap.iter().map(|comment| format!("   {comment}{end}")).collect();
                let (function, space) = (format!("functionName: F{number}"), " ".repeat(spaces));
                let service = format!("  s{number}");
                let (before, after) = match (flow, first) {
                    (true, _) => (
                        format!("{service}: {{ {function},{space}imageTag:{space}"),
                        format!("{space}, ecrRepository: x/y }}{behind}{end}"),
                    ),
                    (false, true) => (
                        format!("{service}:{name}{end}{between}    imageTag:{space}"),
                        format!("{behind}{end}{between}    {function}{end}    ecrRepository: x/y{end}"),
                    ),
                    (false, false) => (
                        format!("{service}:{name}{end}    {function}{end}    ecrRepository: x/y{end}{between}    imageTag:{space}"),
                        format!("{behind}{end}{between}"),
                    ),
                };
                services.push((rest + &before, quote));
                rest = after;
            }
            Formatted { mark, services, rest }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_tag_of_the_service_changes_whatever_stands_around_it(
        file in formatted(),
        pick in any::<prop::sample::Index>(),
        tag in "v[0-9]{1,3}(\\.[0-9]{1,3}){0,2}(-[a-z]{1,5})?",
    ) {
        let at = pick.index(file.services.len());
        let edited = edit(&file.text(at, "v2.0.0"), &format!("s{at}"), &image(&tag)).unwrap();
        prop_assert_eq!(edited, file.text(at, &tag));
    }

    #[test]
    fn each_service_of_the_sample_can_be_set_back(
        staging in any::<bool>(),
        pick in any::<prop::sample::Index>(),
        tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}",
    ) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample-release-repo");
        let name = if staging { "staging" } else { "production" };
        let path = format!("environments/{name}/services.yaml");
        let text = std::fs::read_to_string(root.join(&path)).unwrap();
        let config = config(&std::fs::read(root.join("release-config.yaml")).unwrap());
        let services = ["flight-service", "reservation-service", "flight-bff"];
        let (at, service) = (pick.index(3), pick.get(&services));
        let file = SourceFile::new(path, text.as_bytes()).unwrap();
        let edited = set_back(&file, &name.parse().unwrap(), &config, &service.parse().unwrap(), &image(&tag)).unwrap();
        // The sample names its services in this order, each with the same tag.
        let pieces: Vec<&str> = text.split("v1.0.0").collect();
        let mut expected = String::new();
        for (number, piece) in pieces.iter().enumerate() {
            let behind = if number + 1 == pieces.len() { "" } else if number == at { &tag } else { "v1.0.0" };
            expected.push_str(&format!("{piece}{behind}"));
        }
        prop_assert_eq!(edited, expected);
    }
}
