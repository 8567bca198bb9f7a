//! Formatting of numbers. Ratios become percentages and points only here.

use promptshift_numbers::stats::estimate::{Estimate, Interval};

/// A ratio as a percentage with one decimal: `0.4116` is `41.2`.
pub fn percent(ratio: f64) -> String {
    minus(format!("{:.1}", tenths(ratio)))
}

/// A difference of ratios in points, with its sign: `+4.0`, `−0.3`, `0.0`.
pub fn points(difference: f64) -> String {
    let value = tenths(difference);
    if value > 0.0 {
        format!("+{value:.1}")
    } else {
        minus(format!("{value:.1}"))
    }
}

/// An interval in points: `[−0.3, 4.0]`.
pub fn interval(interval: Interval) -> String {
    format!("[{}, {}]", percent(interval.low), percent(interval.high))
}

/// A gap with its interval: `22.2 [19.0, 25.3]`.
pub fn gap(estimate: Estimate) -> String {
    format!(
        "{} {}",
        percent(estimate.value),
        interval(estimate.interval)
    )
}

/// A difference with its sign and interval: `+4.0 [−0.3, 8.1]`.
pub fn difference(estimate: Estimate) -> String {
    format!("{} {}", points(estimate.value), interval(estimate.interval))
}

/// A mean with its standard deviation over seeds, if there is one: `41.2 ± 1.3`.
pub fn spread(mean: f64, deviation: Option<f64>) -> String {
    match deviation {
        Some(deviation) => format!("{} ± {}", percent(mean), percent(deviation)),
        None => percent(mean),
    }
}

/// An exact p value with three decimals: `0.031`, `< 0.001`.
pub fn p_value(p: f64) -> String {
    if p < 0.000_5 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// The number of resamples or permutations behind a random p value.
const DRAWS: f64 = 10_000.0;

/// A p value from 10,000 random draws, whose own standard error is √(p (1 − p) / draws): with two decimals if the
/// error reaches half a unit of the third, otherwise with three. Rounding never moves it across 0.05 or to zero:
/// `0.03`, `< 0.05`, `< 0.01`, `0.002`.
pub fn drawn_p_value(p: f64) -> String {
    if (p * (1.0 - p) / DRAWS).sqrt() < 0.000_5 {
        return p_value(p);
    }
    match format!("{p:.2}") {
        rounded if rounded == "0.00" => "< 0.01".to_owned(),
        rounded if rounded == "0.05" && p < 0.05 => "< 0.05".to_owned(),
        rounded => rounded,
    }
}

/// A whole number with thousands separators: `1,459,200`.
pub fn whole(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 {
        format!("−{text}")
    } else {
        text
    }
}

/// Bytes in the largest decimal unit below the amount: `5.9 MB`.
pub fn bytes(count: u64) -> String {
    let count = count as f64;
    match count {
        _ if count < 1e3 => format!("{count:.0} B"),
        _ if count < 1e6 => format!("{:.1} kB", count / 1e3),
        _ if count < 1e9 => format!("{:.1} MB", count / 1e6),
        _ => format!("{:.2} GB", count / 1e9),
    }
}

/// A share as a percentage with enough digits to be non-zero: `100 %`, `0.35 %`, `0.0012 %`.
pub fn share(ratio: f64) -> String {
    let percent = 100.0 * ratio;
    match percent {
        _ if percent >= 10.0 || percent == 0.0 => format!("{percent:.0} %"),
        _ if percent >= 0.1 => format!("{percent:.2} %"),
        _ => format!("{percent:.4} %"),
    }
}

/// A day in the form `2026-11-22` (UTC) from seconds since 1970 (Hinnant, *chrono-compatible
/// low-level date algorithms*, `civil_from_days`).
pub fn day(unix_seconds: u64) -> String {
    let days = unix_seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + 400 * era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A metric's name in reports.
pub fn metric_title(name: &str) -> &str {
    match name {
        "f1" => "F1",
        "exact_match" => "exact match",
        "macro_f1" => "macro F1",
        other => other,
    }
}

/// The items with a separator between them.
pub fn joined(separator: &str, items: impl IntoIterator<Item: AsRef<str>>) -> String {
    let mut text = String::new();
    for (index, item) in items.into_iter().enumerate() {
        text += if index > 0 { separator } else { "" };
        text += item.as_ref();
    }
    text
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(items: impl IntoIterator<Item: AsRef<str>>) -> String {
    let mut items: Vec<_> = items.into_iter().collect();
    match items.pop() {
        None => String::new(),
        Some(only) if items.is_empty() => only.as_ref().to_owned(),
        Some(last) => format!("{} and {}", joined(", ", items), last.as_ref()),
    }
}

/// `1 seed`, `3 seeds`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{} {noun}s", whole(number as f64))
    }
}

/// The text with its first letter in upper case.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn tenths(ratio: f64) -> f64 {
    // Adding zero makes a negative zero positive.
    (1000.0 * ratio).round() / 10.0 + 0.0
}

fn minus(text: String) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_become_percentages_and_points() {
        assert_eq!(percent(0.4116), "41.2");
        assert_eq!(percent(-0.0004), "0.0");
        assert_eq!(points(0.04), "+4.0");
        assert_eq!(points(-0.003), "−0.3");
        assert_eq!(points(-0.0001), "0.0");
        assert_eq!(
            interval(Interval {
                low: -0.003,
                high: 0.04
            }),
            "[−0.3, 4.0]"
        );
        assert_eq!(spread(0.5, Some(0.013)), "50.0 ± 1.3");
        assert_eq!(spread(0.5, None), "50.0");
        assert_eq!(
            [p_value(0.0314), p_value(1.0), p_value(0.0002)],
            ["0.031", "1.000", "< 0.001"]
        );
    }

    #[test]
    fn a_drawn_p_value_has_no_more_decimals_than_its_error_allows() {
        for (p, wanted) in [
            (0.000_2, "< 0.001"),
            (0.002, "0.002"),
            (0.002_6, "< 0.01"),
            (0.031_4, "0.03"),
            (0.046, "< 0.05"),
            (0.049_9, "< 0.05"),
            (0.050_1, "0.05"),
            (0.204, "0.20"),
            (1.0, "1.000"),
        ] {
            assert_eq!(drawn_p_value(p), wanted);
        }
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!(whole(1_459_200.0), "1,459,200");
        assert_eq!(whole(999.6), "1,000");
        assert_eq!(whole(-12.0), "−12");
        assert_eq!(
            (bytes(12), bytes(5_120)),
            ("12 B".to_owned(), "5.1 kB".to_owned())
        );
        assert_eq!(bytes(5_850_000), "5.8 MB");
        assert_eq!(bytes(1_250_000_000), "1.25 GB");
        assert_eq!(
            (share(1.0), share(0.0035), share(0.000012)),
            triple("100 %", "0.35 %", "0.0012 %")
        );
    }

    fn triple(one: &str, two: &str, three: &str) -> (String, String, String) {
        (one.to_owned(), two.to_owned(), three.to_owned())
    }

    #[test]
    fn words_and_days() {
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(count(1, "seed"), "1 seed");
        assert_eq!(count(3, "seed"), "3 seeds");
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(951_782_400), "2000-02-29");
        assert_eq!(day(1_795_348_800), "2026-11-22");
    }
}
