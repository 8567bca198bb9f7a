//! How much of a loss of accuracy does the threshold between two classes explain?

use serde::Serialize;

use super::{examples, rows, sample};
use crate::number::{interval, percent, share};
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws};
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::panel::Panel;
use promptshift_numbers::stats::ranking::at_matched_threshold;

/// The part of a gap that the threshold between two classes explains.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Threshold {
    /// The difference in the share of examples of the class, target − source.
    pub shift: Estimate,
    /// The gap in accuracy.
    pub gap: Estimate,
    /// How much smaller the gap is if, on both domains, as many examples are assigned to the class as belong to it.
    pub explained: Estimate,
}

/// The samples of a method's runs, of the same runs at the matched threshold, and of the right answers.
pub(super) fn panel(records: &[&StoredRecord], domain: usize) -> Option<Panel> {
    let mut kinds = [Vec::new(), Vec::new(), Vec::new()];
    for stored in records {
        let ranked = rows(stored, domain)?;
        let matched = at_matched_threshold(&examples(&ranked));
        let all = stored.predictions[domain].iter().zip(&ranked).zip(matched);
        for ((prediction, one), matched) in all {
            let [own, is] = [one.said == one.is, one.is].map(|yes| f64::from(u8::from(yes)));
            for (kind, numerator) in kinds.iter_mut().zip([own, matched, is]) {
                kind.push(sample(stored, prediction, numerator));
            }
        }
    }
    Some(Panel::new(&kinds))
}

/// The loss from the threshold on each target, from the panels of all domains, source first.
pub(super) fn thresholds(panels: &[Panel]) -> Option<Vec<Threshold>> {
    let draws = Bootstrap::default().scores(panels);
    let all: Vec<[&Draws; 3]> = (draws.iter())
        .map(|kinds| match kinds.as_slice() {
            [Some(own), Some(matched), Some(is)] => Some([own, matched, is]),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let ([own, matched, is], targets) = all.split_first()?;
    let of_target = |target: &[&Draws; 3]| {
        let gap = own.minus(target[0]);
        Threshold {
            shift: target[2].minus(is).estimate(),
            explained: gap.minus(&matched.minus(target[1])).estimate(),
            gap: gap.estimate(),
        }
    };
    Some(targets.iter().map(of_target).collect())
}

/// How much of a loss the threshold explains, in words.
pub(super) fn explained(threshold: &Threshold) -> String {
    let Threshold { gap, explained, .. } = threshold;
    let range = interval(explained.interval);
    let size = percent(explained.value);
    if gap.interval.low <= 0.0 {
        return "no loss of accuracy is shown".to_owned();
    }
    let lost = percent(gap.value);
    match explained.interval {
        _ if explained.interval.low > 0.0 => format!(
            "the threshold explains {size} {range} of the {lost} points lost ({})",
            share((explained.value / gap.value).min(1.0))
        ),
        _ if explained.interval.high < 0.0 => {
            format!(
                "the threshold hides a larger loss: it would be {} points more than the observed {lost}",
                percent(-explained.value)
            )
        }
        _ => format!(
            "the threshold is not shown to explain any of the {lost} points lost ({size} {range})"
        ),
    }
}
