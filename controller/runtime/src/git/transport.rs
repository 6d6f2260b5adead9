//! Gives libgit2 its only way to the network: our own HTTP session.
//!
//! libgit2 is built without HTTPS and SSH. It is given one URL, `tidegate://origin`, which leads to the [`Session`] of
//! the running operation. So it never holds the real URL or the credential, no `insteadOf` of a user's configuration
//! can send it elsewhere, and nothing it prints can name them.
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};

use git2::transport::{self, SmartSubtransport, SmartSubtransportStream, Transport};
use git2::{ConfigLevel, ErrorClass, ErrorCode, opts};

use super::error::{Error, Measure, Reported};
use super::http::{Body, Service, Session};
use super::memory;

/// The URL by which libgit2 knows the remote of the running operation.
pub(super) const URL: &str = "tidegate://origin";
const SCHEME: &str = "tidegate";

/// Bytes that one request may have: negotiation is some kilobytes, and what we push are a few text files.
pub(super) const MAX_REQUEST_BYTES: usize = 8 << 20;

thread_local! {
    /// The operation that this thread is in. libgit2 creates transports on the thread that called it, and hands its
    /// factories nothing of ours.
    static SESSION: RefCell<Option<Arc<Session>>> = const { RefCell::new(None) };
}

/// Runs `work`, in which libgit2 reaches its remote through `session`.
pub(super) fn with_session<T>(session: &Arc<Session>, work: impl FnOnce() -> T) -> T {
    /// Restores what was there, also where `work` unwinds.
    struct Restore(Option<Arc<Session>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SESSION.set(self.0.take());
        }
    }
    let _restore = Restore(SESSION.replace(Some(Arc::clone(session))));
    memory::until(session.deadline(), work)
}

/// Sets libgit2 up, once a process.
///
/// # Errors
/// [`Error::Setup`] where libgit2 refuses; it will then refuse for ever.
pub(super) fn set_up() -> Result<(), Error> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    let done = DONE.get_or_init(|| configure().map_err(|error| error.message().to_owned()));
    done.clone().map_err(|message| Error::Setup { source: Reported(message) })
}

fn configure() -> Result<(), git2::Error> {
    // Both are libgit2's defaults; they are what makes a commit id prove its content.
    opts::strict_hash_verification(true);
    opts::strict_object_creation(true);
    for level in [ConfigLevel::ProgramData, ConfigLevel::System, ConfigLevel::XDG, ConfigLevel::Global] {
        set_no_search_path(level)?;
    }
    memory::bound()?;
    register()
}

#[expect(unsafe_code, reason = "libgit2's search paths are global; `set_up` sets them once, before any other use")]
fn set_no_search_path(level: ConfigLevel) -> Result<(), git2::Error> {
    // SAFETY: must not race with other calls that use the paths. All of ours come after `set_up`, which runs once.
    unsafe { opts::set_search_path(level, "") }
}

#[expect(
    unsafe_code,
    reason = "libgit2's list of transports is global; `set_up` adds to it once, before any other use"
)]
fn register() -> Result<(), git2::Error> {
    // SAFETY: must not race with the creation of transports. All of ours come after `set_up`, which runs once.
    unsafe {
        transport::register(SCHEME, |remote| {
            let session = SESSION.with_borrow(Option::clone).ok_or_else(|| network_error("no operation is running"))?;
            Transport::smart(remote, true, SmartHttp { session })
        })
    }
}

struct SmartHttp {
    session: Arc<Session>,
}

impl SmartSubtransport for SmartHttp {
    fn action(&self, _url: &str, service: transport::Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        Ok(Box::new(match service {
            transport::Service::UploadPackLs => match self.session.advertisement(Service::UploadPack) {
                Ok(body) => Exchange { session: Arc::clone(&self.session), state: State::Answering(body) },
                Err(error) => {
                    self.session.fail(error);
                    return Err(network_error("the server did not list its references"));
                }
            },
            transport::Service::UploadPack => {
                Exchange { session: Arc::clone(&self.session), state: State::Asking { request: Vec::new() } }
            }
            transport::Service::ReceivePackLs | transport::Service::ReceivePack => {
                return Err(network_error("libgit2 only fetches; `push` pushes"));
            }
        }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// One request and its answer. libgit2 writes the request in pieces and tells its end only by reading.
struct Exchange {
    session: Arc<Session>,
    state: State,
}

enum State {
    Asking { request: Vec<u8> },
    Answering(Body),
}

impl Exchange {
    fn end(&self, error: Error) -> io::Error {
        self.session.fail(error);
        io::Error::other("the exchange was ended")
    }
}

impl Read for Exchange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let State::Asking { request } = &self.state {
            let answer = self.session.call(Service::UploadPack, request).map_err(|error| self.end(error))?;
            self.state = State::Answering(answer);
        }
        match &mut self.state {
            State::Answering(body) => body.read(buffer),
            State::Asking { .. } => Ok(0),
        }
    }
}

impl Write for Exchange {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let limit = u64::try_from(MAX_REQUEST_BYTES).unwrap_or(u64::MAX);
        match &mut self.state {
            State::Asking { request } if request.len() + data.len() <= MAX_REQUEST_BYTES => {
                request.extend_from_slice(data);
                Ok(data.len())
            }
            State::Asking { .. } => Err(self.end(Error::TooBig { what: Measure::Upload, limit })),
            State::Answering(_) => Err(io::Error::other("the answer has begun")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn network_error(message: &str) -> git2::Error {
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Net, message)
}

#[cfg(test)]
mod tests {
    use super::{URL, set_up};

    #[test]
    fn outside_an_operation_there_is_no_way_to_the_network() {
        set_up().expect("libgit2");
        let mut remote = git2::Remote::create_detached(URL).expect("a remote");
        assert!(remote.connect(git2::Direction::Fetch).is_err());
    }
}
