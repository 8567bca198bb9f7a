//! Significance levels: how p values are adjusted, and what a difference says.
//!
//! Prompt tuning against model tuning is the primary comparison, specified before a study is run, and is tested on
//! its own. The comparisons of the other methods form a second family. Within each family, p values are adjusted for
//! the numbers of methods and targets by Holm (1979).

use serde::Serialize;

use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::estimate::{Estimate, Interval};
use promptshift_numbers::stats::significance::holm;

/// The level of all tests, after adjustment.
pub const LEVEL: f64 = 0.05;

/// The largest difference of scores or gaps that counts as none, in [0, 1]: two are equivalent if the 95 % interval of
/// their difference contains zero and is within it (two one-sided tests at half of [`LEVEL`]: Schuirmann 1987). The
/// same for every study, not chosen from its results. Equivalence is not adjusted for the number of comparisons.
pub const MARGIN: f64 = 0.05;

/// What a difference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Below zero.
    Less,
    /// Above zero.
    More,
    /// Not significant, and the interval contains zero and is within [`MARGIN`] of it.
    Equivalent,
    /// Not significant otherwise.
    Open,
}

impl Direction {
    /// The direction of a difference, by its adjusted p value; without a p value nothing varies, and the difference
    /// is not significant.
    pub fn of(difference: Estimate, p_value: Option<f64>) -> Direction {
        match p_value {
            Some(p) if p < LEVEL && difference.value < 0.0 => Direction::Less,
            Some(p) if p < LEVEL && difference.value > 0.0 => Direction::More,
            Some(_) if is_within_margin(difference) => Direction::Equivalent,
            _ => Direction::Open,
        }
    }

    /// In words, for losses.
    pub fn of_losses(self) -> &'static str {
        match self {
            Direction::Less => "loses less",
            Direction::More => "loses more",
            Direction::Equivalent => "equivalent",
            Direction::Open => "inconclusive",
        }
    }
}

/// Whether the interval of a difference contains zero and is within [`MARGIN`] of it.
pub fn is_within_margin(difference: Estimate) -> bool {
    let Interval { low, high } = difference.interval;
    -MARGIN < low && high < MARGIN && !difference.interval.excludes(0.0)
}

/// Adjusts the p values of comparisons of these methods: those of prompt tuning as one family, and all others as
/// another.
pub fn adjusted(comparisons: &[(Method, Option<f64>)]) -> Vec<Option<f64>> {
    let is_primary = |method: Method| method == Method::Prompt;
    let family = |primary: bool| {
        let own = (comparisons.iter()).filter(|(method, _)| is_primary(*method) == primary);
        let known: Vec<f64> = own.filter_map(|(_, p)| *p).collect();
        holm(&known).into_iter()
    };
    let (mut primary, mut others) = (family(true), family(false));
    let next = |(method, p): &(Method, Option<f64>)| {
        p.and_then(|_| match is_primary(*method) {
            true => primary.next(),
            false => others.next(),
        })
    };
    comparisons.iter().map(next).collect()
}

/// A note on the adjustment for comparisons of these methods on so many targets.
pub fn in_words(methods: &[Method], targets: usize) -> String {
    let others = methods.iter().filter(|method| **method != Method::Prompt);
    let others = targets * others.count();
    let primary = targets * methods.len() - others;
    let sizes = [
        (primary, format!("{primary} comparisons of prompt tuning")),
        (others, format!("the {others} of the other methods")),
    ];
    let several: Vec<String> = (sizes.into_iter())
        .filter(|(size, _)| *size > 1)
        .map(|(_, words)| words)
        .collect();
    match several.is_empty() {
        true => String::new(),
        false => format!(
            " p values are adjusted (Holm) for {}; verdicts use adjusted p values, intervals are not adjusted.",
            several.join(" and for ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::assert_has;

    #[test]
    fn prompt_tuning_and_the_other_methods_are_separate_families() {
        let comparisons = [
            (Method::Prompt, Some(0.04)),
            (Method::Lora, Some(0.02)),
            (Method::Bitfit, None),
            (Method::Ia3, Some(0.03)),
        ];
        let found = adjusted(&comparisons);
        assert_eq!(found, [Some(0.04), Some(0.04), None, Some(0.04)]);
        let methods = comparisons.map(|(method, _)| method);
        assert_eq!(in_words(&methods[..1], 1), "");
        assert_eq!(in_words(&methods[..2], 1), "");
        let many = in_words(&methods, 2);
        assert_has(&many, "2 comparisons of prompt tuning and for the 6 of");
    }

    #[test]
    fn directions_depend_on_the_adjusted_p_value() {
        let estimate = |low: f64, high: f64| Estimate::new(0.5 * (low + high), low, high);
        let wide = estimate(-0.3, -0.1);
        assert_eq!(Direction::of(wide, Some(0.049)), Direction::Less);
        assert_eq!(Direction::of(wide, Some(0.05)), Direction::Open);
        assert_eq!(Direction::of(wide, None), Direction::Open);
        let narrow = estimate(-0.03, 0.01);
        assert_eq!(Direction::of(narrow, Some(0.3)), Direction::Equivalent);
        assert_eq!(Direction::of(narrow, Some(0.01)), Direction::Less);
        // Without variation there is no interval to rely on.
        assert_eq!(Direction::of(narrow, None), Direction::Open);
        // Significant but for the adjustment.
        let beside = estimate(-0.03, -0.001);
        assert_eq!(Direction::of(beside, Some(0.1)), Direction::Open);
        let half = estimate(-0.01, 0.06);
        assert_eq!(Direction::of(half, Some(0.3)), Direction::Open);
    }
}
