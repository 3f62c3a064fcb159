//! The table's mutex and the spawn of a task: std's and tokio's. In the tests of `interleavings.rs` shuttle's replace them,
//! and shuttle's scheduler decides who runs next at each lock, spawn and wake.

#[cfg(test)]
pub(super) use self::scheduled::{Mutex, MutexGuard, schedule, spawn};

#[cfg(not(test))]
pub(super) use std::sync::{Mutex, MutexGuard};

#[cfg(not(test))]
use tokio_util::task::TaskTracker;

/// Starts a task that `tracker` waits for.
#[cfg(not(test))]
pub(super) fn spawn(tracker: &TaskTracker, task: impl Future<Output = ()> + Send + 'static) {
    tracker.spawn(task);
}

/// Both in one test binary: most tests run on tokio, some under shuttle's scheduler.
#[cfg(test)]
mod scheduled {
    use std::cell::Cell;
    use std::ops::{Deref, DerefMut};
    use std::sync::{LockResult, PoisonError};

    use tokio_util::task::TaskTracker;

    thread_local! {
        static SCHEDULED: Cell<bool> = const { Cell::new(false) };
    }

    /// Mutexes and tasks that `run` creates on this thread are scheduled by shuttle.
    pub(in crate::incident_tasks) fn schedule<T>(run: impl FnOnce() -> T) -> T {
        SCHEDULED.set(true);
        let result = run();
        SCHEDULED.set(false);
        result
    }

    pub(in crate::incident_tasks) fn spawn(tracker: &TaskTracker, task: impl Future<Output = ()> + Send + 'static) {
        if SCHEDULED.get() {
            shuttle::future::spawn(tracker.track_future(task));
        } else {
            tracker.spawn(task);
        }
    }

    pub(in crate::incident_tasks) enum Mutex<T> {
        Std(std::sync::Mutex<T>),
        Shuttle(shuttle::sync::Mutex<T>),
    }

    pub(in crate::incident_tasks) enum MutexGuard<'a, T> {
        Std(std::sync::MutexGuard<'a, T>),
        Shuttle(shuttle::sync::MutexGuard<'a, T>),
    }

    impl<T> Mutex<T> {
        pub(in crate::incident_tasks) fn new(value: T) -> Self {
            if SCHEDULED.get() {
                Self::Shuttle(shuttle::sync::Mutex::new(value))
            } else {
                Self::Std(std::sync::Mutex::new(value))
            }
        }

        pub(in crate::incident_tasks) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            match self {
                Self::Std(mutex) => either(mutex.lock(), MutexGuard::Std),
                Self::Shuttle(mutex) => either(mutex.lock(), MutexGuard::Shuttle),
            }
        }
    }

    fn either<G, H>(locked: LockResult<G>, into: impl Fn(G) -> H) -> LockResult<H> {
        match locked {
            Ok(guard) => Ok(into(guard)),
            Err(poisoned) => Err(PoisonError::new(into(poisoned.into_inner()))),
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            match self {
                Self::Std(guard) => guard,
                Self::Shuttle(guard) => guard,
            }
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            match self {
                Self::Std(guard) => guard,
                Self::Shuttle(guard) => guard,
            }
        }
    }
}
