//! Garbage collection (GC) off the request's path, in every replica: duplicates of other writers are reported or skipped, late
//! RRs and the claims of deleted RRs are deleted. Replicas do not coordinate: every removal is a compare-and-swap, so that
//! two replicas which do the same remove once.

mod claims;
mod collector;
mod duplicate_event;
mod duplicates;
mod rrs;

pub use self::collector::GarbageCollector;

impl GarbageCollector {
    /// Runs the GC loops; never returns.
    pub async fn run(self) {
        tokio::join!(self.handle_duplicates(), self.collect_late_rrs(), self.collect_claims());
    }
}

#[cfg(test)]
mod tests;
