//! What a comparison of two sets says, and what it cannot say.

use crate::number::{list, metric_title, percent};
use promptshift_numbers::stats::estimate::{Estimate, normal_cdf, normal_quantile};
use promptshift_numbers::stats::significance::McNemar;

/// The comparison of one method on one domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The method, if the sets have several.
    pub method: Option<String>,
    pub domain: String,
    /// The metric's name.
    pub metric: &'static str,
    /// The number of paired examples.
    pub examples: usize,
    /// The number of their passages.
    pub passages: usize,
    /// The numbers of runs in the first and in the second set.
    pub runs: [usize; 2],
    /// The first set's score.
    pub first: f64,
    /// The second set's score.
    pub second: f64,
    /// Second minus first, with its 95 % interval over seeds and passages.
    pub difference: Estimate,
    /// The p value of the difference, adjusted for the number of rows (Holm). If the difference is the same on every
    /// passage, resampling shows no spread, and it is `runs_p_value`. Absent for a single passage, which says nothing
    /// about others.
    pub p_value: Option<f64>,
    /// The adjusted p value for these runs, by sign flips; absent for a single passage.
    pub runs_p_value: Option<f64>,
    /// McNemar's test of two single runs, with an adjusted p value; absent with several runs.
    pub discordant: Option<McNemar>,
    /// The smallest difference that four of five such comparisons detect.
    pub detectable: f64,
    /// Whether both sets have the same scores in every run and on every passage.
    pub is_identical: bool,
    /// Whether the first and the second set have a single run of a method that varies with seeds, which the untuned
    /// model does not.
    pub is_single: [bool; 2],
}

impl Row {
    /// Whether the second set scores lower, at significance level `alpha`.
    pub fn is_loss(&self, alpha: f64) -> bool {
        self.difference.value < 0.0 && self.p_value.is_some_and(|p| p < alpha)
    }
}

/// The significant losses at a level, or that there are none, and the limits of the comparison.
pub fn verdict(rows: &[Row], alpha: f64) -> String {
    let losses: Vec<String> = (rows.iter())
        .filter(|row| row.is_loss(alpha))
        .map(|row| {
            format!(
                "{} points {} on {}",
                percent(-row.difference.value),
                metric_title(row.metric),
                name(row)
            )
        })
        .collect();
    let found = match losses.is_empty() {
        false => format!("B loses: {} (level {alpha}, Holm).", list(&losses)),
        true if rows.iter().all(|row| row.is_identical) => {
            "A and B are identical: they score the same in every run and on every passage."
                .to_owned()
        }
        true if rows.iter().all(|row| row.p_value.is_none()) => "No verdict.".to_owned(),
        true => format!("No significant loss (level {alpha}, Holm).{}", seen(rows)),
    };
    let beside = [of_one_passage(rows), of_single_runs(rows, alpha)];
    format!("{found}{}", beside.concat())
}

/// The smallest difference that the least sensitive row would have detected.
fn seen(rows: &[Row]) -> String {
    let tested = (rows.iter()).filter(|row| row.p_value.is_some() && !row.is_identical);
    let blindest = tested.max_by(|a, b| a.detectable.total_cmp(&b.detectable));
    blindest.map_or_else(String::new, |row| {
        format!(
            " On {}, the least sensitive, a difference of {} points would be detected in four of five such \
             comparisons.",
            name(row),
            percent(row.detectable)
        )
    })
}

/// A note on rows without a verdict, since one passage says nothing about others.
fn of_one_passage(rows: &[Row]) -> String {
    let few: Vec<String> = (rows.iter())
        .filter(|row| row.passages == 1)
        .map(name)
        .collect();
    match few.is_empty() {
        true => String::new(),
        false => format!(
            "\nThere is no verdict for a single passage, which says nothing about others: {}.",
            list(&few)
        ),
    }
}

/// A note on sides with a single run, which shows no variance between seeds.
fn of_single_runs(rows: &[Row], alpha: f64) -> String {
    let single = |side: usize| rows.iter().any(|row| row.is_single[side]);
    let sides = match [single(0), single(1)] {
        [false, false] => return String::new(),
        [true, false] => "A has",
        [false, true] => "B has",
        [true, true] => "A and B have",
    };
    format!(
        "\n{sides} one run: the level is for these runs on other passages, not for other seeds. If seeds vary as \
         much as passages, two seeds of one method differ significantly in about {:.0} of 100 comparisons, so a loss \
         may be due to the seed. Several seeds on each side avoid this.",
        100.0 * of_two_seeds(alpha)
    )
}

/// The share of comparisons of two runs that are significant although only the seed differs, if the variance between
/// seeds equals that between passages: `P(|z| > z_{1 - alpha/2} / sqrt(2))`, as a test simulates.
fn of_two_seeds(alpha: f64) -> f64 {
    2.0 * (1.0 - normal_cdf(normal_quantile(1.0 - 0.5 * alpha) / std::f64::consts::SQRT_2))
}

fn name(row: &Row) -> String {
    match &row.method {
        None => row.domain.clone(),
        Some(method) => format!("{} ({method})", row.domain),
    }
}
