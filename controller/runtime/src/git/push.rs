//! Creates a branch of the remote at a new commit, by one request of Git's `receive-pack` (gitprotocol-pack(5)).
//!
//! Not by libgit2's push: that walks the history behind the commit to find out what to send, and the cache's history ends
//! early. We know what is new. The branch's old id is sent as zeros: a server creates it, or refuses; none is ever moved.
use std::io::{BufReader, Read};

use super::advertisement::{self, Found};
use super::commit::CommitId;
use super::draft::NewCommit;
use super::error::{self, Measure, Reported};
use super::http::{Body, Service, Session};
use super::limits::Limits;
use super::packet::{self, FLUSH, Packet, line, read_packet};
use super::remote::{Remote, Right, branch_reference};
use super::transport::MAX_REQUEST_BYTES;

/// What messages call it.
const THE_ANSWER: &str = "the answer to the push";

/// Bytes of the server's report, which is two lines.
const MAX_REPORT_BYTES: usize = 64 << 10;

/// Characters that are kept of what the server says to people meanwhile.
const MAX_SAID: usize = 2_000;

/// "There is no such branch", in place of an id.
const NONE: &str = "0000000000000000000000000000000000000000";

/// How a branch came to be where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was created.
    Now,
    /// It was at this commit already: an earlier push arrived, and its answer did not.
    Before,
}

/// The branch could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// 401 or 403: this credential may not push, or there is none.
    #[error("Git server `{host}` takes no push from {}", if *.sent { "this credential" } else { "anybody without a credential" })]
    NoRight {
        /// Who refused.
        host: String,
        /// Whether a credential was sent.
        sent: bool,
    },
    /// The server looked at the push and declined it: a protected branch, a hook, a rule for commits.
    #[error("Git server `{host}` declined branch `{branch}`: {reason}")]
    Declined {
        /// Who declined.
        host: String,
        /// Which branch.
        branch: String,
        /// The protocol's reason.
        reason: Reported,
        /// What the server said to people, where it said something.
        #[source]
        said: Option<Reported>,
    },
    /// The branch is there, and is another commit.
    #[error("branch `{branch}` exists, at another commit (`{found}`)")]
    Exists {
        /// Which branch.
        branch: String,
        /// Where it is.
        found: CommitId,
    },
    /// The server was not reached, or did not answer as Git servers do.
    #[error(transparent)]
    Git(#[from] error::Error),
}

/// Creates `branch` (without `refs/heads/`) at the commit. Costs two requests, or one where the branch is there already.
///
/// # Errors
/// [`Error`]; an answer that was lost too, after which the branch may be there.
pub fn create_branch(remote: &Remote, branch: &str, new: &NewCommit, limits: &Limits) -> Result<Created, Error> {
    let reference = branch_reference(branch)?;
    let session = Session::open(remote, Right::Write, limits);
    let found = advertisement::find(session.advertisement(Service::ReceivePack).map_err(refused)?, &reference)?;
    match found.id {
        Some(id) if id == new.id => return Ok(Created::Before),
        Some(found) => return Err(Error::Exists { branch: branch.to_owned(), found }),
        None => {}
    }
    let request = request(&session, &reference, new, &found)?;
    let answer = session.call(Service::ReceivePack, &request).map_err(refused)?;
    let report = Report::of(answer, found.capability(SIDE_BAND).is_some())?;
    match report.refusal(&reference) {
        None => Ok(Created::Now),
        Some(reason) => Err(Error::Declined {
            host: remote.host().to_owned(),
            branch: branch.to_owned(),
            reason: Reported(reason),
            said: (!report.said.is_empty()).then_some(Reported(report.said)),
        }),
    }
}

fn refused(error: error::Error) -> Error {
    match error {
        error::Error::Refused { host, sent } => Error::NoRight { host, sent },
        error => Error::Git(error),
    }
}

/// The server's report comes in one channel, and what it says to people in another.
const SIDE_BAND: &str = "side-band-64k";

fn request(session: &Session, reference: &str, new: &NewCommit, found: &Found) -> Result<Vec<u8>, error::Error> {
    if found.capability("report-status").is_none() {
        return Err(session.protocol("it does not report what becomes of a push"));
    }
    let side_band = found.capability(SIDE_BAND).map_or("", |_| " side-band-64k");
    let command = format!("{NONE} {} {reference}\0 report-status{side_band}", new.id);
    let command =
        packet::packet(command.as_bytes()).ok_or_else(|| session.protocol("the name of the branch is too long"))?;
    let request = [&command, FLUSH, &new.pack].concat();
    if request.len() > MAX_REQUEST_BYTES {
        let limit = u64::try_from(MAX_REQUEST_BYTES).unwrap_or(u64::MAX);
        return Err(error::Error::TooBig { what: Measure::Upload, limit });
    }
    Ok(request)
}

/// What became of the push, in the server's words.
struct Report {
    lines: Vec<String>,
    said: String,
}

impl Report {
    fn of(answer: Body, side_band: bool) -> Result<Self, error::Error> {
        let mut reader = BufReader::new(answer);
        let read = if side_band { split_bands(&mut reader) } else { Ok((plain(&mut reader), String::new())) };
        let read = read.and_then(|(report, said)| Ok(Self { lines: lines(&report)?, said }));
        let session = reader.get_ref().session();
        // A transfer that was cut short looks like a broken answer; the session knows better.
        match session.take_failure() {
            Some(failure) => Err(failure),
            None => read.map_err(|reason| session.protocol(reason)),
        }
    }

    /// Why the reference was not created; `None` where the report says that it was.
    fn refusal(&self, reference: &str) -> Option<String> {
        let of_this =
            |line: &str, verdict: &str| line.strip_prefix(verdict)?.strip_prefix(reference).map(str::to_owned);
        let unpacked = self.lines.iter().find_map(|line| line.strip_prefix("unpack "));
        if let Some(reason) = unpacked.filter(|reason| *reason != "ok") {
            return Some(format!("it could not unpack the push: {reason}"));
        }
        if self.lines.iter().any(|line| of_this(line, "ok ").is_some_and(|rest| rest.is_empty())) {
            return None;
        }
        let reason = self.lines.iter().find_map(|line| of_this(line, "ng "));
        Some(reason.map_or_else(|| "it did not say why".to_owned(), |reason| reason.trim().to_owned()))
    }
}

fn plain(reader: &mut impl Read) -> Vec<u8> {
    let mut report = Vec::new();
    // What is missing of it is found when it is taken apart.
    let _ = reader.take(MAX_REPORT_BYTES as u64).read_to_end(&mut report);
    report
}

/// The report (band 1), and what is said to people (band 2). Band 3 ends everything.
fn split_bands(reader: &mut impl Read) -> Result<(Vec<u8>, String), String> {
    let mut buffer = Vec::new();
    let (mut report, mut said) = (Vec::new(), Vec::new());
    while let Packet::Payload(payload) = read_packet(THE_ANSWER, reader, &mut buffer)? {
        match payload.split_first() {
            Some((1, data)) if report.len() + data.len() <= MAX_REPORT_BYTES => report.extend_from_slice(data),
            Some((2, text)) if said.len() < MAX_SAID => said.extend_from_slice(text),
            Some((2, _)) => {}
            Some((3, text)) => return Err(String::from_utf8_lossy(line(text)).into_owned()),
            Some(_) | None => return Err(format!("{THE_ANSWER} is not in bands")),
        }
    }
    let said: String = String::from_utf8_lossy(&said).chars().take(MAX_SAID).collect();
    Ok((report, said.trim().to_owned()))
}

fn lines(mut report: &[u8]) -> Result<Vec<String>, String> {
    let mut buffer = Vec::new();
    let mut lines = Vec::new();
    while let Packet::Payload(payload) = read_packet(THE_ANSWER, &mut report, &mut buffer)? {
        lines.push(String::from_utf8_lossy(line(payload)).into_owned());
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::super::packet::packet;
    use super::{Report, lines, split_bands};

    const REFERENCE: &str = "refs/heads/back";

    fn framed(payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes: Vec<u8> = payloads.iter().flat_map(|payload| packet(payload).expect("a packet")).collect();
        bytes.extend_from_slice(b"0000");
        bytes
    }

    fn refusal(payloads: &[&[u8]]) -> Option<String> {
        let lines = lines(&framed(payloads)).expect("a report");
        Report { lines, said: String::new() }.refusal(REFERENCE)
    }

    #[test]
    fn only_a_report_that_names_the_branch_as_created_is_a_success() {
        assert_eq!(refusal(&[b"unpack ok\n", b"ok refs/heads/back\n"]), None);
        for report in [&[&b"unpack ok\n"[..]][..], &[b"unpack ok\n", b"ok refs/heads/back2\n"], &[]] {
            assert_eq!(refusal(report).as_deref(), Some("it did not say why"));
        }
        let declined = [&b"unpack ok\n"[..], b"ng refs/heads/back pre-receive hook declined\n"];
        assert_eq!(refusal(&declined).as_deref(), Some("pre-receive hook declined"));
        let full = [&b"unpack disk full\n"[..], b"ng refs/heads/back unpacker error\n"];
        assert_eq!(refusal(&full).as_deref(), Some("it could not unpack the push: disk full"));
    }

    #[test]
    fn the_report_and_what_is_said_to_people_come_in_bands_of_their_own() {
        let report = framed(&[b"unpack ok\n", b"ok refs/heads/back\n"]);
        let (begin, end) = report.split_at(7);
        let answer = framed(&[&[b"\x01", begin].concat(), b"\x02Not today\n", &[b"\x01", end].concat()]);
        let (found, said) = split_bands(&mut &*answer).expect("bands");
        assert_eq!((found, said.as_str()), (report, "Not today"));
    }

    #[test]
    fn answers_that_end_early_say_it_themselves_or_have_no_bands_are_broken() {
        let ended = |answer: &[u8]| split_bands(&mut &*answer).expect_err("broken");
        assert_eq!(ended(b"0009\x01unp"), "the answer to the push ends in the middle");
        assert_eq!(ended(&framed(&[b"\x03out of memory\n"])), "out of memory");
        assert_eq!(ended(&framed(&[b"unpack ok\n"])), "the answer to the push is not in bands");
        assert_eq!(ended(&framed(&[b""])), "the answer to the push is not in bands");
        assert!(lines(b"unpack ok").is_err());
    }
}
