//! Effective robustness: whether prompt tuning keeps more than a model-tuning run with its source
//! score would.

use serde::Serialize;

use crate::recipe::Method;
use crate::report::comparison::Scores;
use crate::stats::estimate::Estimate;
use crate::stats::panel::Panel;
use crate::stats::robustness::{Line, Point, fit};

/// Prompt tuning against the line of model tuning on one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Robustness {
    /// The runs of model tuning.
    pub points: Vec<Point>,
    /// The line through them.
    pub line: Option<Line>,
    /// What model tuning with prompt tuning's source score is expected to score.
    pub expected: Option<Estimate>,
    /// How far prompt tuning scores above that.
    pub above: Option<Estimate>,
    /// Why there is no such number.
    pub reason: Option<String>,
}

/// On every target; nothing where prompt tuning or model tuning has no records.
pub(super) fn robustness(panels: &[Panel], scores: &Scores) -> Vec<Robustness> {
    (1..panels.len())
        .filter_map(|target| on(panels, scores, target))
        .collect()
}

fn on(panels: &[Panel], scores: &Scores, target: usize) -> Option<Robustness> {
    let by_seed = |domain: usize| -> Option<Vec<f64>> {
        let runs = panels[domain].methods()[Method::Model as usize].as_ref()?;
        Some(runs.scores())
    };
    let points: Vec<Point> = by_seed(0)?
        .into_iter()
        .zip(by_seed(target)?)
        .map(|(source, target)| Point { source, target })
        .collect();
    let source = scores.find(0, Method::Prompt)?.value();
    let score = scores.find(target, Method::Prompt)?.estimate();
    let fitted = fit(&points);
    let above = fitted.and_then(|line| Ok((line.expected(source)?, line.above(source, score)?)));
    Some(Robustness {
        points,
        line: fitted.ok(),
        expected: above.ok().map(|(expected, _)| expected),
        above: above.ok().map(|(_, above)| above),
        reason: above.err().map(|error| error.to_string()),
    })
}
