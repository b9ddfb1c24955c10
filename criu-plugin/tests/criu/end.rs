//! What a program leaves behind.

/// How a program ended. Two that are equal ended alike.
#[derive(Debug, PartialEq, Eq)]
pub struct End {
    /// The values of all semaphore sets, by ascending identifier, after its last process has ended.
    pub values: Vec<Vec<u16>>,
    /// What `waitpid(2)` says of its first process.
    pub status: i32,
    /// What it told, line by line.
    pub told: String,
}
