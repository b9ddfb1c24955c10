//! A plugin for CRIU, by which checkpoints keep the undo lists of System V semaphores.
//!
//! CRIU loads `semundo_plugin.so` from its plugin directory and calls its hooks. A dump reads the lists of the tasks that CRIU has
//! stopped and writes them into CRIU's image directory (`dump`); a restore makes the tasks that CRIU has made anew, and still holds, call
//! `semop(2)` until they have those lists (`restore`). What cannot be kept fails the dump or the restore.

mod abi;
mod criu;
mod dump;
mod hooks;
mod images;
mod order;
mod restore;
mod threads;
mod tracees;
