//! Calls injected into live processes, with the kernel as the oracle: what a target's exit gives back, and what it saw itself.
//!
//! The targets are children, which may be traced unless the sysctl kernel.yama.ptrace_scope forbids it to all but root. The tests of
//! seccomp filters and of other users' processes want root. Where they may not, they fail, and say so.

#[path = "inject/adopted.rs"]
mod adopted;
#[path = "inject/calls.rs"]
mod calls;
#[path = "inject/errors.rs"]
mod errors;
#[path = "inject/registers.rs"]
mod registers;
#[path = "inject/signals.rs"]
mod signals;
#[path = "inject/sleepers.rs"]
mod sleepers;
#[path = "inject/target.rs"]
mod target;
#[path = "inject/threads.rs"]
mod threads;
