//! Processes end with the test process even if that is killed and cannot clean up.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use onceway_kit::process::Process;
use onceway_kit::scratch::Scratch;

/// Where the inner process writes its child's id; only the outer test sets it.
const PID_FILE: &str = "ONCEWAY_TEST_PID_FILE";
const LIMIT: Duration = Duration::from_secs(60);

/// Not a test of its own: the process that [`a_killed_test_process_takes_its_children_with_it`] kills.
#[tokio::test]
async fn inner_process_with_a_child() -> Result<()> {
    let Ok(pid_file) = std::env::var(PID_FILE) else { return Ok(()) };
    let pid_file = Path::new(&pid_file);
    let mut sleep = Command::new("sleep");
    sleep.arg("600");
    // Spawned on a thread that ends at once: the child must outlive the thread.
    let log = pid_file.with_extension("inner.log");
    let child = std::thread::spawn(move || Process::spawn("sleep", sleep, &log)).join().unwrap()?;
    std::fs::write(pid_file.with_extension("tmp"), child.pid().to_string())?;
    std::fs::rename(pid_file.with_extension("tmp"), pid_file)?;
    child.exited().await;
    Ok(())
}

#[tokio::test]
async fn a_killed_test_process_takes_its_children_with_it() -> Result<()> {
    let scratch = Scratch::new("orphans")?;
    let pid_file = scratch.path().join("pid");
    let mut inner = Command::new(std::env::current_exe()?);
    inner.args(["--exact", "process::inner_process_with_a_child", "--nocapture"]).env(PID_FILE, &pid_file);
    let inner = Process::spawn("inner test process", inner, &scratch.path().join("inner.log"))?;
    inner.until_ready(LIMIT, async || pid_file.exists()).await?;
    let child: u32 = std::fs::read_to_string(&pid_file)?.parse()?;
    assert!(is_alive(child));

    inner.kill();
    inner.wait(LIMIT).await?;
    let gone = async {
        while is_alive(child) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.context("the child outlives its killed parent")
}

fn is_alive(pid: u32) -> bool {
    // A process that ended and is not reaped yet is a zombie (Z).
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
