//! Counts tests in what test programs print.

use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tests {
    /// Those that passed.
    pub passed: u64,
    /// Those that failed.
    pub failed: u64,
}

impl AddAssign for Tests {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl std::fmt::Display for Tests {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// What a step counts for: its tests, or itself where it has none; a step that fails without
/// a failing test is one failure more.
pub fn of_step(log: &str, succeeded: bool) -> Tests {
    let mut tests = count(log);
    if succeeded && tests == Tests::default() {
        tests.passed = 1;
    }
    if !succeeded && tests.failed == 0 {
        tests.failed = 1;
    }
    tests
}

/// Adds up libtest's summaries and the guest suite's closing line.
pub fn count(log: &str) -> Tests {
    let mut tests = Tests::default();
    for found in log.lines().filter_map(|line| libtest(line).or_else(|| closing(line))) {
        tests += found;
    }
    tests
}

/// `test result: ok. 3 passed; 0 failed; 0 ignored; ...`
fn libtest(line: &str) -> Option<Tests> {
    let (_, counts) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = counts.split("; ");
    Some(Tests {
        passed: counts.next()?.strip_suffix(" passed")?.parse().ok()?,
        failed: counts.next()?.strip_suffix(" failed")?.parse().ok()?,
    })
}

/// `3 passed, 0 failed`
fn closing(line: &str) -> Option<Tests> {
    let (passed, failed) = line.trim().split_once(" passed, ")?;
    Some(Tests { passed: passed.parse().ok()?, failed: failed.strip_suffix(" failed")?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBTEST: &str = "\
running 3 tests
test a ... ok
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests semundo
test result: FAILED. 4 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out
";

    #[test]
    fn summaries_of_all_test_programs_add_up() {
        let expected = Tests { passed: 7, failed: 2 };
        assert_eq!(of_step(LIBTEST, false), expected);
        let guest = "ok demo (1.2 s)\nFAILED churn: 3 passed, then none\n12 passed, 1 failed\n";
        let expected = Tests { passed: 12, failed: 1 };
        assert_eq!(of_step(guest, false), expected);
    }

    #[test]
    fn a_step_without_tests_counts_as_one() {
        let (passed, failed) = (1, 0);
        assert_eq!(of_step("Finished\n", true), Tests { passed, failed });
        let (passed, failed) = (0, 1);
        assert_eq!(of_step("error\n", false), Tests { passed, failed });
    }

    #[test]
    fn tests_that_are_to_fail_are_not_counted() {
        let log = "| test result: FAILED. 0 passed; 1 failed; 0 ignored\n| 0 passed, 1 failed\nx is seen by y\n";
        assert_eq!(of_step(log, true), Tests { passed: 1, failed: 0 });
    }

    #[test]
    fn a_step_that_fails_after_its_tests_passed_is_a_failure() {
        let (passed, failed) = (5, 1);
        let log = "5 passed, 0 failed\nthe VM died\n";
        assert_eq!(of_step(log, false), Tests { passed, failed });
    }
}
