use std::error::Error as _;

use super::{Error, RollbackConfig};

/// As the file of a rollback lies in a release repository.
const FILE: &str = "\
# Written by Tidegate. `tidegate rollback --config` with this file does it again.
schemaVersion: 1
environment: production
service: flight-service
record: 42
at: 2026-11-21T14:06:31Z
actor: arn:aws:sts::111111111111:assumed-role/engineer/ben
reason: 5xx after 14:02
commit: 3f2a9c1d4e5b6a7f8091a2b3c4d5e6f708192a3b
heldOut:
  imageTag: v1.2.0
  digest: sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a
  release: 5fe26b56a7d20de785706ee27edcab2e
live:
  version: '6'
  imageTag: v1.1.0
  digest: sha256:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b
  release: 0c3f1f0a7f3df1b1cf2ac0a1d5a4b9e2
";

fn parse(text: &str) -> Result<RollbackConfig, Error> {
    RollbackConfig::parse("back.yaml", text.as_bytes())
}

fn refusal(text: &str) -> String {
    let error = parse(text).unwrap_err();
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

#[test]
fn a_file_is_read_and_written_again_as_it_was() {
    let config = parse(FILE).unwrap();
    assert_eq!(config.record.0, 42);
    assert_eq!(config.live.tag.as_ref().map(ToString::to_string).as_deref(), Some("v1.1.0"));
    assert_eq!(config.to_yaml().unwrap(), FILE);
    assert_eq!(config.path(), "history/rollback-configs/production/flight-service/42-20261121T140631Z.yaml");
}

#[test]
fn the_file_that_the_documentation_shows_is_this_one() {
    let page = include_str!("../../../../../docs/guides/write-back.md");
    assert!(page.contains(&format!("```yaml\n{FILE}```")));
    assert!(page.contains(&parse(FILE).unwrap().path()));
}

#[test]
fn what_people_wrote_comes_back_as_they_wrote_it_and_nothing_else_changes() {
    let config = parse(FILE).unwrap();
    for text in [
        "",
        "null",
        "~",
        "42",
        "true",
        "2026-11-21",
        "# none",
        "a: b # c",
        "- a",
        "\"quoted\"",
        "'",
        "*alias",
        "&anchor",
        "!tag",
        "%directive",
        "@",
        "`",
        "{[]}",
        "---\nlive: {}",
        "two\nlines",
        "x\nheldOut: null\nlive:\n  release: 00000000000000000000000000000000",
        " spaces ",
        "trailing\n",
        "\n\n",
        "tab\tand\r\nreturn",
        "\u{1b}[2Jescape\u{7}\0",
        "é 日本 🚀 \u{feff}\u{2028}\u{85}\u{202e}",
    ] {
        let said = RollbackConfig { reason: text.to_owned(), actor: text.to_owned(), ..config.clone() };
        let written = said.to_yaml().unwrap();
        assert_eq!(parse(&written).unwrap(), said, "{written}");
    }
}

#[test]
fn a_zip_archive_is_told_by_its_hash_and_where_it_lies() {
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let image = format!("  imageTag: v1.1.0\n  digest: sha256:{}\n", "0b".repeat(32));
    let code = format!("  codeSha256: {hash}\n");
    let archive = "  s3Bucket: artifacts\n  s3Key: f/1.zip\n  s3ObjectVersion: 'null'\n";
    for zip in [code.clone(), format!("{archive}{code}")] {
        let text = FILE.replace(&image, &zip);
        let config = parse(&text).unwrap();
        assert_eq!((config.live.code.to_string().as_str(), config.live.tag.as_ref()), (hash, None));
        assert_eq!(config.live.archive.is_some(), zip.len() > code.len());
        assert_eq!(config.to_yaml().unwrap(), text);
    }

    let either = "there has to be either `digest` or `codeSha256`";
    assert_eq!(refusal(&FILE.replace(&image, &format!("{image}{code}"))), format!("`back.yaml`: {either} in `live`"));
    let neither = FILE.replace(&format!("  digest: sha256:{}\n", "0a".repeat(32)), "");
    assert_eq!(refusal(&neither), format!("`back.yaml`: {either} in `heldOut`"));
    let part = FILE.replace(&image, &format!("  s3Key: f/1.zip\n{code}"));
    assert!(refusal(&part).contains("belong together in `live`"));
}

#[test]
fn what_is_no_rollback_is_refused_with_the_reason() {
    let malformed = "`back.yaml` is not a rollback configuration: ";
    assert_eq!(refusal("services: {}"), format!("{malformed}missing field `schemaVersion`"));
    let refused = refusal(&FILE.replace("record: 42\n", ""));
    assert_eq!(refused, format!("{malformed}missing field `record` at line 2 column 1"));
    let refused = refusal(&FILE.replace("record: 42", "record: 42\nforce: true"));
    assert!(refused.starts_with(&format!("{malformed}unknown field `force`")), "{refused}");
    let refused = refusal(&FILE.replace("flight-service", "Flight Service"));
    assert!(refused.contains("`Flight Service` is not a service name"), "{refused}");
    let refused = refusal(&FILE.replace("record: 42", "record: 42\nrecord: 43"));
    assert!(refused.contains("duplicate field `record`"), "{refused}");
    for text in ["", "\u{0}", "a: [", "[]"] {
        assert!(refusal(text).starts_with(malformed), "{text}");
    }
    let newer = FILE.replace("schemaVersion: 1", "schemaVersion: 2\nnew: field");
    assert_eq!(refusal(&newer), "`back.yaml` has `schemaVersion: 2`, and this version of Tidegate reads 1");
    let big = format!("{FILE}# {}", "x".repeat(64 << 10));
    assert_eq!(refusal(&big), "`back.yaml` has more than 65536 bytes: it is no rollback configuration");
}
