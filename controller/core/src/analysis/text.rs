//! Rates and durations as findings print them: as many digits as say something.
use std::time::Duration;

/// A rate between 0 and 1 in percent: `5.2 %`, `0.03 %`, `12 %`.
pub(super) fn percent(rate: f64) -> String {
    let percent = rate * 100.0;
    let digits = match percent {
        0.0..0.1 => 4,
        0.1..1.0 => 2,
        _ => 1,
    };
    format!("{} %", trimmed(format!("{percent:.digits$}")))
}

/// A limit: `800 ms`, `1.5 s`.
pub(super) fn limit(of: Duration) -> String {
    if of < Duration::from_secs(1) {
        return format!("{} ms", of.as_millis());
    }
    format!("{} s", trimmed(format!("{:.3}", of.as_secs_f64())))
}

/// Without the zeros at the end of its decimals.
fn trimmed(number: String) -> String {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_the_digits_that_say_something() {
        let texts = [0.0, 0.000_01, 0.000_3, 0.002_5, 0.005, 0.01, 0.0517, 0.12, 1.0].map(percent);
        assert_eq!(texts, ["0 %", "0.001 %", "0.03 %", "0.25 %", "0.5 %", "1 %", "5.2 %", "12 %", "100 %"]);
    }

    #[test]
    fn a_limit_is_in_the_unit_that_people_write() {
        let texts = [800, 1000, 1500, 30_000].map(|millis| limit(Duration::from_millis(millis)));
        assert_eq!(texts, ["800 ms", "1 s", "1.5 s", "30 s"]);
    }
}
