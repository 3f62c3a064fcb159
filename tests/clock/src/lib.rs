//! A wall clock that a test can set for one process. `LD_PRELOAD` loads this library before libc, and it replaces
//! libc's `clock_gettime`: for `CLOCK_REALTIME` it adds an offset from a file that it shares with the test.
//!
//! `ONCEWAY_CLOCK_OFFSET` names the file, which holds one native-endian `i64`: nanoseconds to add. It is mapped into
//! memory, so the next call sees a change. All other clocks, the monotonic one included, are unchanged. Without the
//! variable or the file the offset is 0.

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

/// Replaces libc's function of this name.
///
/// # Safety
/// As libc's: `time` points to a writable `timespec`, or the call fails with EFAULT.
#[allow(unsafe_code, reason = "replaces a C function, so it needs its name and signature")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: the kernel checks both arguments. This is the system call, because libc's function has the name of this
    // one.
    let result = unsafe { libc::syscall(SYS_clock_gettime, clock, time) };
    if result == 0 && clock == CLOCK_REALTIME {
        // SAFETY: the kernel has just written to it, so it is valid, and the caller gives exclusive access until the
        // return.
        shift(unsafe { &mut *time }, offset_ns());
    }
    // 0 or -1, so the cast loses nothing.
    result as c_int
}

/// The current offset, in nanoseconds.
fn offset_ns() -> i64 {
    static OFFSET: OnceLock<Option<&AtomicI64>> = OnceLock::new();
    OFFSET.get_or_init(map).map_or(0, |offset| offset.load(Ordering::Relaxed))
}

/// Maps the file for the lifetime of the process. It must not call a clock: that would recurse without end.
fn map() -> Option<&'static AtomicI64> {
    let file = File::open(env::var_os(VARIABLE)?).ok()?;
    let bytes = size_of::<AtomicI64>();
    if file.metadata().ok()?.len() < bytes as u64 {
        return None;
    }
    #[allow(unsafe_code, reason = "shared memory with another process has no safe API")]
    // SAFETY: the kernel chooses the address, so no other mapping is replaced. The mapping is never removed, is
    // page-aligned, and the file is long enough for an `AtomicI64`; the test never shortens it.
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
