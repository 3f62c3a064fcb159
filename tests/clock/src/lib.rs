//! A wall clock that a test can set, for one process alone: `LD_PRELOAD` puts this library before libc, and it answers
//! `clock_gettime(CLOCK_REALTIME)` in libc's place, with an offset that it reads from a file shared with the test.
//!
//! The file, named by `ONCEWAY_CLOCK_OFFSET`, holds one native-endian `i64`: nanoseconds to be added. It is mapped into
//! memory, so that a jump is seen by the next call. All other clocks, the monotonic one above all, go on as they are.
//! Without the variable, or without such a file, every clock tells the truth.

use std::env;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use libc::{CLOCK_REALTIME, MAP_FAILED, MAP_SHARED, PROT_READ, SYS_clock_gettime, c_int, clockid_t, timespec};

/// Names the file with the offset.
const VARIABLE: &str = "ONCEWAY_CLOCK_OFFSET";
const SECOND_NS: i64 = 1_000_000_000;

/// As libc's function of this name.
///
/// # Safety
/// As libc's: `time` points to a `timespec` that may be written, or the call fails with EFAULT.
#[allow(unsafe_code, reason = "a C function is taken the place of: it has a C function's name and arguments")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: the kernel checks both arguments. The system call itself, since libc's own function is not to be had under
    // its name any more.
    let result = unsafe { libc::syscall(SYS_clock_gettime, clock, time) };
    if result == 0 && clock == CLOCK_REALTIME {
        // SAFETY: the kernel has just written it, and the caller has lent it to us until we return.
        shift(unsafe { &mut *time }, offset_ns());
    }
    // 0 or -1, which fit.
    result as c_int
}

/// What is to be added now, in nanoseconds.
fn offset_ns() -> i64 {
    static OFFSET: OnceLock<Option<&AtomicI64>> = OnceLock::new();
    OFFSET.get_or_init(map).map_or(0, |offset| offset.load(Ordering::Relaxed))
}

/// Maps the file, for as long as the process lives. Asks no clock on its way, which would not end.
fn map() -> Option<&'static AtomicI64> {
    let file = File::open(env::var_os(VARIABLE)?).ok()?;
    let bytes = size_of::<AtomicI64>();
    if file.metadata().ok()?.len() < bytes as u64 {
        return None;
    }
    #[allow(unsafe_code, reason = "there is no safe way to share memory with another process")]
    // SAFETY: the kernel chooses the address, so that no memory of ours is replaced. The mapping is never undone, is aligned
    // to a page, and covers an `AtomicI64` that the file is long enough for; the test never shortens it.
    unsafe {
        let address = libc::mmap(ptr::null_mut(), bytes, PROT_READ, MAP_SHARED, file.as_raw_fd(), 0);
        if address == MAP_FAILED { None } else { address.cast::<AtomicI64>().cast_const().as_ref() }
    }
}

fn shift(time: &mut timespec, offset_ns: i64) {
    let nanoseconds = time.tv_nsec + offset_ns % SECOND_NS;
    time.tv_sec += offset_ns / SECOND_NS + nanoseconds.div_euclid(SECOND_NS);
    time.tv_nsec = nanoseconds.rem_euclid(SECOND_NS);
}
