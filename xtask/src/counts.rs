//! Decides how many tests a test runner says it ran.

use std::fmt;
use std::ops::AddAssign;

/// How many tests, or checks, went how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

/// Reads `test result: ok. 7 passed; 0 failed; 1 ignored; …`: one such line for each binary and each crate's examples.
pub(crate) fn of_cargo(line: &str) -> Option<Counts> {
    let (_verdict, list) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    Some(tally(list, ';'))
}

/// Reads pytest's last line: `==== 1 failed, 12 passed, 2 warnings in 3.21s ====`.
pub(crate) fn of_pytest(line: &str) -> Option<Counts> {
    let (list, time) = line.trim_matches(['=', ' ']).rsplit_once(" in ")?;
    let seconds = time.split_once('s')?.0;
    seconds.parse::<f64>().ok()?;
    Some(tally(list, ','))
}

/// Reads vitest's last line but one: `      Tests  1 failed | 74 passed | 1 skipped (76)`.
pub(crate) fn of_vitest(line: &str) -> Option<Counts> {
    let (list, total) = line.trim_start().strip_prefix("Tests  ")?.rsplit_once(" (")?;
    total.strip_suffix(')')?.parse::<usize>().ok()?;
    Some(tally(list, '|'))
}

fn tally(list: &str, separator: char) -> Counts {
    let mut counts = Counts::default();
    for (number, what) in list.split(separator).filter_map(|part| part.trim().split_once(' ')) {
        let number = number.parse().unwrap_or(0);
        match what {
            "passed" | "xfailed" => counts.passed += number,
            "failed" | "error" | "errors" | "xpassed" => counts.failed += number,
            "ignored" | "skipped" => counts.skipped += number,
            _ => {} // `measured`, `filtered out`, `warnings`, `deselected`: nothing that ran
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_what_ran_in_each_binary() {
        let line = "test result: FAILED. 7 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s";
        assert_eq!(of_cargo(line), Some(Counts { passed: 7, failed: 2, skipped: 1 }));
        assert_eq!(of_cargo("test result: ok. 0 passed; 0 failed; 0 ignored"), Some(Counts::default()));
    }

    #[test]
    fn pytest_says_what_ran_in_its_last_line() {
        let cases = [
            ("5 passed in 0.21s", (5, 0, 0)),
            ("=== 1 failed, 12 passed, 3 skipped, 2 warnings in 61.20s (0:01:01) ===", (12, 1, 3)),
            ("1 passed, 2 errors in 0.80s", (1, 2, 0)),
            ("2 passed, 1 xfailed in 0.80s", (3, 0, 0)),
            ("no tests ran in 0.01s", (0, 0, 0)),
        ];
        for (line, (passed, failed, skipped)) in cases {
            assert_eq!(of_pytest(line), Some(Counts { passed, failed, skipped }), "{line}");
        }
    }

    #[test]
    fn vitest_says_what_ran_in_its_summary() {
        let cases = [
            ("      Tests  75 passed (75)", (75, 0, 0)),
            ("      Tests  1 failed | 74 passed | 1 skipped (76)", (74, 1, 1)),
        ];
        for (line, (passed, failed, skipped)) in cases {
            assert_eq!(of_vitest(line), Some(Counts { passed, failed, skipped }), "{line}");
        }
        assert_eq!(of_vitest(" Test Files  6 passed (6)"), None);
    }

    #[test]
    fn what_tests_print_is_not_counted() {
        for line in ["", "test a_test ... ok", "12 passed", "5 passed in the morning", "result: 3 passed; 0 failed"] {
            assert_eq!((of_cargo(line), of_pytest(line)), (None, None), "{line}");
        }
    }

    #[test]
    fn totals_are_told_as_test_runners_do() {
        assert_eq!(Counts { passed: 3, failed: 0, skipped: 0 }.to_string(), "3 passed, 0 failed");
        assert_eq!(Counts { passed: 3, failed: 1, skipped: 2 }.to_string(), "3 passed, 1 failed, 2 skipped");
    }
}
