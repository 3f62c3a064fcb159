//! The filter: has Envoy consistent-hash each signal on its fingerprint.
