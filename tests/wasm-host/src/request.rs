//! A request as a test describes it.

use super::proxy::Headers;

/// A request; without a body unless one is added.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names and values, pseudo-headers first.
    pub headers: Headers,
    /// The body, as it arrives.
    pub chunks: Vec<Vec<u8>>,
    /// Whether trailers end it, and not its last chunk.
    pub trailers: bool,
    /// The client disconnects before the request is complete.
    pub hangs_up: bool,
    /// The client disconnects while sub-requests are in flight.
    pub leaves: bool,
    /// When the client leaves, the proxy cancels the sub-requests in flight.
    pub cancels: bool,
}

impl Request {
    /// A request of any method.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Request {
        let request = Request {
            headers: Vec::new(),
            chunks: Vec::new(),
            trailers: false,
            hangs_up: false,
            leaves: false,
            cancels: false,
        };
        request.header(":method", method).header(":path", path).header(":authority", "onceway")
    }

    /// A `POST` of JSON.
    #[must_use]
    pub fn post(path: &str) -> Request {
        Request::new("POST", path).header("content-type", "application/json")
    }

    /// Adds a header; names may repeat.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Request {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// The whole body in one chunk, with its `content-length`.
    #[must_use]
    pub fn body(self, body: impl AsRef<[u8]>) -> Request {
        let length = body.as_ref().len().to_string();
        self.header("content-length", length).chunks([body])
    }

    /// The body in chunks, without a `content-length`. The last chunk ends the request unless there are trailers; an empty
    /// last chunk is how Envoy announces an end that arrives separately.
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

    /// The client disconnects after the complete request, while sub-requests are in flight. The proxy still delivers their
    /// responses, though the request's context is gone.
    #[must_use]
    pub fn leaves(mut self) -> Request {
        self.leaves = true;
        self
    }

    /// Like [`Request::leaves`], but the proxy cancels the sub-requests in flight and delivers nothing, as Envoy does.
    #[must_use]
    pub fn leaves_and_cancels(mut self) -> Request {
        self.cancels = true;
        self.leaves()
    }

    /// The client disconnects after what is described, before the request is complete.
    #[must_use]
    pub fn hangs_up(mut self) -> Request {
        self.hangs_up = true;
        self
    }
}
