//! Runs a program whose output is progress, and shows its last lines if it fails.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, pipe};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// How many of a failed program's last lines its error shows.
const TAIL_LINES: usize = 30;

/// Runs `command`, passing every line of its output to `line`. Lines that are JSON objects are messages for programs (cargo's
/// `--message-format`), so an error does not show them.
///
/// # Errors
/// If it cannot be started (`missing` says what to do if it does not exist) or fails.
pub fn run(mut command: Command, missing: &str, mut line: impl FnMut(&str)) -> Result<()> {
    let program = command.get_program().display().to_string();
    let (reader, writer) = pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!("{program} is not installed: {missing}"),
        other => other.with_context(|| format!("cannot start {program}"))?,
    };
    let arguments: Vec<_> = command.get_args().map(|argument| argument.display().to_string()).collect();
    // The command owns the pipe's write end; the reader sees the end only once it is closed.
    drop(command);

    let mut tail = VecDeque::with_capacity(TAIL_LINES);
    for text in BufReader::new(reader).lines().map_while(Result::ok) {
        line(&text);
        if text.starts_with('{') {
            continue;
        }
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(text);
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    bail!("`{program} {}` failed ({status}):\n{}", arguments.join(" "), Vec::from(tail).join("\n"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::run;

    #[test]
    fn a_failed_program_shows_its_last_lines_and_a_missing_one_what_to_do() {
        let mut command = Command::new("sh");
        command.args(["-c", "seq 100; echo '{\"reason\":\"x\"}'; echo the reason >&2; exit 3"]);
        let error = run(command, "", |_| ()).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("99\n100\nthe reason"), "{error}");

        let error = run(Command::new("no-such-program-anywhere"), "install it", |_| ()).unwrap_err().to_string();
        assert!(error.ends_with("is not installed: install it"), "{error}");
    }
}
