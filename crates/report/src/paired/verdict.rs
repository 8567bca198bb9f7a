//! What a comparison of two sets says, and what it cannot say.

use crate::number::{list, metric_title, percent};
use promptshift_numbers::stats::estimate::{Estimate, normal_cdf, normal_quantile};
use promptshift_numbers::stats::significance::McNemar;

/// One domain of one method.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The method, where the sets have several.
    pub method: Option<String>,
    /// The domain.
    pub domain: String,
    /// The metric's name.
    pub metric: &'static str,
    /// Examples paired.
    pub examples: usize,
    /// Passages that they are about.
    pub passages: usize,
    /// Runs of the first set and of the second.
    pub runs: [usize; 2],
    /// The first set's score.
    pub first: f64,
    /// The second set's score.
    pub second: f64,
    /// Second minus first, with its 95 % interval over seeds and passages.
    pub difference: Estimate,
    /// That there is no difference, adjusted for the number of rows (Holm). Where the difference is
    /// the same on every passage, resampling shows no spread, and it is `runs_p_value`; absent for a
    /// single passage, which says nothing of others.
    pub p_value: Option<f64>,
    /// The same of these runs, by sign flips, adjusted; absent for a single passage.
    pub runs_p_value: Option<f64>,
    /// Right answers that one of two runs has alone, with their p value adjusted; absent with
    /// several runs.
    pub discordant: Option<McNemar>,
    /// The least difference that four of five such comparisons would tell from none.
    pub detectable: f64,
    /// Whether both sets score the same in every run and on every passage, so that nothing varies.
    pub is_identical: bool,
    /// Whether the first set and the second have one run of what varies with its seed, as the untuned model does not.
    pub is_single: [bool; 2],
}

impl Row {
    /// Whether the second set scores lower, at significance level `alpha`.
    pub fn is_loss(&self, alpha: f64) -> bool {
        self.difference.value < 0.0 && self.p_value.is_some_and(|p| p < alpha)
    }
}

/// The losses at a level, or that none is significant, and what that does not guard against.
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

/// What the least sensitive row would have told from none, of those where anything varies.
fn seen(rows: &[Row]) -> String {
    let tested = (rows.iter()).filter(|row| row.p_value.is_some() && !row.is_identical);
    let blindest = tested.max_by(|a, b| a.detectable.total_cmp(&b.detectable));
    blindest.map_or_else(String::new, |row| {
        format!(
            " On {}, the least sensitive, a difference of {} points would be told from none in four of five such \
             comparisons.",
            name(row),
            percent(row.detectable)
        )
    })
}

/// Where nothing is decided, as one passage says nothing of others.
fn of_one_passage(rows: &[Row]) -> String {
    let few: Vec<String> = (rows.iter())
        .filter(|row| row.passages == 1)
        .map(name)
        .collect();
    match few.is_empty() {
        true => String::new(),
        false => format!(
            "\nOf one passage there is no verdict, as it says nothing of others: {}.",
            list(&few)
        ),
    }
}

/// What a level does not hold for where a side has one run, which shows no variance between seeds.
fn of_single_runs(rows: &[Row], alpha: f64) -> String {
    let single = |side: usize| rows.iter().any(|row| row.is_single[side]);
    let sides = match [single(0), single(1)] {
        [false, false] => return String::new(),
        [true, false] => "A has",
        [false, true] => "B has",
        [true, true] => "A and B have",
    };
    format!(
        "\n{sides} one run: the level holds for these runs on other passages, not for other seeds. Where seeds vary as much \
         as passages, two seeds of one method differ significantly in some {:.0} of 100 comparisons, so a loss may be the \
         seed's. Folders with several seeds a side guard against that.",
        100.0 * of_two_seeds(alpha)
    )
}

/// The share of comparisons of two runs that differ in nothing but their seed that is significant where the variance
/// between seeds is that of passages: `P(|z| > z_{1 - alpha/2} / sqrt(2))`, which a test simulates.
fn of_two_seeds(alpha: f64) -> f64 {
    2.0 * (1.0 - normal_cdf(normal_quantile(1.0 - 0.5 * alpha) / std::f64::consts::SQRT_2))
}

fn name(row: &Row) -> String {
    match &row.method {
        None => row.domain.clone(),
        Some(method) => format!("{} ({method})", row.domain),
    }
}
