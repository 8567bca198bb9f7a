//! Effective robustness: does prompt tuning score higher on a target than model tuning with the same
//! source score would?

use serde::Serialize;

use crate::document::{Block, Table, or_dash};
use crate::number::{count, difference, gap, percent};
use crate::resamples::Resamples;
use crate::results::Results;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Training;
use promptshift_numbers::record::checkpoint::Checkpoint;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::robustness::{Line, Point, fit};

/// Prompt tuning against the line of model tuning on one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Robustness {
    /// The runs of model tuning, at their best step.
    pub points: Vec<Point>,
    /// The same runs at checkpoints during training.
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
pub fn robustness(resamples: &Resamples) -> Vec<Robustness> {
    (resamples.targets())
        .filter_map(|target| on(resamples, target))
        .collect()
}

fn on(resamples: &Resamples, target: usize) -> Option<Robustness> {
    let study = resamples.study;
    let by_seed = |domain: usize| resamples.by_seed(domain, Method::Model);
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
    let passed = passed(study, resamples.metric);
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
    let source = resamples.score(0, Method::Prompt)?.value();
    let score = resamples.score(target, Method::Prompt)?.estimate();
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

/// The checkpoints of model tuning's runs, except the best step of each: that is the run itself.
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

/// Prompt tuning against the line of model tuning; empty where one of them has no records.
pub fn blocks(results: &Results, all: &[Robustness]) -> Vec<Block> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let through = match first.checkpoints.is_empty() {
        true => "runs of model tuning",
        false => "runs of model tuning and their checkpoints",
    };
    let question = format!(
        "Does prompt tuning score higher on a target than model tuning with the same source score would? A line is \
         fitted through {through}, logit of target score against logit of source score (Taori et al. 2020, Miller et \
         al. 2021), and prompt tuning is compared with it."
    );
    let heading = Block::heading("Effective robustness");
    let about = about(first);
    // With the same runs on every target, one reason mostly holds for all.
    let same = all.iter().all(|target| target.reason == first.reason);
    if let (Some(reason), true) = (&first.reason, same) {
        let words = format!("{question} Not possible here: {reason}.{about}");
        return vec![heading, Block::text(words)];
    }
    let reasons: String = (results.targets.iter().zip(all))
        .filter_map(|(name, found)| Some(format!(" {name}: {}.", found.reason.as_ref()?)))
        .collect();
    vec![
        heading,
        Block::text(question),
        table(results, all).into(),
        Block::text(format!(
            "Expected: the line at prompt tuning's source score, with its 95 % band. Above: prompt tuning's target \
             score − expected, in points.{reasons}{about}"
        )),
    ]
}

/// What the points are, and what limits them.
fn about(found: &Robustness) -> String {
    if found.checkpoints.is_empty() {
        return String::new();
    }
    format!(
        " Of the {} points, {} are checkpoints: runs during training, scored on at most {} examples of each test split. \
         Points of one run are not independent, so the band comes from leaving out one run at a time and is limited by \
         {}. The cited papers fit many independently trained models; a training trajectory may lie above the line of \
         finished models (Andreassen et al. 2021), which would make this line a stricter comparison.",
        found.points.len() + found.checkpoints.len(),
        found.checkpoints.len(),
        found.checkpoint_examples,
        count(found.points.len(), "run"),
    )
}

fn table(results: &Results, all: &[Robustness]) -> Table {
    let header = [
        "",
        "runs",
        "checkpoints",
        "slope",
        "intercept",
        "R²",
        "source scores",
        "expected [95 %]",
        "above [95 %]",
    ];
    let rows = results.targets.iter().zip(all).map(|(name, found)| {
        let line = |show: &dyn Fn(&Line) -> String| or_dash(found.line.as_ref(), show);
        vec![
            name.clone(),
            found.points.len().to_string(),
            found.checkpoints.len().to_string(),
            line(&|line| format!("{:.2}", line.slope)),
            line(&|line| format!("{:.2}", line.intercept)),
            line(&|line| format!("{:.2}", line.r_squared)),
            line(&|line| format!("{} to {}", percent(line.low), percent(line.high))),
            or_dash(found.expected, gap),
            or_dash(found.above, difference),
        ]
    });
    Table::new(header).rows(rows)
}
