//! Keeps Envoy's worker busy at minimal cost: requests are prepared in advance, and of a response only the status and the
//! length are parsed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use onceway_signal::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep_until, timeout};

use super::cpu::Cpu;

/// How long requests are sent before the measurement starts.
const WARM_UP: Duration = Duration::from_millis(200);
/// The maximum wait for the last responses.
const PATIENCE: Duration = Duration::from_secs(10);
/// The initial size of the read buffer.
const READ_BYTES: usize = 64 * 1024;

/// The requests to send, and for how long.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) addr: SocketAddr,
    /// Serialized requests, sent in turn.
    pub(super) requests: Arc<[Vec<u8>]>,
    /// The expected status of each response.
    pub(super) status: u16,
    pub(super) connections: usize,
    pub(super) time: Duration,
    /// The process whose CPU time is measured.
    pub(super) pid: i32,
}

pub(super) const RATE: &str = "requests/s";
/// The rate that the worker would reach if it never waited for a core.
pub(super) const RATE_OF_A_CORE: &str = "requests per CPU second";
pub(super) const CPU: &str = "CPU us per request";
pub(super) const BUSY: &str = "worker busy";
pub(super) const WAITING: &str = "worker waiting for a core";

/// The measured usage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) requests: u64,
    pub(super) time: Duration,
    pub(super) cpu: Cpu,
}

impl Usage {
    /// The metrics.
    pub(super) fn values(self) -> [(&'static str, f64); 5] {
        let (requests, time) = (self.requests as f64, self.time.as_nanos() as f64);
        [
            (RATE, requests / time * 1e9),
            (RATE_OF_A_CORE, requests / self.cpu.worker as f64 * 1e9),
            (CPU, self.cpu.all as f64 / requests / 1e3),
            (BUSY, self.cpu.worker as f64 / time),
            (WAITING, self.cpu.waited as f64 / time),
        ]
    }
}

/// The HTTP/1.1 request that Alertmanager sends for `body`.
pub(super) fn request(body: &str) -> Vec<u8> {
    format!(
        "POST {} HTTP/1.1\r\nHost: onceway.example:10000\r\nUser-Agent: Alertmanager/0.28.1\r\nContent-Length: {}\r\n\
         Content-Type: application/json\r\n\r\n{body}",
        Source::Prometheus.path(),
        body.len()
    )
    .into_bytes()
}

impl Load {
    /// Sends and measures, on a separate thread.
    ///
    /// # Errors
    /// If a connection fails, a response has another status, or none arrives in time.
    pub(super) async fn run(self) -> Result<Usage> {
        tokio::task::spawn_blocking(move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let limit = WARM_UP + self.time + PATIENCE;
            runtime.block_on(async { timeout(limit, self.measure()).await })?
        })
        .await?
    }

    async fn measure(&self) -> Result<Usage> {
        let begin = Instant::now() + WARM_UP;
        let end = begin + self.time;
        let metering = async {
            sleep_until(begin).await;
            let (began, before) = (Instant::now(), Cpu::of(self.pid)?);
            sleep_until(end).await;
            Ok((began.elapsed(), Cpu::of(self.pid)?.since(before)))
        };
        let connections = try_join_all((0..self.connections).map(|first| self.connection(first, begin, end)));
        let (counts, (time, cpu)) = tokio::try_join!(connections, metering)?;
        Ok(Usage { requests: counts.iter().sum(), time, cpu })
    }

    /// Sends one request after the other over one connection; returns the number of responses within the measured time.
    async fn connection(&self, first: usize, begin: Instant, end: Instant) -> Result<u64> {
        let mut stream = TcpStream::connect(self.addr).await.context("cannot connect to Envoy")?;
        stream.set_nodelay(true)?;
        let (mut response, mut counted) = (Vec::with_capacity(READ_BYTES), 0);
        for request in self.requests.iter().cycle().skip(first) {
            stream.write_all(request).await?;
            let status = read_response(&mut stream, &mut response).await?;
            ensure!(status == self.status, "{status} instead of {}: {}", self.status, beginning(&response));
            let now = Instant::now();
            if now >= end {
                break;
            }
            counted += u64::from(now >= begin);
        }
        Ok(counted)
    }
}

/// The beginning of an unexpected response, for the error.
fn beginning(response: &[u8]) -> String {
    String::from_utf8_lossy(response).chars().take(1000).collect()
}

/// Reads one response, which must have a content-length; returns its status.
async fn read_response(stream: &mut TcpStream, response: &mut Vec<u8>) -> Result<u16> {
    response.clear();
    loop {
        ensure!(stream.read_buf(response).await? > 0, "Envoy closed a connection");
        if let Some(head) = Head::parse(response) {
            while response.len() < head.whole {
                ensure!(stream.read_buf(response).await? > 0, "Envoy closed a connection");
            }
            return Ok(head.status);
        }
    }
}

/// A response's head.
struct Head {
    status: u16,
    /// The length of head and body together.
    whole: usize,
}

impl Head {
    /// Parses it; `None` while it is incomplete.
    fn parse(response: &[u8]) -> Option<Self> {
        let end = response.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let text = std::str::from_utf8(&response[..end]).ok()?;
        let status = text.get(9..12)?.parse().ok()?;
        let length = text.split("\r\n").find_map(|line| line.strip_prefix("content-length: "))?;
        Some(Self { status, whole: end + length.parse::<usize>().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::Head;

    #[test]
    fn a_response_ends_at_its_content_length() {
        let response = b"HTTP/1.1 207 Multi-Status\r\ncontent-length: 5\r\nserver: envoy\r\n\r\nhello";
        let head = Head::parse(response).unwrap();
        assert_eq!((head.status, head.whole), (207, response.len()));
        assert!(Head::parse(&response[..40]).is_none());
    }
}
