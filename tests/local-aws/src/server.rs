//! Serves a world over HTTP/1.1, on the loopback interface only.
