//! Carries requests to a remote in this process, in place of the network: tests answer from a repository of theirs.
use std::fmt;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use http::{Request, Response};

/// One request in; its answer, or a broken connection, out.
type Answer = dyn Fn(Request<&[u8]>) -> io::Result<Response<Vec<u8>>> + Send + Sync;

/// Who answers the requests of smart HTTP.
#[derive(Clone)]
pub struct Exchange(Arc<Answer>);

impl Exchange {
    /// Answers each request with what `answer` says.
    pub fn new(answer: impl Fn(Request<&[u8]>) -> io::Result<Response<Vec<u8>>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }

    pub(super) fn answer(&self, request: Request<&[u8]>) -> io::Result<Response<Box<dyn Read + Send>>> {
        let answer = (self.0)(request)?;
        Ok(answer.map(|body| Box::new(Cursor::new(body)) as Box<dyn Read + Send>))
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange")
    }
}
