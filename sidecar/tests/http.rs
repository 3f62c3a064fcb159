//! The HTTP side of the sidecar, over a ledger that counts signals in memory.

mod http {
    mod gateway;
    mod ledger;
    mod serving;
}
