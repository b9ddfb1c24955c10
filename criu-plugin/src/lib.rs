//! A plugin for CRIU, by which checkpoints keep the undo lists of System V semaphores.
