//! The spread between runs, for a method that has one.

use super::draws::Draws;
use super::strata::{Run, Stratum, add};
use crate::stats::estimate::mean;

/// Gives each method with one run the spread of the other methods' runs on the same domains: as if its runs would
/// have differed as theirs do, in every domain together. Their deviations count as independent of their own. With
/// several lenders the variances are pooled by their degrees of freedom; without any, nothing changes.
///
/// Who may lend and who may borrow is for the caller to say: an untuned model varies with no seed. What is made of lent runs has [`Weakness::Borrowed`](super::Weakness::Borrowed).
pub fn lend(
    scores: &mut [Vec<Option<Draws>>],
    may_lend: impl Fn(usize) -> bool,
    may_borrow: impl Fn(usize) -> bool,
) {
    for panel in scores {
        let lenders: Vec<(usize, Stratum)> = (panel.iter().enumerate())
            .filter(|(method, _)| may_lend(*method))
            .filter_map(|(method, draws)| match draws.as_ref()?.strata.as_slice() {
                [one] if one.runs.len() > 1 => Some((method, one.clone())),
                _ => None,
            })
            .collect();
        let freedom: usize = lenders.iter().map(|(_, lent)| lent.runs.len() - 1).sum();
        for (method, draws) in panel
            .iter_mut()
            .enumerate()
            .filter(|(method, _)| may_borrow(*method))
        {
            let Some(draws) = draws.as_mut().filter(|draws| draws.has_one_run()) else {
                continue;
            };
            if lenders.is_empty() {
                continue;
            }
            draws.strata = (lenders.iter())
                .map(|(lender, lent)| {
                    let share = (lent.runs.len() - 1) as f64 / freedom as f64;
                    stand_ins(lent, share, [*lender, method])
                })
                .collect();
            let variance = draws.variance();
            for score in &mut draws.scores {
                score.variance = variance;
            }
        }
    }
}

impl Draws {
    fn has_one_run(&self) -> bool {
        matches!(self.strata.as_slice(), [one] if one.runs.len() == 1)
    }
}

/// Runs whose mean varies by `share` of the variance that one of them has.
fn stand_ins(lent: &Stratum, share: f64, who: [usize; 2]) -> Stratum {
    let count = lent.runs.len() as f64;
    let scale = (share * count).sqrt();
    let centre = mean(&lent.values).unwrap_or(0.0);
    let mut centres = vec![0.0; lent.resampled.first().map_or(0, Vec::len)];
    for run in &lent.resampled {
        add(&mut centres, run, 1.0 / count);
    }
    Stratum {
        runs: (lent.runs.iter())
            .map(|run| Run {
                lent: Some(who),
                ..*run
            })
            .collect(),
        values: lent
            .values
            .iter()
            .map(|value| scale * (value - centre))
            .collect(),
        resampled: (lent.resampled.iter())
            .map(|run| {
                run.iter()
                    .zip(&centres)
                    .map(|(drawn, centre)| scale * (drawn - centre))
                    .collect()
            })
            .collect(),
    }
}
