//! The paper's conclusions next to our measurements, in reports of ablations.

use crate::document::{Block, Table};
use crate::number::{difference, percent};
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::Estimate;

/// A conclusion of the paper and our measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The paper's conclusion; `[MEM]` marks one quoted from memory.
    pub paper: &'static str,
    /// Our measurement.
    pub measured: String,
    /// Whether both agree.
    pub verdict: Verdict,
}

/// Whether the measurement agrees with the paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The interval is on the paper's side of zero, or of the margin for "small".
    Agrees,
    /// It is on the other side.
    Disagrees,
    /// It includes zero, or the margin.
    Undecided {
        /// The smallest difference that such a study detects with 80 % power, in [0, 1].
        detectable: f64,
    },
    /// The required settings have not been run.
    Missing,
}

/// What the interval behind a verdict covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Population {
    SeedsAndPassages,
    /// Passages, with the trained models held fixed.
    Passages,
}

impl Finding {
    /// A difference, named `what`, that the paper found above zero.
    pub fn positive(
        paper: &'static str,
        what: &str,
        draws: Option<&Draws>,
        population: Population,
    ) -> Finding {
        Finding::of(paper, what, draws, population, Verdict::above_zero)
    }

    /// A difference that the paper found small: below `margin`, in [0, 1].
    pub fn small(
        paper: &'static str,
        what: &str,
        margin: f64,
        draws: Option<&Draws>,
        population: Population,
    ) -> Finding {
        let what = format!("{what} (small: below {})", percent(margin));
        Finding::of(paper, &what, draws, population, |estimate, detectable| {
            Verdict::below(margin, estimate, detectable)
        })
    }

    fn of(
        paper: &'static str,
        what: &str,
        draws: Option<&Draws>,
        population: Population,
        verdict: impl FnOnce(Estimate, f64) -> Verdict,
    ) -> Finding {
        let Some(draws) = draws else {
            return Finding {
                paper,
                measured: format!("{what}: not run"),
                verdict: Verdict::Missing,
            };
        };
        let draws = match population {
            Population::SeedsAndPassages => draws.clone(),
            Population::Passages => draws.of_these_runs(),
        };
        let estimate = draws.estimate();
        Finding {
            paper,
            measured: format!("{what}: {}", difference(estimate)),
            verdict: verdict(estimate, draws.detectable()),
        }
    }
}

impl Verdict {
    /// The verdict on a difference that the paper found above zero.
    fn above_zero(estimate: Estimate, detectable: f64) -> Verdict {
        match estimate.interval {
            interval if interval.low > 0.0 => Verdict::Agrees,
            interval if interval.high < 0.0 => Verdict::Disagrees,
            _ => Verdict::Undecided { detectable },
        }
    }

    /// The verdict on a difference that the paper found below a margin.
    fn below(margin: f64, estimate: Estimate, detectable: f64) -> Verdict {
        match estimate.interval {
            interval if interval.high < margin => Verdict::Agrees,
            interval if interval.low > margin => Verdict::Disagrees,
            _ => Verdict::Undecided { detectable },
        }
    }

    fn words(self) -> String {
        match self {
            Verdict::Agrees => "agrees".to_owned(),
            Verdict::Disagrees => "disagrees".to_owned(),
            Verdict::Undecided { detectable } => {
                format!(
                    "inconclusive: 80 % power from {} points",
                    percent(detectable)
                )
            }
            Verdict::Missing => "not run".to_owned(),
        }
    }
}

/// The table of findings, under its heading.
pub fn blocks(findings: &[Finding]) -> Vec<Block> {
    if findings.is_empty() {
        return Vec::new();
    }
    let rows = findings.iter().map(|finding| {
        vec![
            finding.paper.to_owned(),
            finding.measured.clone(),
            finding.verdict.words(),
        ]
    });
    let header = ["the paper", "here, in points [95 %]", "verdict"];
    vec![
        Block::heading("The paper's conclusions and ours"),
        Table::new(header).words(&[0, 1, 2]).rows(rows).into(),
        Block::text("[MEM]: from memory, not checked against the paper's text."),
    ]
}

/// The note on generated text.
pub fn generated(suite: &str) -> Option<Block> {
    (suite == "mini").then(|| {
        Block::text(
            "> **Generated text, and a model of 1.5 million parameters.** The domains of suite `mini` are generated \
             by grammars; the paper's ablations use T5 from small to XXL on SuperGLUE. Agreement here is agreement \
             at a small scale; disagreement may be due to the size or to the text.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_depend_on_the_interval() {
        let estimate = |low, high| Estimate::new(0.5 * (low + high), low, high);
        let above = |low, high| Verdict::above_zero(estimate(low, high), 0.123);
        assert_eq!(above(0.01, 0.2), Verdict::Agrees);
        assert_eq!(above(-0.2, -0.01), Verdict::Disagrees);
        let open = above(-0.1, 0.2);
        assert_eq!(open.words(), "inconclusive: 80 % power from 12.3 points");

        let below = |low, high| Verdict::below(0.02, estimate(low, high), 0.1);
        assert_eq!(below(-0.01, 0.015), Verdict::Agrees);
        assert_eq!(below(0.03, 0.05), Verdict::Disagrees);
        let detectable = 0.1;
        assert_eq!(below(0.01, 0.05), Verdict::Undecided { detectable });
    }
}
