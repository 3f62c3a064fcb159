//! One cluster and one installation of Onceway, with the defaults of both.

/// What an API server and its etcd take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cluster {
    /// Cores of one API server with its etcd.
    pub cores: u32,
    /// `--max-requests-inflight` and `--max-mutating-requests-inflight` together.
    pub all_seats: u32,
    /// The shares of all priority levels but ours.
    pub other_shares: u32,
    /// The largest database that etcd's documentation recommends, in bytes.
    pub etcd_bytes: u64,
    /// How long etcd keeps old revisions at most, in seconds: twice the API server's `--etcd-compaction-interval`.
    pub revisions_s: u32,
    /// Watches of RRs beside the replicas': the remediation controller's.
    pub other_watches: u32,
}

impl Default for Cluster {
    fn default() -> Self {
        Self { cores: 8, all_seats: 600, other_shares: 245, etcd_bytes: 8 << 30, revisions_s: 600, other_watches: 1 }
    }
}

/// An installation of the chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Installation {
    /// Sidecars.
    pub replicas: u32,
    /// `priorityAndFairness.nominalConcurrencyShares`.
    pub shares: u32,
    /// `limits.maxApiCallsInFlight`.
    pub calls_in_flight: u32,
    /// `limits.maxActiveIncidents`.
    pub active_incidents: u32,
    /// `limits.maxNewIncidentsPerMinute`, of one sender and replica.
    pub new_per_minute: u32,
    /// `limits.deadline`, in seconds.
    pub deadline_s: u32,
    /// `housekeeping.maxSweepsPerSecond`, of one replica.
    pub sweeps_per_s: u32,
    /// `housekeeping.sweepAfter`, in seconds.
    pub sweep_after_s: u32,
}

impl Default for Installation {
    fn default() -> Self {
        Self {
            replicas: 3,
            shares: 10,
            calls_in_flight: 128,
            active_incidents: 2_000,
            new_per_minute: 600,
            deadline_s: 8,
            sweeps_per_s: 10,
            sweep_after_s: 3_600,
        }
    }
}

impl Installation {
    /// The seats of its priority level in this API server, as Kubernetes computes them: its share, rounded up.
    pub fn seats(&self, cluster: &Cluster) -> u32 {
        (cluster.all_seats * self.shares).div_ceil(cluster.other_shares + self.shares)
    }

    /// New incidents of one sender that the budgets admit in the first minute of a storm in which none ends.
    pub fn admitted_in_a_minute(&self) -> u32 {
        self.active_incidents.min(self.new_per_minute * self.replicas)
    }

    /// Leases that all replicas together delete in a second, at most.
    pub fn leases_deleted_per_s(&self) -> u32 {
        self.sweeps_per_s * self.replicas
    }
}

#[cfg(test)]
mod tests {
    use super::{Cluster, Installation};

    #[test]
    fn the_charts_level_has_24_of_the_600_seats_of_a_default_api_server() {
        assert_eq!(Installation::default().seats(&Cluster::default()), 24);
    }

    #[test]
    fn the_defaults_admit_what_one_sender_may_begin_at_all_replicas() {
        assert_eq!(Installation::default().admitted_in_a_minute(), 1_800);
    }
}
