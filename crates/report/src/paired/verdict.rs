//! What a comparison of two sets says, and what it cannot.

use super::Row;
use crate::number::{list, metric_title, percent};

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
        true => format!("No significant loss (level {alpha}, Holm).{}", seen(rows)),
    };
    format!("{found}{}", of_single_runs(rows))
}

/// What the least sensitive row would have told from none.
fn seen(rows: &[Row]) -> String {
    let blindest = (rows.iter()).max_by(|a, b| a.detectable.total_cmp(&b.detectable));
    blindest.map_or_else(String::new, |row| {
        format!(
            " On {}, the least sensitive, a difference of {} points would be told from none in four of five such \
             comparisons.",
            name(row),
            percent(row.detectable)
        )
    })
}

/// What a level does not hold for where a side has one run, which shows no variance between seeds.
fn of_single_runs(rows: &[Row]) -> String {
    let single = |side: usize| rows.iter().any(|row| row.runs[side] == 1);
    let sides = match [single(0), single(1)] {
        [false, false] => return String::new(),
        [true, false] => "A has",
        [false, true] => "B has",
        [true, true] => "A and B have",
    };
    format!(
        "\n{sides} one run: the level holds for these runs on other passages, not for other seeds. Where seeds vary as much \
         as passages, two seeds of one method differ significantly in some {} of 100 comparisons, so a loss may be the \
         seed's. Folders with several seeds a side guard against that.",
        TWO_SEEDS
    )
}

/// Of 100 comparisons of two runs that differ in nothing but their seed, so many are significant at 0.05 where the
/// variance between seeds is that of passages: P(|z| > 1.96 / √2), which a test simulates.
const TWO_SEEDS: u32 = 15;

fn name(row: &Row) -> String {
    match &row.method {
        None => row.domain.clone(),
        Some(method) => format!("{} ({method})", row.domain),
    }
}
