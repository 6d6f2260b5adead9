//! Bridges one HTTP request to `git http-backend`, the CGI program of the stock git; both ways stream.
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use tokio::io::{AsyncBufReadExt as _, AsyncRead as _, AsyncWriteExt as _, BufReader, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// What one answer carries.
pub(crate) enum Payload {
    /// A text.
    Text(Option<Bytes>),
    /// What `git` writes, as it writes it.
    Git {
        /// Its output, behind the CGI header.
        output: BufReader<ChildStdout>,
        /// Kept, so that the process ends with the answer.
        _child: Box<Child>,
    },
    /// Some bytes, and then others for ever.
    Endless {
        /// What comes first.
        first: Option<Bytes>,
        /// What comes after it, again and again.
        then: Bytes,
    },
}

impl Payload {
    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Endless { first, then } => {
                Poll::Ready(Some(Ok(Frame::data(first.take().unwrap_or_else(|| then.clone())))))
            }
            Self::Git { output, .. } => {
                let mut space = [0; 16 << 10];
                let mut buffer = ReadBuf::new(&mut space);
                Poll::Ready(match ready!(Pin::new(output).poll_read(cx, &mut buffer)) {
                    Ok(()) if buffer.filled().is_empty() => None,
                    Ok(()) => Some(Ok(Frame::data(Bytes::copy_from_slice(buffer.filled())))),
                    Err(error) => Some(Err(error)),
                })
            }
        }
    }
}

/// Hands a request to `git http-backend` for the repositories under `root`.
pub(crate) async fn serve(root: &Path, user: Option<&str>, request: Request<Incoming>) -> Result<Response<Payload>> {
    let (head, body) = request.into_parts();
    let text = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut command = std::process::Command::new("git");
    crate::repository::isolate(&mut command)
        .args(["-c", "http.receivepack=true", "-c", "safe.directory=*", "http-backend"])
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", text(header::CONTENT_TYPE))
        .env("HTTP_CONTENT_ENCODING", text(header::CONTENT_ENCODING))
        .env("GIT_PROTOCOL", text(HeaderName::from_static("git-protocol")))
        .env("REMOTE_ADDR", "127.0.0.1");
    if head.headers.contains_key(header::CONTENT_LENGTH) {
        command.env("CONTENT_LENGTH", text(header::CONTENT_LENGTH));
    }
    if let Some(user) = user {
        command.env("REMOTE_USER", user);
    }
    let mut child = Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .context("running `git http-backend`")?;
    let input = child.stdin.take().context("`git http-backend` has no standard input")?;
    let output = child.stdout.take().context("`git http-backend` has no standard output")?;
    // Beside the answer: git may answer before it has read everything.
    tokio::spawn(feed(body, input));
    answer(child, BufReader::new(output)).await
}

async fn feed(mut body: Incoming, mut input: ChildStdin) {
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        if input.write_all(&data).await.is_err() {
            return;
        }
    }
}

/// Reads the CGI header; what follows it is the body.
async fn answer(child: Child, mut output: BufReader<ChildStdout>) -> Result<Response<Payload>> {
    let mut response = Response::builder();
    let mut line = String::new();
    loop {
        line.clear();
        if output.read_line(&mut line).await? == 0 {
            anyhow::bail!("`git http-backend` ended within its header");
        }
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').context("`git http-backend` wrote a header line without a colon")?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().unwrap_or_default();
            response = response.status(StatusCode::from_bytes(code.as_bytes())?);
        } else {
            response = response.header(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
    }
    Ok(response.body(Payload::Git { output, _child: Box::new(child) })?)
}
