//! A headless Chromium that shows the page of `onceway explain`, for its tests and for its picture in the documentation.
//!
//! | module | what it is |
//! |---|---|
//! | [`devtools`] | calls and events of Chromium's DevTools protocol, over the browser's pipe |
//! | [`tab`] | a page in a browser of its own: what a person does there, and what is to be seen |
//! | [`served`] | `onceway explain --serve` |

pub mod devtools;
pub mod served;
pub mod tab;
