//! What an incident costs. The end-to-end tests `scale::` and `calls::` measure it, and fail where these figures are wrong.

/// Writes of a new incident: its claim (a Lease), its RR, and the count in the RR's status.
pub const FIRST_WRITES: u32 = 3;
/// Reads of a new incident beside them: the workload that its RR names, where that is a Deployment that exists.
pub const WORKLOAD_READS: u32 = 1;
/// Bytes of a claim's Lease in etcd.
pub const LEASE: u32 = 900;
/// Bytes of an RR in etcd before its first count.
pub const RR_CREATED: u32 = 3_500;
/// Bytes of an RR in etcd once it counts.
pub const RR_COUNTED: u32 = 4_100;
/// What a watch event has beside the object that is stored, in bytes.
pub const EVENT_FRAME: u32 = 100;
/// CPU of one write in the API server and etcd together, its share of the reads included, in microseconds, where many new incidents
/// are written at once.
pub const WRITE_CPU_US: u32 = 10_000;
/// How long one write waits for etcd's disk, in microseconds: an assumption, etcd runs without fsync in the tests.
pub const WRITE_DISK_US: u32 = 2_000;

/// Bytes that etcd writes for a new incident.
pub const fn first_bytes() -> u32 {
    LEASE + RR_CREATED + RR_COUNTED
}
