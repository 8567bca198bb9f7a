//! The report on benchmarks: the results of `cargo bench` as tables and a figure.

mod criterion;

use std::collections::BTreeMap;

pub use criterion::{BenchError, Benchmarks, FILE, Measured};

use crate::chart::{Axis, Chart, Colour, Key, Mark, Panel, Scale, Shape, Stroke};
use crate::document::{Block, Document, Figure, Table};
use crate::number::{bytes, joined, whole};

/// The group with peaks of memory rather than times.
const MEMORY: &str = "peak_memory/train_step";
/// The groups with the parts of peaks, and the names of their columns.
const MEMORY_PARTS: [(&str, &str); 4] = [
    ("peak_memory/weights", "weights"),
    ("peak_memory/gradients", "gradients"),
    ("peak_memory/optimizer_state", "optimiser state"),
    ("peak_memory/activations", "activations"),
];
/// The prefix of groups with peaks and their parts.
const PEAKS: &str = "peak_memory/";
/// The group with growing inputs.
const GROWTH: &str = "encoder";
/// The group that compares methods.
const STEPS: &str = "train_step";

/// The report.
pub fn document(benchmarks: &Benchmarks) -> Document {
    let all = &benchmarks.measured;
    let title = "Benchmarks".to_owned();
    let mut blocks = vec![
        Block::Title(title.clone()),
        Block::text(
            "Medians of `cargo bench` with 95 % intervals, from one session on one machine: they are comparable with \
             each other, not with other machines.",
        ),
    ];
    blocks.extend(Block::section(
        "A training step of each method",
        steps(all),
        "Every method of a model has the same batch. Peak memory is that of the CPU allocator during a step, \
         including weights. Relative to model tuning: divided by model tuning's time or memory on the same model.",
    ));
    let memory = memory_parts(all);
    if !memory.rows.is_empty() {
        blocks.extend(Block::section(
            "Peak memory by parts",
            memory,
            "Weights, gradients and optimiser state are the sizes of their tensors; activations are everything else \
             that the step allocated, including the working memory of operations; the remainder was allocated before \
             it.",
        ));
    }
    let lengths = growth_of(all);
    if !lengths.is_empty() {
        blocks.push(Block::heading("Growth with the input length"));
        let words = lengths
            .iter()
            .filter_map(|(model, line)| growth_in_words(model, line, benchmarks));
        blocks.extend(words.map(Block::text));
        blocks.push(growth(&lengths, &benchmarks.operations).into());
    }
    let Benchmarks {
        version,
        revision,
        processor,
        ..
    } = benchmarks;
    blocks.extend(Block::section(
        "Every part",
        parts(all),
        format!("promptshift {version} ({revision}), {processor}."),
    ));
    Document { title, blocks }
}

/// Input lengths and the amount per token, by model, from the shortest input on.
type Lines = BTreeMap<String, Vec<(usize, f64)>>;

/// Time per token of each model relative to the shortest input, and the growth of the number of operations as a pale
/// line.
fn growth(lines: &Lines, operations: &Lines) -> Figure {
    let relative = |line: &[(usize, f64)]| -> Vec<(f64, f64)> {
        let first = line.first().map_or(1.0, |point| point.1);
        let point = |(length, amount): &(usize, f64)| (*length as f64, amount / first);
        line.iter().map(point).collect()
    };
    let mut lengths: Vec<usize> = lines.values().flatten().map(|point| point.0).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let shortest = lengths.first().copied().unwrap_or(1) as f64;
    let longest = lengths
        .last()
        .map_or(2.0, |last| (*last as f64).max(shortest + 1.0));
    let multiples = lines.values().flat_map(|line| relative(line));
    let highest = multiples.map(|point| point.1).fold(1.0, f64::max).ceil();
    let (mut keys, mut marks) = (Vec::new(), Vec::new());
    for (number, (name, line)) in lines.iter().enumerate() {
        let (colour, points) = (Colour::Series(number), relative(line));
        keys.push(Key::series(name.as_str(), Shape::Circle, colour));
        if let Some(counted) = operations.get(name) {
            marks.push(Mark::Line(relative(counted), Stroke::Pale, colour));
        }
        marks.push(Mark::Line(points.clone(), Stroke::Plain, colour));
        marks.extend(
            points
                .into_iter()
                .map(|at| Mark::Dot(at, Shape::Circle, colour)),
        );
    }
    keys.push(Key::line(
        "operations per token",
        Stroke::Pale,
        Colour::Faint,
    ));
    let named = |(name, line): (&String, &Vec<(usize, f64)>)| {
        let points = (line.iter()).map(|(length, time)| format!("{time:.1} µs at {length}"));
        format!("{name}: {}", joined(", ", points))
    };
    let named = lines.iter().map(named);
    let ticks = lengths
        .iter()
        .map(|length| (*length as f64, length.to_string()));
    let multiples = (0..=highest as i32).map(|tick| (f64::from(tick), tick.to_string()));
    let y = "time per token, relative to the shortest input";
    Chart {
        title: "Time per token against input length".to_owned(),
        keys,
        panels: vec![Panel {
            x: Axis::new(
                "input tokens",
                Scale::Log(shortest, longest),
                ticks.collect(),
            ),
            y: Axis::new(y, Scale::Linear(0.0, highest), multiples.collect()),
            marks,
        }],
        columns: 1,
        plot: (480.0, 240.0),
    }
    .figure(
        "growth.svg",
        format!(
            "Time per token against input length. {}.",
            joined("; ", named)
        ),
    )
}

/// How a model's time per token grows, compared with the number of operations.
fn growth_in_words(model: &str, line: &[(usize, f64)], benchmarks: &Benchmarks) -> Option<String> {
    let times = |line: &[(usize, f64)]| {
        let (first, last) = (line.first()?, line.last()?);
        Some((first.0, last.0, last.1 / first.1))
    };
    let (shortest, longest, time) = times(line)?;
    let counted = (benchmarks.operations.get(model)).and_then(|line| times(line));
    let operations = match counted {
        Some((from, to, grown)) if (from, to) == (shortest, longest) => format!(
            ", with {grown:.2} times as many operations: attention's two products grow with the length"
        ),
        _ => String::new(),
    };
    Some(format!(
        "From {shortest} to {} input tokens, {model}'s encoder takes {time:.2} times as long per token{operations}.",
        whole(longest as f64)
    ))
}

/// Time per token in microseconds, by model and input length.
fn growth_of(all: &[Measured]) -> Lines {
    let mut lines = Lines::new();
    for one in all.iter().filter(|one| one.group == GROWTH) {
        if let (Some(length), Some(rate)) = (one.length, one.rate()) {
            let line = lines.entry(one.name.clone()).or_default();
            line.push((length, 1e6 / rate));
        }
    }
    lines
}

fn steps(all: &[Measured]) -> Table {
    let header = [
        "method, model, input tokens",
        "ms",
        "[95 %]",
        "tokens/s",
        "time relative to model tuning",
        "peak memory",
        "memory relative to model tuning",
    ];
    let of = |group: &str, name: &str, length| {
        all.iter()
            .find(|one| one.group == group && one.name == name && one.length == length)
    };
    let ratio = |value: f64, whole: Option<f64>| match whole {
        Some(whole) => format!("{:.2}", value / whole),
        None => String::new(),
    };
    let rows = (all.iter().filter(|one| one.group == STEPS)).map(|step| {
        let model = step.name.rsplit('/').next().unwrap_or_default();
        let tuning = format!("model/{model}");
        let time = of(STEPS, &tuning, step.length).map(|one| one.median[0]);
        let memory = of(MEMORY, &step.name, step.length).map(|one| one.median[0]);
        let most = of(MEMORY, &tuning, step.length).map(|one| one.median[0]);
        vec![
            format!("{}, {}", step.name, step.length.unwrap_or_default()),
            milliseconds(step.median[0]),
            interval(step),
            step.rate().map_or(String::new(), whole),
            ratio(step.median[0], time),
            memory.map_or(String::new(), |memory| bytes(memory as u64)),
            memory.map_or(String::new(), |memory| ratio(memory, most)),
        ]
    });
    Table::new(header).rows(rows)
}

/// A row for each peak whose parts were measured.
fn memory_parts(all: &[Measured]) -> Table {
    let rows = all
        .iter()
        .filter(|one| one.group == MEMORY)
        .filter_map(|peak| {
            let part = |group: &str| {
                let of = |one: &&Measured| {
                    one.group == group && one.name == peak.name && one.length == peak.length
                };
                all.iter().find(of).map(|one| one.median[0])
            };
            let found = MEMORY_PARTS.map(|(group, _)| part(group));
            // Criterion does not store parts that are zero.
            let known: f64 = found.iter().flatten().sum();
            found.iter().any(Option::is_some).then(|| {
                let name = format!("{}, {}", peak.name, peak.length.unwrap_or_default());
                let shown = found.map(|part| bytes(part.unwrap_or_default() as u64));
                let rest = bytes((peak.median[0] - known).max(0.0) as u64);
                [name].into_iter().chain(shown).chain([rest]).collect()
            })
        });
    let names = MEMORY_PARTS.map(|(_, name)| name);
    let header = ["method, model, input tokens"].into_iter().chain(names);
    Table::new(header.chain(["remainder"])).rows(rows)
}

fn parts(all: &[Measured]) -> Table {
    let is_part = |one: &&Measured| one.group != STEPS && !one.group.starts_with(PEAKS);
    let rows = all.iter().filter(is_part).map(|one| {
        let id = [one.group.clone(), one.name.clone()]
            .into_iter()
            .chain(one.length.map(|length| length.to_string()));
        vec![
            joined("/", id),
            milliseconds(one.median[0]),
            interval(one),
            one.rate().map_or(String::new(), |rate| {
                format!("{} {}/s", whole(rate), one.unit)
            }),
        ]
    });
    Table::new(["benchmark", "ms", "[95 %]", "throughput"]).rows(rows)
}

fn interval(one: &Measured) -> String {
    let [_, low, high] = one.median.map(milliseconds);
    format!("[{low}, {high}]")
}

/// Milliseconds with three significant digits.
fn milliseconds(nanoseconds: f64) -> String {
    let ms = nanoseconds / 1e6;
    match ms {
        _ if ms >= 100.0 => whole(ms),
        _ if ms >= 10.0 => format!("{ms:.1}"),
        _ if ms >= 1.0 => format!("{ms:.2}"),
        _ => format!("{ms:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::criterion::read;
    use super::*;

    fn benchmarks(folder: &Path) -> Benchmarks {
        let operations = BTreeMap::from([("nano".to_owned(), vec![(128, 2.0), (256, 3.0)])]);
        Benchmarks::of_criterion(folder, operations).expect("criterion's files")
    }

    fn write(folder: &Path, id: [&str; 3], median: f64) {
        let new = folder.join(id.join("_").replace('/', "_")).join("new");
        fs::create_dir_all(&new).expect("a folder");
        let [group, name, length] = id;
        let benchmark = serde_json::json!({
            "group_id": group, "function_id": name, "value_str": length,
            "throughput": {"Elements": 2000}, "full_id": "", "directory_name": "", "title": "",
        });
        let bounds = serde_json::json!({
            "confidence_level": 0.95, "lower_bound": median * 0.9, "upper_bound": median * 1.1,
        });
        let estimates = serde_json::json!({
            "median": {"point_estimate": median, "standard_error": 0.0,
                "confidence_interval": bounds},
        });
        fs::write(new.join("benchmark.json"), benchmark.to_string()).expect("written");
        fs::write(new.join("estimates.json"), estimates.to_string()).expect("written");
    }

    #[test]
    fn methods_are_compared_with_model_tuning() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), ["train_step", "prompt/nano", "128"], 5e7);
        write(folder.path(), ["train_step", "model/nano", "128"], 1e8);
        write(folder.path(), [MEMORY, "prompt/nano", "128"], 3e7);
        write(folder.path(), [MEMORY, "model/nano", "128"], 4e7);
        for (group, bytes) in [("weights", 6e6), ("gradients", 1e6), ("activations", 2e7)] {
            let group = format!("{PEAKS}{group}");
            write(folder.path(), [&group, "prompt/nano", "128"], bytes);
        }
        write(folder.path(), ["encoder", "nano", "128"], 1e7);
        write(folder.path(), ["encoder", "nano", "256"], 2e7);
        let all = benchmarks(folder.path());
        let document = document(&all);
        let text = document.markdown("figures");
        assert!(text.contains("takes 2.00 times as long per token, with 1.50 times"));
        let kept = serde_json::to_string(&all).expect("plain data");
        fs::write(folder.path().join(FILE), kept).expect("written");
        assert_eq!(Benchmarks::kept(folder.path()).expect("kept"), all);
        assert!(
            text.contains(
                "| prompt/nano, 128 | 50.0 | [45.0, 55.0] | 40,000 | 0.50 | 30.0 MB | 0.75 |"
            ),
            "{text}"
        );
        let parts = "| prompt/nano, 128 | 6.0 MB | 1.0 MB | 0 B | 20.0 MB | 3.0 MB |";
        assert!(text.contains(parts), "{text}");
        assert!(!text.contains("| peak_memory"), "{text}");
        assert!(text.contains("| encoder/nano/128 | 10.0 | [9.00, 11.0] | 200,000 tokens/s |"));
        let figures: Vec<&Figure> = document.figures().collect();
        assert_eq!(figures.len(), 1);
        assert!(figures[0].alt.contains("nano: 5.0 µs at 128"));
    }

    #[test]
    fn files_that_are_not_criterions_are_named_in_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = read(folder.path()).expect_err("empty").to_string();
        assert!(error.contains("cargo bench"), "{error}");
        write(folder.path(), ["encoder", "nano", "128"], 1e7);
        let file = folder.path().join("encoder_nano_128/new/estimates.json");
        fs::write(&file, "{}").expect("written");
        let error = read(folder.path()).expect_err("damaged").to_string();
        assert!(error.contains("estimates.json"), "{error}");
    }
}
