//! Serves a world over HTTP/1.1, on the loopback interface only.
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::{LocalAws, control};

/// A world that is being served; dropping it closes the port and every connection.
#[derive(Debug)]
pub struct Server {
    accepting: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves `aws` on `127.0.0.1:port`; port 0 takes a free one. From then on functions of this world are given the address
/// as `AWS_ENDPOINT_URL`.
///
/// # Errors
/// Where the port cannot be bound.
pub async fn serve(aws: LocalAws, port: u16) -> io::Result<(SocketAddr, Server)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    aws.set_endpoint(format!("http://{address}"));
    let accepting = tokio::spawn(accept(aws, listener)).abort_handle();
    Ok((address, Server { accepting }))
}

async fn accept(aws: LocalAws, listener: TcpListener) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(converse(aws.clone(), stream));
            }
            // Out of file descriptors: the connections that end will give some back.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(aws: LocalAws, stream: TcpStream) {
    // Small answers must not wait for the acknowledgement of the ones before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| respond(&aws, request));
    let mut connection = hyper::server::conn::http1::Builder::new();
    connection.timer(TokioTimer::new());
    // An error is a client that went away, or a connection that a fault has broken: nobody is left to be told.
    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
}

/// An error makes hyper close the connection without an answer.
async fn respond(
    aws: &LocalAws,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let request = http::Request::from_parts(head, body.collect().await?.to_bytes());
    let answer = match control::answer(aws, &request) {
        Some(answer) => answer,
        None => aws.handle(request).await?,
    };
    Ok(answer.map(Full::new))
}
