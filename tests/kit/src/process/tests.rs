use std::process::Command;
use std::thread;
use std::time::Duration;

use super::{Process, is_of_a_test};
use crate::scratch::Scratch;

const LIMIT: Duration = Duration::from_secs(60);

fn shell(scratch: &Scratch, script: &str) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Process::spawn("sh", command, &scratch.path().join("sh.log")).unwrap()
}

fn state_of(process: &Process) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap();
    stat.rsplit(") ").next().unwrap().chars().next().unwrap()
}

#[tokio::test]
async fn a_killed_process_is_reaped_and_later_signals_are_ignored() {
    let scratch = Scratch::new("process").unwrap();
    let process = shell(&scratch, "exec sleep 600");
    process.kill();
    let status = process.wait(LIMIT).await.unwrap();
    assert_eq!(status.code(), None);
    assert!(!process.is_running());
    process.kill();
}

#[tokio::test]
async fn a_frozen_process_is_stopped_until_it_is_thawed() {
    let scratch = Scratch::new("process").unwrap();
    let process = shell(&scratch, "exec sleep 600");
    process.freeze();
    process.until_ready(LIMIT, async || state_of(&process) == 'T').await.unwrap();
    process.thaw();
    process.until_ready(LIMIT, async || state_of(&process) == 'S').await.unwrap();
}

#[tokio::test]
async fn a_process_that_ends_before_it_is_ready_is_an_error_with_its_last_lines() {
    let scratch = Scratch::new("process").unwrap();
    let process = shell(&scratch, "echo the reason >&2; exit 3");
    let error = process.until_ready(LIMIT, async || false).await.unwrap_err().to_string();
    assert!(error.contains("the reason"), "{error}");
    assert!(error.contains("exit status: 3"), "{error}");
}

#[test]
fn a_tests_thread_is_recognised_by_its_name() {
    assert!(is_of_a_test(&thread::current()));
    let worker = thread::Builder::new().name("main".into()).spawn(|| is_of_a_test(&thread::current()));
    assert!(!worker.unwrap().join().unwrap());
}

#[tokio::test]
async fn dropping_the_handle_ends_the_process() {
    let scratch = Scratch::new("process").unwrap();
    let process = shell(&scratch, "exec sleep 600");
    let mut exit = process.exit.clone();
    drop(process);
    tokio::time::timeout(LIMIT, exit.wait_for(Option::is_some)).await.unwrap().unwrap();
}
