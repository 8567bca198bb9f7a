//! How were the recipes chosen, and might a longer search change the comparison?

use serde::Serialize;

use crate::chart::{Axis, Chart, Colour, Key, Mark, Panel, Point, Shape, Stroke};
use crate::document::{Block, Figure, Table, or_dash};
use crate::number::{capital, joined, list, metric_title, percent};
use crate::results::Results;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::search::{Search, Trial};
use promptshift_numbers::stats::runs::expected_best;

/// The search for one method's recipe. Scores are on source validation, in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodSearch {
    pub method: Method,
    /// Its trials.
    pub search: Search,
    /// The expected best score after one trial, two, and so on; a failed trial counts as a score of 0.
    pub expected: Vec<f64>,
}

/// The searches of the methods that have one.
pub fn searches(study: &Study) -> Vec<MethodSearch> {
    let of_method = |method: Method| {
        let search =
            (study.of(method).into_iter()).find_map(|stored| stored.record.search.clone())?;
        let scores: Vec<f64> = (search.trials.iter())
            .map(|trial| trial.validation_score().unwrap_or(0.0))
            .collect();
        Some(MethodSearch {
            method,
            expected: expected_best(&scores),
            search,
        })
    };
    Method::ALL.into_iter().filter_map(of_method).collect()
}

/// The section; empty if no recipe was searched for.
pub fn blocks(results: &Results, searches: &[MethodSearch], suffix: &str) -> Vec<Block> {
    let Some(seed) = searches.first().map(|one| one.search.seed) else {
        return Vec::new();
    };
    let words = format!(
        "{} on {} validation, in percent, at each trial's best step, with seed {seed}; no target was used. The \
         recipe of the best trial was then trained with the reported seeds. *Expected after k*: the expected maximum \
         of k of these trials (Dodge et al. 2019), with failed trials as 0; if it is still rising, a longer search \
         may change the comparison.",
        capital(metric_title(results.metric)),
        results.source
    );
    let table = table(results, searches);
    let mut blocks = Block::section("The search for recipes", table, words).to_vec();
    blocks.push(figure(&results.featured(), searches, suffix).into());
    blocks
}

fn most_trials(searches: &[MethodSearch]) -> usize {
    let trials = searches.iter().map(|one| one.expected.len());
    trials.max().unwrap_or(0)
}

fn table(results: &Results, searches: &[MethodSearch]) -> Table {
    let most = most_trials(searches);
    let header = ["", "learning rates tried: score", "chosen"];
    let header = header.map(str::to_owned).into_iter();
    let rows = searches.iter().map(|one| {
        let trial = |trial: &Trial| {
            let score = trial.validation_score();
            let score = score.map_or("failed".to_owned(), percent);
            format!("{}: {score}", trial.learning_rate)
        };
        let trials: Vec<String> = one.search.trials.iter().map(trial).collect();
        let chosen = one.search.trials.get(one.search.chosen);
        let mut row = vec![
            results.title(one.method).to_owned(),
            trials.join("; "),
            or_dash(chosen, |trial| trial.learning_rate.to_string()),
        ];
        row.extend((0..most).map(|k| or_dash(one.expected.get(k).copied(), percent)));
        row
    });
    Table::new(header.chain((1..=most).map(|k| format!("expected after {k}"))))
        .words(&[0, 1])
        .rows(rows)
}

/// The number of trials for the recipe of each trained method; 1 without a search.
pub fn trials(results: &Results, searches: &[MethodSearch]) -> Vec<(Method, usize)> {
    let trials = |method: Method| {
        let found = searches.iter().find(|one| one.method == method);
        found.map_or(1, |one| one.search.trials.len())
    };
    let trained = results.tuned().filter(|result| {
        let cost = result.cost.as_ref().and_then(|cost| cost.training.as_ref());
        cost.is_some_and(|cost| cost.steps > 0.0)
    });
    trained
        .map(|result| (result.method, trials(result.method)))
        .collect()
}

/// The numbers of trials in a sentence.
pub fn budget(results: &Results, searches: &[MethodSearch]) -> String {
    let trials = trials(results, searches);
    let mut counts: Vec<usize> = trials.iter().map(|(_, count)| *count).collect();
    counts.sort_unstable();
    counts.dedup();
    match counts.as_slice() {
        [] | [1] => "Every method had 1 trial: one recipe without a search.".to_owned(),
        [same] => {
            format!("Every method's recipe is the best of {same} trials on source validation.")
        }
        _ => {
            let each = trials.iter();
            let each = each.map(|(method, count)| format!("{} {count}", results.title(*method)));
            format!("**Not the same for all methods.** Trials: {}.", list(each))
        }
    }
}

/// The expected best score on source validation against the number of trials.
fn figure(results: &Results, searches: &[MethodSearch], suffix: &str) -> Figure {
    let shown: Vec<&MethodSearch> = (searches.iter())
        .filter(|one| results.method(one.method).is_some())
        .collect();
    let trials: Vec<String> = (1..=most_trials(searches)).map(|k| k.to_string()).collect();
    let (metric, source) = (metric_title(results.metric), &results.source);
    let scores = shown.iter().flat_map(|one| one.expected.iter().copied());
    let name = format!("expected best {metric} on {source} validation [%]");
    let mut marks = Vec::new();
    for one in &shown {
        let (shape, colour) = (Shape::of(one.method), Colour::of(one.method));
        let points = one.expected.iter().enumerate();
        let points: Vec<Point> = points
            .map(|(trial, score)| (trial as f64, *score))
            .collect();
        marks.push(Mark::Line(points.clone(), Stroke::Plain, colour));
        marks.extend(points.into_iter().map(|at| Mark::Dot(at, shape, colour)));
    }
    let found = (shown.iter()).filter_map(|one| {
        let (first, last) = (one.expected.first()?, one.expected.last()?);
        Some(format!(
            "{} from {} after one trial to {} after {}",
            results.title(one.method),
            percent(*first),
            percent(*last),
            one.expected.len()
        ))
    });
    Chart {
        title: "Expected best score against the number of trials".to_owned(),
        keys: (shown.iter())
            .map(|one| Key::method(results.title(one.method), one.method))
            .collect(),
        panels: vec![Panel {
            x: Axis::places("trials", &trials),
            y: Axis::scores(name, scores),
            marks,
        }],
        columns: 1,
        plot: (562.0, 240.0),
    }
    .figure(
        format!("budget{suffix}.svg"),
        format!(
            "Expected best {metric} on {source} validation against trials: {}.",
            joined("; ", found)
        ),
    )
}
