//! A request, as a test writes it down.

use super::proxy::Headers;

/// A request. Without further words it has no body.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names and values, pseudo-headers first.
    pub headers: Headers,
    /// The body, as it arrives.
    pub chunks: Vec<Vec<u8>>,
    /// Whether trailers end it, and not its last chunk.
    pub trailers: bool,
    /// Whether the client resets the stream after its last chunk, with no end of stream.
    pub hangs_up: bool,
    /// Whether the client resets the stream after the whole request, while the filter waits for its own requests.
    pub leaves: bool,
}

impl Request {
    /// A request of any method.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Request {
        let headers = Vec::new();
        let request = Request { headers, chunks: Vec::new(), trailers: false, hangs_up: false, leaves: false };
        request.header(":method", method).header(":path", path).header(":authority", "onceway")
    }

    /// A `POST` of JSON.
    #[must_use]
    pub fn post(path: &str) -> Request {
        Request::new("POST", path).header("content-type", "application/json")
    }

    /// Adds a header; a name can be added more than once.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Request {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// The whole body in one piece, with its `content-length`.
    #[must_use]
    pub fn body(self, body: impl AsRef<[u8]>) -> Request {
        let length = body.as_ref().len().to_string();
        self.header("content-length", length).chunks([body])
    }

    /// The body in pieces, without a `content-length`. The last piece ends the request, unless there are trailers. An empty
    /// last piece is what Envoy announces where a body's end comes by itself.
    #[must_use]
    pub fn chunks(mut self, chunks: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Request {
        self.chunks = chunks.into_iter().map(|chunk| chunk.as_ref().to_vec()).collect();
        self
    }

    /// Ends the request with trailers.
    #[must_use]
    pub fn trailers(mut self) -> Request {
        self.trailers = true;
        self
    }

    /// The client goes away after it has sent all, while the filter waits for replies to its own requests.
    #[must_use]
    pub fn leaves(mut self) -> Request {
        self.leaves = true;
        self
    }

    /// The client goes away after what it has sent, before the request's end.
    #[must_use]
    pub fn hangs_up(mut self) -> Request {
        self.hangs_up = true;
        self
    }
}
