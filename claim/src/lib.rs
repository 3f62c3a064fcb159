//! The claim protocol as a pure state machine: answers in, API calls out; no Kubernetes client, no clock, no I/O.
