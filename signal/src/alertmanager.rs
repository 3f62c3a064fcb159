//! The Alertmanager webhook: its alerts as slices of the body, and one alert as a signal.

mod alert;
mod fast_path;
mod webhook;

pub(crate) use self::alert::{Context, signal};
pub(crate) use self::fast_path::decode_fast;
pub(crate) use self::webhook::{OwnFields, Webhook};
