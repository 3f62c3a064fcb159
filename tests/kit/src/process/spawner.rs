//! Starts children from a thread that lives while the process does: one for each network that the process has entered, since a
//! child is on the network of the thread that starts it.
//!
//! Linux sends the parent-death signal when the *thread* that forked ends, not the process. A test's thread ends with
//! its test and a runtime's worker with its runtime; children that several tests share must outlive both.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError, mpsc};
use std::{fs, io, thread};

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

type Job = (Command, mpsc::Sender<io::Result<Child>>);

/// The threads by their networks.
static JOBS: Mutex<BTreeMap<u64, mpsc::Sender<Job>>> = Mutex::new(BTreeMap::new());

/// Spawns `command` on this thread's network so that the child gets SIGKILL when this process ends.
pub(super) fn spawn(mut command: Command) -> io::Result<Child> {
    die_with_parent(&mut command);
    command.process_group(0);
    let (sender, child) = mpsc::channel();
    // A new thread is on the network of the one that starts it.
    let network = fs::metadata("/proc/thread-self/ns/net")?.ino();
    let jobs = JOBS.lock().unwrap_or_else(PoisonError::into_inner).entry(network).or_insert_with(start_thread).clone();
    jobs.send((command, sender)).map_err(io::Error::other)?;
    child.recv().map_err(io::Error::other)?
}

fn start_thread() -> mpsc::Sender<Job> {
    let (sender, jobs) = mpsc::channel::<Job>();
    thread::spawn(move || {
        for (mut command, child) in jobs {
            // The receiver may be gone; the child then ends with the process.
            let _ = child.send(command.spawn());
        }
    });
    sender
}

fn die_with_parent(command: &mut Command) {
    let parent: Pid = getpid();
    let prepare = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        // If the parent died between fork and prctl, no signal will come.
        if getppid() == parent { Ok(()) } else { Err(io::Error::from(Errno::ESRCH)) }
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes the system calls prctl
    // and getppid and builds errors from numbers: it neither allocates nor locks.
    #[allow(unsafe_code, reason = "std offers no safe way to set a parent-death signal")]
    unsafe {
        command.pre_exec(prepare);
    }
}
