//! Decides which bytes of an environment's file to replace so that a service names earlier code again; all others stay.

use crate::problem::{Findings, Problems};
use crate::read::{self, Content, Entry, Node, is_text};
use crate::release::{Artifact, Image, ReleaseConfig, Service, Zip};
use crate::source::SourceFile;
use crate::value::{Digest, EnvironmentName, ServiceName, Tag};
use std::ops::Range;

/// The code to name, as `services.yaml` writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactText {
    /// A container image. The repository stays what the entry says.
    Image {
        /// The tag.
        tag: Tag,
        /// What the tag meant. It is written where the entry gives a digest now.
        digest: Option<Digest>,
    },
    /// A zip archive. Its hash is written where the entry gives one now.
    Zip(Zip),
}

/// Why a service cannot be set back by an edit. A person can still do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file, as it is.
    #[error("`{file}` is not valid")]
    Invalid {
        /// Its path in the repository.
        file: String,
        /// What is wrong with it.
        #[source]
        source: Box<Problems>,
    },
    /// The file, as it would be.
    #[error("`{file}` would not be valid with `{service}` set back")]
    WouldBeInvalid {
        /// Its path in the repository.
        file: String,
        /// Whose entry.
        service: ServiceName,
        /// What would be wrong with it.
        #[source]
        source: Box<Problems>,
    },
    /// The file has no such service.
    #[error("`{file}` has no service `{service}`")]
    NoSuchService {
        /// Its path in the repository.
        file: String,
        /// Which one was looked for.
        service: ServiceName,
    },
    /// The entry has an image and the earlier code is a zip archive, or the other way round.
    #[error("`{service}` and its earlier release are not of the same package type")]
    OtherPackage {
        /// Whose entry.
        service: ServiceName,
    },
    /// The entry gives the hash of its archive, and that of the earlier one is not known.
    #[error("`{service}` gives `codeSha256`, which is not known of its earlier release")]
    HashUnknown {
        /// Whose entry.
        service: ServiceName,
    },
    /// The value, or what it stands in, is an alias of something elsewhere in the file.
    #[error("`{field}` of `{service}` is a YAML alias: its value stands elsewhere in the file")]
    Aliased {
        /// Whose entry.
        service: ServiceName,
        /// Which field.
        field: &'static str,
    },
    /// The value is an anchor, and something else is its alias.
    #[error("the code of `{service}` is a YAML anchor: other values of the file would change with it")]
    Shared {
        /// Whose entry.
        service: ServiceName,
    },
    /// The value is a block (`|` or `>`), or goes over several lines.
    #[error("`{field}` of `{service}` is not written on one line")]
    NotOnOneLine {
        /// Whose entry.
        service: ServiceName,
        /// Which field.
        field: &'static str,
    },
}

/// One field of an entry, and the value that it shall have.
type Field = (&'static str, String);

/// The file's text with the code of `service` set back to `to`: the same text where it says so already. Only the values of
/// `imageTag`, or of `s3Bucket`, `s3Key`, `s3ObjectVersion` and `codeSha256`, are replaced, each where it differs and with the
/// quotes it has; comments and formatting stay byte for byte.
///
/// What is returned was read again: it is valid, and means the same but for the code of this service.
///
/// # Errors
/// Where the file is not valid or has no such service; where its value is shared by an anchor and aliases, is written on
/// several lines, or does not fit to `to`.
pub fn set_back(
    file: &SourceFile,
    environment: &EnvironmentName,
    config: &ReleaseConfig,
    service: &ServiceName,
    to: &ArtifactText,
) -> Result<String, Error> {
    let name = || file.name().to_owned();
    let invalid = |problems| Error::Invalid { file: name(), source: Box::new(problems) };
    let mut expected = crate::read_environment(file, environment, config).map_err(invalid)?;
    let missing = || Error::NoSuchService { file: name(), service: service.clone() };
    let entry = expected.services.get_mut(service).ok_or_else(missing)?;
    let (artifact, fields) = target(entry, to)?;
    entry.artifact = artifact;

    let mut findings = Findings::new(file);
    let tree = read::tree(file, &mut findings).ok_or_else(|| invalid(findings.into_problems(&[])))?;
    let text = replace(file.text(), &tree, service, &fields)?;

    let would_be_invalid =
        |problems| Error::WouldBeInvalid { file: name(), service: service.clone(), source: Box::new(problems) };
    let edited = SourceFile::new(file.name(), text.as_bytes()).map_err(would_be_invalid)?;
    let found = crate::read_environment(&edited, environment, config).map_err(would_be_invalid)?;
    if found != expected {
        return Err(Error::Shared { service: service.clone() });
    }
    Ok(file.with_mark(text))
}

/// What the entry shall mean, and what its fields have to say for that.
fn target(entry: &Service, to: &ArtifactText) -> Result<(Artifact, Vec<Field>), Error> {
    let service = || entry.name.clone();
    match (&entry.artifact, to) {
        (Artifact::Image(now), ArtifactText::Image { tag, digest }) => {
            let digest = digest.clone().filter(|_| now.digest.is_some());
            let text = digest.as_ref().map_or_else(|| tag.to_string(), |digest| format!("{tag}@{digest}"));
            let image = Image { repository: now.repository.clone(), tag: tag.clone(), digest };
            Ok((Artifact::Image(image), vec![("imageTag", text)]))
        }
        (Artifact::Zip(now), ArtifactText::Zip(to)) => {
            let mut fields: Vec<Field> = vec![
                ("s3Bucket", to.bucket.clone()),
                ("s3Key", to.key.clone()),
                ("s3ObjectVersion", to.object_version.clone()),
            ];
            let code_sha256 = match (&now.code_sha256, &to.code_sha256) {
                (None, _) => None,
                (Some(_), None) => return Err(Error::HashUnknown { service: service() }),
                (Some(_), Some(hash)) => Some(hash.clone()),
            };
            fields.extend(code_sha256.iter().map(|hash| ("codeSha256", hash.to_string())));
            Ok((Artifact::Zip(Zip { code_sha256, ..to.clone() }), fields))
        }
        (Artifact::Image(_), ArtifactText::Zip(_)) | (Artifact::Zip(_), ArtifactText::Image { .. }) => {
            Err(Error::OtherPackage { service: service() })
        }
    }
}

/// The text with the fields of one service's entry replaced.
fn replace(text: &str, tree: &Node, service: &ServiceName, fields: &[Field]) -> Result<String, Error> {
    let mut replaced: Vec<(Range<usize>, String)> = Vec::new();
    for (field, value) in fields {
        // It is there: the file is valid, and the service is of this package type.
        let Some(Found { node, aliased }) = find(tree, ["services", service.as_str(), field]) else { continue };
        if matches!(&node.content, Content::Scalar { text, .. } if text == value) {
            continue;
        }
        if aliased {
            return Err(Error::Aliased { service: service.clone(), field });
        }
        let edit = written(text, node, value).ok_or_else(|| Error::NotOnOneLine { service: service.clone(), field })?;
        replaced.push(edit);
    }
    replaced.sort_by_key(|(span, _)| span.start);
    let mut edited = String::with_capacity(text.len());
    let mut at = 0;
    for (span, value) in replaced {
        edited.push_str(text.get(at..span.start).unwrap_or_default());
        edited.push_str(&value);
        at = span.end;
    }
    edited.push_str(text.get(at..).unwrap_or_default());
    Ok(edited)
}

/// What is at a path of the document, and whether an alias leads to it.
struct Found<'t> {
    node: &'t Node,
    aliased: bool,
}

fn find<'t>(tree: &'t Node, path: [&str; 3]) -> Option<Found<'t>> {
    path.iter().try_fold(Found { node: tree, aliased: false }, |Found { node, aliased }, key| {
        let Entry { key: _, key_span, value } = node.entry(key)?;
        // In place of an alias the tree has what it stands for, which is written before it.
        Some(Found { node: value, aliased: aliased || value.span.start < key_span.end })
    })
}

/// Where a scalar stands, and another value as it is written there. `None` for what is not on one line.
fn written(text: &str, node: &Node, value: &str) -> Option<(Range<usize>, String)> {
    let start = node.span.end - after_anchor(text.get(node.span.clone())?).len();
    let raw = text.get(start..)?;
    let (length, value) = if raw.starts_with('"') {
        (double_quoted_length(raw)?, double_quoted(value))
    } else if raw.starts_with('\'') {
        let fits = !value.chars().any(char::is_control);
        let value = if fits { format!("'{}'", value.replace('\'', "''")) } else { double_quoted(value) };
        (single_quoted_length(raw)?, value)
    } else {
        let Content::Scalar { text: now, plain: true } = &node.content else { return None };
        if !raw.starts_with(now.as_str()) {
            return None;
        }
        (now.len(), if can_be_plain(value) { value.to_owned() } else { double_quoted(value) })
    };
    let on_one_line = !raw.get(..length)?.contains(['\n', '\r']);
    on_one_line.then_some((start..start + length, value))
}

/// A scalar behind its anchor: the event parser's span of a scalar begins with it.
fn after_anchor(raw: &str) -> &str {
    let anchored = raw.strip_prefix('&').and_then(|name| name.split_once(char::is_whitespace));
    anchored.map_or(raw, |(_name, scalar)| scalar.trim_start())
}

/// How long a scalar in double quotes is. The event parser's span may go on into what is behind it.
fn double_quoted_length(raw: &str) -> Option<usize> {
    let mut escaped = false;
    let end = raw.bytes().skip(1).position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    end.map(|end| end + 2)
}

/// How long a scalar in single quotes is, in which two of them stand for one.
fn single_quoted_length(raw: &str) -> Option<usize> {
    let mut quotes = raw.bytes().enumerate().skip(1).filter(|(_, byte)| *byte == b'\'').map(|(at, _)| at).peekable();
    while let Some(at) = quotes.next() {
        if quotes.next_if_eq(&(at + 1)).is_none() {
            return Some(at + 1);
        }
    }
    None
}

/// Whether a text means itself without quotes, wherever a value may stand, to every reader.
fn can_be_plain(text: &str) -> bool {
    is_text(text)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !text.ends_with(':')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b'@' | b':'))
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            character if character.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
