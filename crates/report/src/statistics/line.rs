//! Effective robustness: whether prompt tuning keeps more than a model-tuning run with its source
//! score would.

use serde::Serialize;

use crate::comparison::Scores;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Training;
use promptshift_numbers::record::checkpoint::Checkpoint;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::panel::Panel;
use promptshift_numbers::stats::robustness::{Line, Point, fit};

/// Prompt tuning against the line of model tuning on one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Robustness {
    /// The runs of model tuning, as they ended.
    pub points: Vec<Point>,
    /// Those runs in the middle of their training.
    pub checkpoints: Vec<Point>,
    /// The most examples of a domain that a checkpoint was scored on; 0 without checkpoints.
    pub checkpoint_examples: usize,
    /// The line through both.
    pub line: Option<Line>,
    /// What model tuning with prompt tuning's source score is expected to score.
    pub expected: Option<Estimate>,
    /// How far prompt tuning scores above that.
    pub above: Option<Estimate>,
    /// Why there is no such number.
    pub reason: Option<String>,
}

/// On every target; nothing where prompt tuning or model tuning has no records.
pub(super) fn robustness(
    study: &Study,
    metric: Metric,
    panels: &[Panel],
    scores: &Scores,
) -> Vec<Robustness> {
    (1..panels.len())
        .filter_map(|target| on(study, metric, panels, scores, target))
        .collect()
}

fn on(
    study: &Study,
    metric: Metric,
    panels: &[Panel],
    scores: &Scores,
    target: usize,
) -> Option<Robustness> {
    let by_seed = |domain: usize| -> Option<Vec<f64>> {
        let runs = panels[domain].methods()[Method::Model as usize].as_ref()?;
        Some(runs.scores())
    };
    // Panels and studies have runs by ascending seeds.
    let points: Vec<Point> = by_seed(0)?
        .into_iter()
        .zip(by_seed(target)?)
        .enumerate()
        .map(|(run, (source, target))| Point {
            source,
            target,
            run,
        })
        .collect();
    let passed = passed(study, metric);
    let on_target = |(run, checkpoint): &(usize, &Checkpoint)| {
        let score = |domain: usize| {
            let name = &study.evaluations()[domain].domain;
            let found = checkpoint.scores.iter().find(|one| one.domain == *name)?;
            Some(found.score)
        };
        Some(Point {
            source: score(0)?,
            target: score(target)?,
            run: *run,
        })
    };
    let checkpoints: Vec<Point> = passed.iter().filter_map(on_target).collect();
    let examples = passed.iter().flat_map(|(_, one)| &one.scores);
    let source = scores.find(0, Method::Prompt)?.value();
    let score = scores.find(target, Method::Prompt)?.estimate();
    let fitted = fit(&[points.as_slice(), &checkpoints].concat());
    let above = match &fitted {
        Ok(line) => {
            (line.expected(source)).and_then(|expected| Ok((expected, line.above(source, score)?)))
        }
        Err(reason) => Err(*reason),
    };
    Some(Robustness {
        points,
        checkpoints,
        checkpoint_examples: examples.map(|one| one.examples).max().unwrap_or(0),
        line: fitted.ok(),
        expected: above.ok().map(|(expected, _)| expected),
        above: above.ok().map(|(_, above)| above),
        reason: above.err().map(|error| error.to_string()),
    })
}

/// The checkpoints of model tuning's runs, but for the one that a run kept: that is its end.
fn passed<'a>(study: &Study<'a>, metric: Metric) -> Vec<(usize, &'a Checkpoint)> {
    let runs = study.of(Method::Model).into_iter().enumerate();
    let trainings = runs.filter_map(|(run, stored)| Some((run, stored.record.training.as_ref()?)));
    trainings
        .flat_map(|(run, training): (usize, &Training)| {
            (training.checkpoints.iter())
                .filter(|one| one.step != training.best_step && one.metric == metric.name())
                .map(move |one| (run, one))
        })
        .collect()
}
