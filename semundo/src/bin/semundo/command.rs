//! The subcommands, a file each.

pub mod check;
pub mod ls;
pub mod page;
pub mod restore;
pub mod save;
pub mod show;
pub mod watch;
