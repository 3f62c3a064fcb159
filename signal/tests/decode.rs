//! Decoding: each rule by example, and the properties of every body.

#[path = "decode/ambiguity.rs"]
mod ambiguity;
#[path = "decode/errors.rs"]
mod errors;
#[path = "decode/events.rs"]
mod events;
#[path = "decode/excerpts.rs"]
mod excerpts;
#[path = "decode/field.rs"]
mod field;
#[path = "decode/hostile.rs"]
mod hostile;
#[path = "decode/labels.rs"]
mod labels;
#[path = "decode/limits.rs"]
mod limits;
#[path = "decode/partial_payloads.rs"]
mod partial_payloads;
#[path = "decode/pods.rs"]
mod pods;
#[path = "decode/properties.rs"]
mod properties;
#[path = "decode/rules.rs"]
mod rules;
#[path = "decode/scope.rs"]
mod scope;
#[path = "decode/support.rs"]
mod support;
#[path = "decode/targets.rs"]
mod targets;
#[path = "decode/vectors.rs"]
mod vectors;
#[path = "decode/webhooks.rs"]
mod webhooks;
