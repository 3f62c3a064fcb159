//! Chromium's DevTools protocol over the browser's pipe: JSON objects, each ended by a NUL.
//!
//! A client of our own, because it is this short: the crates for the protocol compile all of its thousands of types, of which
//! we use a dozen, and need a WebSocket. The pipe opens no port, and the browser ends with it.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use onceway_kit::scratch::Scratch;
use onceway_tools::Tool;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long the browser may take for one call, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Events that are kept until they are asked for.
const MAX_EVENTS: usize = 100_000;
/// The browser reads commands from descriptor 3 and writes to 4, which a shell can set without unsafe code.
const WITH_PIPE: &str = r#"exec "$0" "$@" 3<&0 4>&1 1>&2 </dev/null"#;
const ARGUMENTS: [&str; 7] = [
    "--remote-debugging-pipe",
    "--headless",
    // Tests run as root, and in containers, where its sandbox cannot work; it shows our own page alone.
    "--no-sandbox",
    "--no-zygote",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
];

/// A browser, and its pipe.
pub struct DevTools {
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    calls: u64,
    events: Vec<Value>,
    // Ends the browser, then its profile goes.
    _browser: Child,
    _profile: Scratch,
}

impl DevTools {
    /// Starts a browser with a profile of its own.
    ///
    /// # Errors
    /// If there is no Chromium, or it does not start.
    pub async fn start() -> Result<Self> {
        // Blocks, and fetches it if need be; `cargo xtask test` has done so before.
        let chromium = tokio::task::spawn_blocking(|| Tool::Chromium.get()).await??;
        let profile = Scratch::new("chromium")?;
        let beside = chromium.parent().context("the program is in no directory")?;
        let mut browser = Command::new("sh");
        browser.args(["-c", WITH_PIPE]).arg(&chromium).args(ARGUMENTS);
        browser.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        browser.env("HOME", profile.path()).env("XDG_CACHE_HOME", profile.path().join("cache"));
        if beside.join("fonts.conf").is_file() {
            browser.env("FONTCONFIG_FILE", beside.join("fonts.conf")).env("LD_LIBRARY_PATH", beside.join("lib"));
        }
        browser.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut browser = browser.spawn().context("cannot start sh, which starts Chromium")?;
        let commands = browser.stdin.take().context("no pipe to the browser")?;
        let answers = BufReader::new(browser.stdout.take().context("no pipe from the browser")?);
        Ok(Self { commands, answers, calls: 0, events: Vec::new(), _browser: browser, _profile: profile })
    }

    /// Calls a method, of a session if one is named; returns its result.
    ///
    /// # Errors
    /// If the browser refuses the call, takes too long, or has ended.
    pub async fn call(&mut self, session: Option<&str>, method: &str, parameters: Value) -> Result<Value> {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            call["sessionId"] = json!(session);
        }
        let mut message = serde_json::to_vec(&call)?;
        message.push(0);
        let answer = async {
            self.commands.write_all(&message).await?;
            loop {
                let message = receive(&mut self.answers).await?;
                if message["id"] == json!(id) {
                    return anyhow::Ok(message);
                }
                ensure!(self.events.len() < MAX_EVENTS, "the browser sent more than {MAX_EVENTS} events");
                self.events.push(message);
            }
        };
        let answer = timeout(LIMIT, answer).await.with_context(|| format!("no answer to {method} in {LIMIT:?}"))?;
        let mut answer = answer.with_context(|| format!("cannot call {method}"))?;
        if !answer["error"].is_null() {
            bail!("{method}: {}", answer["error"]);
        }
        Ok(answer["result"].take())
    }

    /// The parameters of all events of this method that came so far.
    #[must_use]
    pub fn events(&self, method: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["method"] == method).map(|event| &event["params"]).collect()
    }
}

async fn receive(answers: &mut BufReader<ChildStdout>) -> Result<Value> {
    let mut message = Vec::new();
    answers.read_until(0, &mut message).await?;
    ensure!(message.pop() == Some(0), "the browser has ended; is a library that it needs missing? Try it by hand");
    Ok(serde_json::from_slice(&message)?)
}
