//! The example `semundofs`: mounted, where there is `/dev/fuse`, and everywhere by the messages that the kernel would send.
#![allow(missing_docs)]

#[path = "../../examples/semundofs/fs.rs"]
mod fs;
mod kernel;
mod messages;
mod mounted;
#[path = "../support/mod.rs"]
mod support;
