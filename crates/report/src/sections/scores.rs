//! What does each method score on the source and on the targets?

use crate::chart::{self, Axis, Chart, Colour, Key, Mark, Panel, Shape, Side, Stroke};
use crate::document::{Block, Figure, Table, line, or_dash};
use crate::number::{capital, count, gap, joined, list, metric_title, percent, spread, whole};
use crate::results::{Domain, DomainScore, MethodResult, Results};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::estimate::mean;

/// The greatest number of columns that are read at a glance: those of three methods with their gaps.
const WIDEST: usize = 9;

/// The tables of both metrics and the figures.
pub fn blocks(results: &Results, suffix: &str) -> Vec<Block> {
    let mut blocks = vec![
        Block::heading("Scores"),
        table(results).into(),
        Block::text(caption(results)),
    ];
    if results.is_of_many() {
        let featured = results.featured();
        let titles = featured.tuned().map(|one| one.title.as_str());
        blocks.push(methods(results, suffix).into());
        blocks.push(Block::text(format!(
            "The figures below show {}: the paper's two methods and those with the highest mean target scores.",
            list(titles)
        )));
    }
    blocks.push(slopes(&results.featured(), suffix).into());
    blocks.extend([
        Block::Heading(format!(
            "The other metric: {}",
            metric_title(results.second_metric)
        )),
        second(results).into(),
    ]);
    blocks
}

fn table(results: &Results) -> Table {
    let methods = results.reported_and_untuned();
    let mut header = vec![metric_title(results.metric).to_owned()];
    for method in &methods {
        header.push(results.title(*method).to_owned());
        header.push("gap [95 %]".to_owned());
    }
    header.push("floor".to_owned());
    let mut rows: Vec<Vec<String>> = (results.domains.iter().enumerate())
        .map(|(index, domain)| {
            let mut row = vec![results.domain_title(index)];
            for method in &methods {
                row.push(results.cell(*method, |result| score(&result.scores[index])));
                row.push(results.cell(*method, |result| or_dash(result.scores[index].gap, gap)));
            }
            row.push(or_dash(domain.floor(), percent));
            row
        })
        .collect();
    if results.targets.len() > 1 {
        rows.push(averages(results, &methods));
    }
    Table::new(header).rows(rows).no_wider_than(WIDEST)
}

/// The last row: means over targets.
fn averages(results: &Results, methods: &[Method]) -> Vec<String> {
    let score = |result: &MethodResult| or_dash(result.mean_target, |mean| percent(mean.value));
    let mut row = vec!["**mean of targets**".to_owned()];
    for method in methods {
        row.push(results.cell(*method, score));
        row.push(results.cell(*method, |result| or_dash(result.mean_gap, gap)));
    }
    let floors = results.domains[1..].iter().map(Domain::floor);
    let floors: Option<Vec<f64>> = floors.collect();
    row.push(or_dash(floors.and_then(|floors| mean(&floors)), percent));
    row
}

fn score(scores: &DomainScore) -> String {
    spread(scores.score.value, scores.deviation)
}

/// The metric and the number of scored examples.
fn caption(results: &Results) -> String {
    let size = |domain: &Domain| {
        format!(
            "{} on {} ({} split)",
            count(domain.examples, "example"),
            count(domain.passages, "passage"),
            domain.split
        )
    };
    let first = size(&results.domains[0]);
    let scored = match results.domains.iter().all(|domain| size(domain) == first) {
        true => format!("{first} of each domain"),
        false => {
            let named = |domain: &Domain| format!("{} {}", domain.name, size(domain));
            list(results.domains.iter().map(named))
        }
    };
    format!(
        "{} in percent, mean ± standard deviation over seeds; gap = source − target, in points, with 95 % interval. \
         Scored: {scored}.",
        capital(metric_title(results.metric)),
    )
}

/// The other metric, without intervals.
fn second(results: &Results) -> Table {
    let methods = results.reported_and_untuned();
    let titles = methods.iter().map(|method| results.title(*method));
    let header = line(metric_title(results.second_metric), titles);
    let rows = results.domains.iter().enumerate().map(|(index, domain)| {
        let score = |method: &Method| {
            results.cell(*method, |result| {
                let scores = &result.scores[index];
                spread(scores.second, scores.second_deviation)
            })
        };
        line(&domain.name, methods.iter().map(score))
    });
    Table::new(header).rows(rows).no_wider_than(WIDEST)
}

/// All scores of runs, ends of intervals and floors.
fn shown(results: &Results) -> impl Iterator<Item = f64> {
    let scores = results.methods.iter().flat_map(|result| &result.scores);
    let scores = scores.flat_map(|scores| {
        let ends = [scores.score.interval.low, scores.score.interval.high];
        scores.by_seed.iter().copied().chain(ends)
    });
    scores.chain(results.domains.iter().filter_map(Domain::floor))
}

/// Scores from source to target: a panel for each target, a line for each method.
fn slopes(results: &Results, suffix: &str) -> Figure {
    let mut keys: Vec<Key> = (results.tuned().chain(results.method(Method::Untuned)))
        .map(|result| Key::method(result.title.as_str(), result.method))
        .collect();
    if results.tuned().any(|result| result.seeds.len() > 1) {
        keys.push(Key::line("one seed", Stroke::Pale, Colour::Faint));
    }
    keys.push(Key::interval());
    if (results.domains.iter()).any(|domain| domain.floor().is_some()) {
        keys.push(Key::floor());
    }
    let metric = metric_title(results.metric);
    let panel = |target: usize| {
        let domains = [0, target + 1];
        Panel {
            x: Axis::places("", &domains.map(|at| results.domains[at].name.clone())),
            y: Axis::scores(format!("{metric} [%]"), shown(results)),
            marks: slope_marks(results, domains),
        }
    };
    let count = results.targets.len();
    let transfer = results.transfer();
    let averaged = if count == 1 { "" } else { ", targets averaged" };
    Chart {
        title: format!("{} on {} and under shift", capital(metric), results.source),
        keys,
        panels: (0..count).map(panel).collect(),
        columns: chart::columns(count),
        plot: match count {
            1 => (540.0, 290.0),
            2 | 4 => (350.0, 230.0),
            _ => (290.0, 210.0),
        },
    }
    .figure(
        format!("scores{suffix}.svg"),
        format!(
            "Scores from source to target, {transfer}. {metric} in percent{averaged}: {}.",
            in_words(results)
        ),
    )
}

/// Source score and mean target score of each method.
fn in_words(results: &Results) -> String {
    let scores = |result: &MethodResult| {
        let (source, target) = (result.source().score.value, result.mean_target?.value);
        let [from, to] = [source, target].map(percent);
        Some(format!("{} from {from} to {to}", result.title))
    };
    let all = results.methods.iter().filter_map(scores);
    joined("; ", all)
}

fn slope_marks(results: &Results, domains: [usize; 2]) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (end, domain) in (0_u32..).map(f64::from).zip(domains) {
        if let Some(floor) = results.domains[domain].floor() {
            let dashes = vec![(end - 0.08, floor), (end + 0.08, floor)];
            marks.push(Mark::Line(dashes, Stroke::Dashed, Colour::Faint));
        }
    }
    // Methods are offset, so that intervals do not hide each other.
    let methods = results.methods.len() as f64;
    let apart = (0.2 / methods).min(0.05);
    let outside = 0.5 * apart * (methods - 1.0);
    for (number, result) in (0_u32..).map(f64::from).zip(&results.methods) {
        let colour = Colour::of(result.method);
        let aside = apart * number - outside;
        let ends = domains.map(|domain| &result.scores[domain]);
        let line = |one: f64, other: f64| vec![(aside, one), (1.0 + aside, other)];
        if result.seeds.len() > 1 {
            let seeds = ends[0].by_seed.iter().zip(&ends[1].by_seed);
            let line = |(one, other): (&f64, &f64)| line(*one, *other);
            marks.extend(seeds.map(|ends| Mark::Line(line(ends), Stroke::Pale, colour)));
        }
        let stroke = match result.method {
            Method::Untuned => Stroke::Thin,
            _ => Stroke::Bold,
        };
        let [one, other] = ends.map(|end| end.score);
        marks.push(Mark::Line(line(one.value, other.value), stroke, colour));
        let shape = Shape::of(result.method);
        marks.extend(Mark::estimate(aside, one, shape, colour));
        marks.extend(Mark::estimate(1.0 + aside, other, shape, colour));
        if result.method != Method::Untuned {
            let left = (-outside, Side::Left, one.value);
            for (x, side, value) in [left, (1.0 + outside, Side::Right, other.value)] {
                marks.push(Mark::Label((x, value), side, percent(value), colour));
            }
        }
    }
    marks
}

/// Many methods, a row for each, the most trainable parameters first: the source score and the mean over targets,
/// joined by the gap.
fn methods(results: &Results, suffix: &str) -> Figure {
    let metric = metric_title(results.metric);
    let ordered = results.by_parameters();
    let names: Vec<String> = (ordered.iter())
        .map(|result| format!("{}  {}", result.title, whole(result.trainable() as f64)))
        .collect();
    let sources = ordered.iter().map(|result| result.source().score);
    let scores = sources.chain(ordered.iter().filter_map(|result| result.mean_target));
    let ends = scores.flat_map(|score| [score.interval.low, score.interval.high]);
    let mut marks = Vec::new();
    for (row, result) in (0_u32..).map(f64::from).zip(&ordered) {
        let Some(target) = result.mean_target else {
            continue;
        };
        // The paper's two methods have their own colours, all others share one.
        let colour = match result.is_compared() {
            true => Colour::of(result.method),
            false => Colour::Faint,
        };
        let source = (result.source().score.value, row);
        let target_at = (target.value, row);
        marks.extend([
            Mark::Line(vec![source, target_at], Stroke::Bold, Colour::Grid),
            Mark::Across(target_at, target.interval, colour),
            Mark::Dot(target_at, Shape::Circle, colour),
            Mark::Dot(source, Shape::HollowCircle, colour),
        ]);
    }
    let source = format!("{} (source)", results.source);
    Chart {
        title: format!("{} on {} and under shift", capital(metric), results.source),
        keys: vec![
            Key::dot(source, Shape::HollowCircle, Colour::Faint),
            Key::dot(results.target(), Shape::Circle, Colour::Faint),
            Key::interval(),
        ],
        panels: vec![Panel {
            x: Axis::scores(format!("{metric} [%]"), ends),
            y: Axis::places("method, trainable parameters", &names),
            marks,
        }],
        columns: 1,
        plot: (560.0, 24.0 * ordered.len() as f64),
    }
    .figure(
        format!("methods{suffix}.svg"),
        format!(
            "Source score and mean score over targets of {}, the most trainable parameters first, {}. {metric} in \
             percent: {}.",
            count(results.tuned().count(), "method"),
            results.transfer(),
            in_words(results)
        ),
    )
}
