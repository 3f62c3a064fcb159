//! The page of `onceway explain` in a real headless Chromium.

mod accessibility;
mod field;
mod hostile;
mod isolation;
mod keyboard;
mod layout;
mod limits;
mod problems;
mod served;
