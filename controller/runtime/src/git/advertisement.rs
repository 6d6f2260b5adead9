//! Decides from a server's list of references which commit a branch is at.
//!
//! libgit2 could list as well, but keeps every reference in memory, and its Rust binding panics on names that are not
//! UTF-8. Here one line is held at a time.
use std::io::{BufReader, Read};

use super::commit::CommitId;
use super::error::Error;
use super::http::{Body, Session};
use super::packet::{Packet, line, read_packet};
use super::remote::Remote;

/// What messages call it.
const THE_LIST: &str = "the list of references";

/// What stands behind the first reference, among the server's capabilities, for its default branch.
const DEFAULT_BRANCH: &str = "symref=HEAD:refs/heads/";

/// Finds the branch of the remote in the list that it sent.
pub(super) fn find_branch(body: Body, remote: &Remote) -> Result<CommitId, Error> {
    let found = find(body, &remote.reference())?;
    found.id.ok_or_else(|| Error::BranchMissing {
        branch: remote.branch().to_owned(),
        default: found.capability(DEFAULT_BRANCH).map(str::to_owned),
    })
}

/// Finds a reference, by its full name, in the list that a server sent.
pub(super) fn find(body: Body, reference: &str) -> Result<Found, Error> {
    let mut reader = BufReader::with_capacity(64 << 10, body);
    let outcome = scan(&mut reader, reference.as_bytes());
    let session: &Session = reader.get_ref().session();
    // A transfer that was cut short looks like a broken answer; the session knows better.
    outcome.map_err(|reason| session.take_failure().unwrap_or_else(|| session.protocol(reason)))
}

/// What a list of references says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Where the reference is, if there is one.
    pub(super) id: Option<CommitId>,
    /// What the server can do, separated by spaces.
    capabilities: String,
}

impl Found {
    /// What follows `prefix` in the capability that begins with it.
    pub(super) fn capability(&self, prefix: &str) -> Option<&str> {
        self.capabilities.split(' ').find_map(|word| word.strip_prefix(prefix))
    }
}

/// Reads up to the wanted reference, or to the end.
fn scan(reader: &mut impl Read, wanted: &[u8]) -> Result<Found, String> {
    let mut buffer = Vec::new();
    match read_packet(THE_LIST, reader, &mut buffer)? {
        Packet::Payload(line) if line.starts_with(b"# service=") => {}
        _ => return Err("the list of references does not begin with its service".to_owned()),
    }
    if read_packet(THE_LIST, reader, &mut buffer)? != Packet::Flush {
        return Err("the list of references has no section for its service".to_owned());
    }
    let mut found = Found::default();
    let mut first = true;
    while let Packet::Payload(payload) = read_packet(THE_LIST, reader, &mut buffer)? {
        let text = line(payload);
        if let Some(message) = text.strip_prefix(b"ERR ") {
            return Err(String::from_utf8_lossy(message).into_owned());
        }
        let text = if first { split_capabilities(text, &mut found) } else { text };
        first = false;
        let (id, name) = split_reference(text)?;
        if name == wanted {
            found.id = Some(id);
            return Ok(found);
        }
    }
    Ok(found)
}

fn split_capabilities<'a>(line: &'a [u8], found: &mut Found) -> &'a [u8] {
    let mut parts = line.splitn(2, |byte| *byte == 0);
    let reference = parts.next().unwrap_or_default();
    found.capabilities = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    reference
}

fn split_reference(line: &[u8]) -> Result<(CommitId, &[u8]), String> {
    let mut parts = line.splitn(2, |byte| *byte == b' ');
    let id = parts.next().and_then(|id| std::str::from_utf8(id).ok()).and_then(|id| id.parse().ok());
    match (id, parts.next()) {
        (Some(id), Some(name)) => Ok((id, name)),
        _ => Err("a line of the list of references is not `<SHA-1> <name>`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet;
    use super::{DEFAULT_BRANCH, Found, scan};

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn packet(payload: &[u8]) -> Vec<u8> {
        packet::packet(payload).expect("a packet")
    }

    fn advertisement(lines: &[Vec<u8>]) -> Vec<u8> {
        let head = [packet(b"# service=git-upload-pack\n"), b"0000".to_vec()].concat();
        let lines: Vec<u8> = lines.iter().flat_map(|line| packet(line)).collect();
        [head, lines, b"0000".to_vec()].concat()
    }

    fn find(answer: &[u8]) -> Result<Found, String> {
        scan(&mut &*answer, b"refs/heads/main")
    }

    #[test]
    fn the_branch_is_found_behind_names_that_are_not_utf8() {
        let answer = advertisement(&[
            format!("{ZERO} HEAD\0side-band-64k symref=HEAD:refs/heads/trunk agent=x").into_bytes(),
            [ZERO.as_bytes(), b" refs/heads/caf\xe9\n"].concat(),
            format!("{ID} refs/heads/main\n").into_bytes(),
        ]);
        let found = find(&answer).expect("an advertisement");
        assert_eq!(found.id, Some(ID.parse().expect("an id")));
    }

    #[test]
    fn a_missing_branch_comes_with_the_default_branch() {
        let answer = advertisement(&[format!("{ID} HEAD\0symref=HEAD:refs/heads/trunk").into_bytes()]);
        let found = find(&answer).expect("an advertisement");
        assert_eq!((found.id, found.capability(DEFAULT_BRANCH)), (None, Some("trunk")));
    }

    #[test]
    fn an_empty_repository_has_no_branch() {
        let answer = advertisement(&[format!("{ZERO} capabilities^{{}}\0agent=x").into_bytes()]);
        assert_eq!(find(&answer).expect("an advertisement").id, None);
    }

    #[test]
    fn a_name_that_only_begins_like_the_branch_is_not_the_branch() {
        let answer = advertisement(&[format!("{ID} refs/heads/main2\0").into_bytes()]);
        assert_eq!(find(&answer).expect("an advertisement").id, None);
    }

    #[test]
    fn broken_answers_are_refused_with_what_is_wrong() {
        let sha256 = advertisement(&[format!("{ID}{} refs/heads/main\0", &ID[..24]).into_bytes()]);
        for answer in [
            &b""[..],
            b"<html>",
            b"0003",
            b"zzzz",
            b"0000",
            b"ffff# service=git-upload-pack",
            &advertisement(&[])[..20],
            &sha256,
        ] {
            assert!(find(answer).is_err(), "{:?}", String::from_utf8_lossy(answer));
        }
    }

    #[test]
    fn what_the_server_says_is_passed_on() {
        let answer = advertisement(&[b"ERR repository is archived".to_vec()]);
        assert_eq!(find(&answer), Err("repository is archived".to_owned()));
    }
}
