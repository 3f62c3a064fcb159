//! What bodies are decoded to, rule by rule, and what holds of every body.

#[path = "decode/ambiguity.rs"]
mod ambiguity;
#[path = "decode/errors.rs"]
mod errors;
#[path = "decode/events.rs"]
mod events;
#[path = "decode/excerpts.rs"]
mod excerpts;
#[path = "decode/hostile.rs"]
mod hostile;
#[path = "decode/labels.rs"]
mod labels;
#[path = "decode/limits.rs"]
mod limits;
#[path = "decode/parts.rs"]
mod parts;
#[path = "decode/pods.rs"]
mod pods;
#[path = "decode/properties.rs"]
mod properties;
#[path = "decode/support.rs"]
mod support;
#[path = "decode/targets.rs"]
mod targets;
#[path = "decode/vectors.rs"]
mod vectors;
#[path = "decode/webhooks.rs"]
mod webhooks;
