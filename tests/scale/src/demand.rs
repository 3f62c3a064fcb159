//! What a steady rate of new incidents demands of a cluster.

use crate::cluster::{Cluster, Installation};
use crate::cost;

const DAY_S: u64 = 24 * 3_600;

/// How incidents arrive and end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// New incidents in a second.
    pub incidents_per_s: u32,
    /// Writes of counts after the first, over an incident's life; each counts all signals that came meanwhile.
    pub later_counts: u32,
    /// Writes of the remediation controller to an RR: phases, and its end.
    pub controller_writes: u32,
    /// How long an incident is active, in seconds.
    pub active_s: u32,
    /// How long an RR exists, in seconds, until the remediation controller deletes it.
    pub kept_s: u64,
}

impl Load {
    /// The load of the page's tables at this rate.
    pub fn at(incidents_per_s: u32) -> Self {
        Self { incidents_per_s, later_counts: 4, controller_writes: 6, active_s: 600, kept_s: DAY_S }
    }
}

/// Per second unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// Writes of Onceway: new incidents, later counts, and the deletion of Leases.
    pub writes: u64,
    /// Reads: the workloads of new RRs, and two for each Lease that is deleted.
    pub reads: u64,
    /// Cores of API server and etcd that these writes take.
    pub cores: f64,
    /// Seats in use on average: writes times how long one takes.
    pub seats: f64,
    /// Bytes that etcd writes, without the controller's writes.
    pub etcd_bytes: u64,
    /// Bytes of watch events that one watch of the RRs gets.
    pub watch_bytes: u64,
    /// The same for all watches.
    pub all_watch_bytes: u64,
    /// Incidents that are active, in all.
    pub active: u64,
    /// Bytes at rest: RRs until they are deleted, Leases for `sweepAfter` longer.
    pub bytes_at_rest: u64,
    /// Leases at rest.
    pub leases: u64,
    /// Bytes of old revisions that etcd keeps until they are compacted.
    pub revision_bytes: u64,
}

impl Demand {
    /// What `load` demands.
    pub fn of(load: &Load, installation: &Installation, cluster: &Cluster) -> Self {
        let rate = u64::from(load.incidents_per_s);
        let counts = u64::from(load.later_counts);
        // Every Lease is created once and deleted once.
        let writes = rate * (u64::from(cost::FIRST_WRITES) + counts + 1);
        let reads = rate * (u64::from(cost::WORKLOAD_READS) + 2);
        let counted = u64::from(cost::RR_COUNTED);
        let etcd_bytes = rate * (u64::from(cost::first_bytes()) + counts * counted);
        // A watch sees each version of an RR, the controller's included, and its deletion.
        let versions = 2 + counts + u64::from(load.controller_writes) + 1;
        let watch_bytes = rate * versions * (counted + u64::from(cost::EVENT_FRAME));
        let controller_bytes = rate * u64::from(load.controller_writes) * counted;
        let leases = rate * (load.kept_s + u64::from(installation.sweep_after_s));
        Self {
            writes,
            reads,
            cores: writes as f64 * f64::from(cost::WRITE_CPU_US) / 1e6,
            seats: writes as f64 * f64::from(cost::WRITE_CPU_US + cost::WRITE_DISK_US) / 1e6,
            etcd_bytes,
            watch_bytes,
            all_watch_bytes: watch_bytes * u64::from(installation.replicas + cluster.other_watches),
            active: rate * u64::from(load.active_s),
            bytes_at_rest: rate * load.kept_s * counted + leases * u64::from(cost::LEASE),
            leases,
            revision_bytes: (etcd_bytes + controller_bytes) * u64::from(cluster.revisions_s),
        }
    }

    /// The rate of new incidents that `limit` allows at most, if this demand is that of `rate`.
    fn highest(rate: u32, demanded: f64, limit: f64) -> f64 {
        f64::from(rate) * limit / demanded
    }

    /// Each limit, and the steady rate of new incidents in a second at which it is reached; the lowest first.
    pub fn limits(load: &Load, installation: &Installation, cluster: &Cluster) -> Vec<(&'static str, f64)> {
        let demand = Self::of(load, installation, cluster);
        let rate = load.incidents_per_s;
        let of = |demanded: f64, limit: f64| Self::highest(rate, demanded, limit);
        let stored = demand.bytes_at_rest + demand.revision_bytes;
        let mut limits = vec![
            (
                "active incidents (`limits.maxActiveIncidents`)",
                of(demand.active as f64, installation.active_incidents.into()),
            ),
            (
                "new incidents of one sender (`limits.maxNewIncidentsPerMinute`)",
                f64::from(installation.new_per_minute * installation.replicas) / 60.0,
            ),
            ("etcd's size", of(stored as f64, cluster.etcd_bytes as f64)),
            ("deletion of Leases (`housekeeping.maxSweepsPerSecond`)", installation.leases_deleted_per_s().into()),
            ("the CPU of the API server and etcd", of(demand.cores, cluster.cores.into())),
            ("the seats of the priority level", of(demand.seats, installation.seats(cluster).into())),
        ];
        limits.sort_by(|one, other| one.1.total_cmp(&other.1));
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::{Demand, Load};
    use crate::cluster::{Cluster, Installation};

    fn of(rate: u32) -> Demand {
        Demand::of(&Load::at(rate), &Installation::default(), &Cluster::default())
    }

    #[test]
    fn demand_grows_with_the_rate() {
        let (one, ten) = (of(1), of(10));
        assert_eq!((ten.writes, ten.etcd_bytes, ten.leases), (10 * one.writes, 10 * one.etcd_bytes, 10 * one.leases));
        assert_eq!(one.writes, 8, "claim, RR, count, four counts, and the Lease's deletion");
    }

    #[test]
    fn more_replicas_add_watches_and_no_writes() {
        let more = Installation { replicas: 6, ..Installation::default() };
        let (few, many) = (of(10), Demand::of(&Load::at(10), &more, &Cluster::default()));
        assert_eq!((few.writes, few.watch_bytes), (many.writes, many.watch_bytes));
        assert_eq!(many.all_watch_bytes * 4, few.all_watch_bytes * 7);
    }

    #[test]
    fn limits_do_not_depend_on_the_rate_that_they_are_computed_from() {
        let limits = |rate| Demand::limits(&Load::at(rate), &Installation::default(), &Cluster::default());
        for (one, other) in limits(10).iter().zip(limits(1_000)) {
            assert_eq!(one.0, other.0);
            assert!((one.1 - other.1).abs() < 1e-6 * one.1, "{one:?} {other:?}");
        }
    }

    #[test]
    fn the_budget_of_active_incidents_is_reached_first_in_the_long_run() {
        let limits = Demand::limits(&Load::at(10), &Installation::default(), &Cluster::default());
        assert!(limits[0].0.starts_with("active incidents"), "{limits:?}");
    }
}
