//! A Git server that answers what a target says, byte for byte: the real client reads it over a real connection.
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tidegate_runtime::git::{Limits, Remote};

/// What the server answers.
#[derive(Clone, Debug, Default)]
pub struct Says {
    /// To the question for its references.
    pub references: Vec<u8>,
    /// To the question for a pack.
    pub pack: Vec<u8>,
}

static SAYS: Mutex<Option<Arc<Says>>> = Mutex::new(None);

static HOST: LazyLock<SocketAddr> = LazyLock::new(|| {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        // A client that goes away in the middle is no failure of the server.
        listener.incoming().flatten().for_each(|stream| drop(serve(stream)));
    });
    address
});

/// The branch `main` of a server that says this.
#[must_use]
pub fn remote(says: Says) -> Remote {
    *SAYS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(says));
    Remote::new(&format!("http://{}/r.git", *HOST), "main").expect("a remote")
}

/// As shipped, with less time.
#[must_use]
pub fn limits() -> Limits {
    Limits { timeout: Duration::from_secs(10), ..Limits::default() }
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    let mut buffer = [0; 8 << 10];
    while !is_whole(&request) {
        match stream.read(&mut buffer)? {
            0 => break,
            read => request.extend_from_slice(&buffer[..read]),
        }
    }
    let says = SAYS.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
    let (kind, body) = match request.starts_with(b"GET") {
        true => ("advertisement", &says.references[..]),
        // A client that fetches to a depth asks for the boundary first: there is none.
        false if !request.ends_with(b"done\n") => ("result", &b"0000"[..]),
        false => ("result", &says.pack[..]),
    };
    if body.starts_with(b"HTTP/") {
        return stream.write_all(body);
    }
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-{kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

/// Whether the head is there, and as much of a body as it says.
fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    request.len() >= end + 4 + length.unwrap_or_default()
}

/// A packet of Git's framing.
#[must_use]
pub fn packet(payload: &[u8]) -> Vec<u8> {
    [format!("{:04x}", payload.len() + 4).as_bytes(), payload].concat()
}

/// The list of references of a server whose branch `main` is at this commit.
#[must_use]
pub fn references(commit: &str) -> Vec<u8> {
    let first = format!("{commit} HEAD\0shallow ofs-delta symref=HEAD:refs/heads/main agent=git/fuzz\n");
    let main = format!("{commit} refs/heads/main\n");
    let parts = [packet(b"# service=git-upload-pack\n"), b"0000".to_vec(), packet(first.as_bytes())];
    [parts.concat(), packet(main.as_bytes()), b"0000".to_vec()].concat()
}

/// The answer that brings a pack.
#[must_use]
pub fn result(pack: &[u8]) -> Vec<u8> {
    [&packet(b"NAK\n"), pack].concat()
}
