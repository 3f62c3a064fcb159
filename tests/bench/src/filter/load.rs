//! Keeps Envoy's worker busy for a while, at as little cost as can be: requests are made before, and of an answer no more
//! is read than where it ends and what its status is.

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

/// How long requests are sent before what they take is measured.
const WARM_UP: Duration = Duration::from_millis(200);
/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of an answer is read at once.
const READ_BYTES: usize = 64 * 1024;

/// What to send, and for how long.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) addr: SocketAddr,
    /// Requests as they stand on the wire, sent in turn.
    pub(super) requests: Arc<[Vec<u8>]>,
    /// The status that each answer has.
    pub(super) status: u16,
    pub(super) connections: usize,
    pub(super) time: Duration,
    /// The process whose time is taken.
    pub(super) pid: i32,
}

pub(super) const RATE: &str = "requests/s";
/// What the rate would be if the worker never had to wait for a core.
pub(super) const RATE_OF_A_CORE: &str = "requests per CPU second";
pub(super) const CPU: &str = "CPU us per request";
pub(super) const BUSY: &str = "worker busy";
pub(super) const WAITING: &str = "worker waiting for a core";

/// What it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) requests: u64,
    pub(super) time: Duration,
    pub(super) cpu: Cpu,
}

impl Taken {
    /// As what is measured.
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

/// `body` as a request to where Alertmanager sends it, as Alertmanager words it.
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
    /// Sends, and measures, on a thread of its own.
    ///
    /// # Errors
    /// If a connection fails, or an answer is not as expected or does not come.
    pub(super) async fn run(self) -> Result<Taken> {
        tokio::task::spawn_blocking(move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let limit = WARM_UP + self.time + PATIENCE;
            runtime.block_on(async { timeout(limit, self.measure()).await })?
        })
        .await?
    }

    async fn measure(&self) -> Result<Taken> {
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
        Ok(Taken { requests: counts.iter().sum(), time, cpu })
    }

    /// Sends one request after the other over one connection; how many were answered in the time that is measured.
    async fn connection(&self, first: usize, begin: Instant, end: Instant) -> Result<u64> {
        let mut stream = TcpStream::connect(self.addr).await.context("Envoy takes no connection")?;
        stream.set_nodelay(true)?;
        let (mut answer, mut counted) = (Vec::with_capacity(READ_BYTES), 0);
        for request in self.requests.iter().cycle().skip(first) {
            stream.write_all(request).await?;
            let status = read_answer(&mut stream, &mut answer).await?;
            ensure!(status == self.status, "{status} instead of {}: {}", self.status, beginning(&answer));
            let now = Instant::now();
            if now >= end {
                break;
            }
            counted += u64::from(now >= begin);
        }
        Ok(counted)
    }
}

/// What is shown of an answer that is not as expected.
fn beginning(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).chars().take(1000).collect()
}

/// Reads one answer, which has a length; its status.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<u16> {
    answer.clear();
    loop {
        ensure!(stream.read_buf(answer).await? > 0, "Envoy closed a connection");
        if let Some(head) = Head::parse(answer) {
            while answer.len() < head.whole {
                ensure!(stream.read_buf(answer).await? > 0, "Envoy closed a connection");
            }
            return Ok(head.status);
        }
    }
}

/// An answer's head.
struct Head {
    status: u16,
    /// How long head and body are together.
    whole: usize,
}

impl Head {
    /// Reads it, once it is there.
    fn parse(answer: &[u8]) -> Option<Self> {
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let text = std::str::from_utf8(&answer[..end]).ok()?;
        let status = text.get(9..12)?.parse().ok()?;
        let length = text.split("\r\n").find_map(|line| line.strip_prefix("content-length: "))?;
        Some(Self { status, whole: end + length.parse::<usize>().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::Head;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let answer = b"HTTP/1.1 207 Multi-Status\r\ncontent-length: 5\r\nserver: envoy\r\n\r\nhello";
        let head = Head::parse(answer).unwrap();
        assert_eq!((head.status, head.whole), (207, answer.len()));
        assert!(Head::parse(&answer[..40]).is_none());
    }
}
