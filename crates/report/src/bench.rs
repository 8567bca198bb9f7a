//! The report on benchmarks: the results of `cargo bench` as tables and a figure.

mod cards;
mod criterion;

use std::collections::{BTreeMap, BTreeSet};

pub use cards::{Card, PEAK, peak_tflops};
pub use criterion::{BenchError, Benchmarks, FILE, Measured};

use crate::chart::{Axis, Chart, Colour, Key, Mark, Panel, Scale, Shape, Stroke};
use crate::document::{Block, Document, Figure, Table};
use crate::number::{bytes, joined, share, whole};

/// The group with peaks of memory rather than times.
const MEMORY: &str = "peak_memory/train_step";
/// The groups with the parts of peaks, and the names of their columns. On a device the last is not measured.
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
    let trained = || {
        all.iter()
            .filter(|one| one.group == STEPS || one.group == MEMORY)
    };
    if trained().any(|one| one.place().is_none()) {
        blocks.extend(Block::section(
            "A training step of each method",
            steps(all),
            "Every method of a model has the same batch. Peak host memory is that of the CPU's allocator during a \
             step, including weights. Relative to model tuning: divided by model tuning's time or memory on the same \
             model.",
        ));
        let memory = memory_parts(all, None);
        if !memory.rows.is_empty() {
            blocks.extend(Block::section(
                "Peak host memory by parts",
                memory,
                "Weights, gradients and optimiser state are the sizes of their tensors; activations are everything \
                 else that the step allocated, including the working memory of operations; the remainder was \
                 allocated before it.",
            ));
        }
    }
    let places: BTreeSet<&str> = trained().filter_map(Measured::place).collect();
    for place in places {
        blocks.extend(on_device(benchmarks, place));
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
        if let Some(counted) = operations.get(without_place(name)) {
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
    let counted = (benchmarks.operations.get(without_place(model))).and_then(|line| times(line));
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

fn without_place(model: &str) -> &str {
    model.split('@').next().unwrap_or(model)
}

/// Time per token in microseconds, by model, place and input length.
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

/// A step of each method on the CPU.
fn steps(all: &[Measured]) -> Table {
    let header = [
        WORK,
        "ms",
        "[95 %]",
        "tokens/s",
        "time relative to model tuning",
        "peak host memory",
        "memory relative to model tuning",
    ];
    let rows = steps_on(all, None).map(|step| {
        let [time, memory, relative_memory] = against_model_tuning(all, step);
        let mut cells = timed(step);
        cells.extend([time, memory, relative_memory]);
        cells
    });
    Table::new(header).rows(rows)
}

/// The header of the column with [`Measured::work`] and the length.
const WORK: &str = "method, model, input tokens";

fn steps_on<'a>(all: &'a [Measured], place: Option<&'a str>) -> impl Iterator<Item = &'a Measured> {
    (all.iter()).filter(move |one| one.group == STEPS && one.place() == place)
}

/// Work, time with its interval, and tokens per second.
fn timed(step: &Measured) -> Vec<String> {
    vec![
        format!("{}, {}", step.work(), step.length.unwrap_or_default()),
        milliseconds(step.median[0]),
        interval(step),
        step.rate().map_or(String::new(), whole),
    ]
}

/// The step's time relative to model tuning, its memory, and that relative to model tuning, all at the same place.
fn against_model_tuning(all: &[Measured], step: &Measured) -> [String; 3] {
    let of = |group: &str, name: &str| {
        let found = (all.iter())
            .find(|one| one.group == group && one.name == name && one.length == step.length);
        found.map(|one| one.median[0])
    };
    let ratio = |value: f64, whole: Option<f64>| match whole {
        Some(whole) => format!("{:.2}", value / whole),
        None => String::new(),
    };
    let model = step.name.rsplit('/').next().unwrap_or_default();
    let tuning = format!("model/{model}");
    let memory = of(MEMORY, &step.name);
    [
        ratio(step.median[0], of(STEPS, &tuning)),
        memory.map_or(String::new(), |memory| bytes(memory as u64)),
        memory.map_or(String::new(), |memory| ratio(memory, of(MEMORY, &tuning))),
    ]
}

/// The sections on one device.
fn on_device(benchmarks: &Benchmarks, place: &str) -> Vec<Block> {
    let all = &benchmarks.measured;
    let (device, precision) = place.rsplit_once(',').unwrap_or((place, ""));
    let card = benchmarks.cards.get(place);
    let name = card.and_then(|card| card.name.as_deref()).unwrap_or(device);
    let peak = card.and_then(|card| card.peak_tflops);
    let header = [
        WORK,
        "ms",
        "[95 %]",
        "tokens/s",
        "TFLOP/s",
        "share of the card's peak",
        "time relative to model tuning",
        "reserved peak",
        "memory relative to model tuning",
    ];
    let rows = steps_on(all, Some(place)).map(|step| {
        // 10¹² operations per second.
        let rate = (benchmarks.step_operations.get(&step.work_and_length()))
            .map(|operations| operations / step.median[0] / 1e3);
        let mut cells = timed(step);
        cells.extend([
            rate.map_or(String::new(), |rate| format!("{rate:.1}")),
            (rate.zip(peak)).map_or(String::new(), |(rate, peak)| share(rate / peak)),
        ]);
        cells.extend(against_model_tuning(all, step));
        cells
    });
    let of_peak = match peak {
        Some(peak) => format!("the card's peak is {peak} TFLOP/s in {precision}"),
        None => format!("the card's peak in {precision} is not known here ({PEAK} sets it)"),
    };
    let mut blocks = Block::section(
        format!("A training step of each method on {name}"),
        Table::new(header).rows(rows),
        format!(
            "Device {device}, products of matrices in {precision}. Operations are two for each weight and token in \
             each pass, without attention's scores and the optimiser; {of_peak}. The reserved peak is what the \
             device's memory pools took from its driver for a step, free parts of pools included."
        ),
    )
    .to_vec();
    let memory = memory_parts(all, Some(place));
    if !memory.rows.is_empty() {
        blocks.extend(Block::section(
            format!("Reserved peak by parts on {name}"),
            memory,
            "Weights, gradients and optimiser state are the sizes of their tensors; the remainder is activations, \
             working memory of operations, and free parts of the pools.",
        ));
    }
    blocks
}

/// A row for each peak at a place whose parts were measured.
fn memory_parts(all: &[Measured], place: Option<&str>) -> Table {
    // Activations on a device are part of the remainder.
    let groups = match place {
        None => &MEMORY_PARTS[..],
        Some(_) => &MEMORY_PARTS[..3],
    };
    let rows = all
        .iter()
        .filter(|one| one.group == MEMORY && one.place() == place)
        .filter_map(|peak| {
            let part = |group: &str| {
                let of = |one: &&Measured| {
                    one.group == group && one.name == peak.name && one.length == peak.length
                };
                all.iter().find(of).map(|one| one.median[0])
            };
            let found: Vec<Option<f64>> = (groups.iter().map(|(group, _)| part(group))).collect();
            // Criterion does not store parts that are zero.
            let known: f64 = found.iter().flatten().sum();
            found.iter().any(Option::is_some).then(|| {
                let name = format!("{}, {}", peak.work(), peak.length.unwrap_or_default());
                let shown = (found.iter()).map(|part| bytes(part.unwrap_or_default() as u64));
                let rest = bytes((peak.median[0] - known).max(0.0) as u64);
                [name].into_iter().chain(shown).chain([rest]).collect()
            })
        });
    let names = groups.iter().map(|(_, name)| *name);
    let header = [WORK].into_iter().chain(names);
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
    fn a_device_has_sections_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), ["train_step", "prompt/small", "256"], 2e9);
        write(folder.path(), [MEMORY, "prompt/small", "256"], 8e8);
        let on = |name: &str| format!("{name}@cuda:0,tf32");
        let [prompt, model] = ["prompt/small", "model/small"].map(on);
        write(folder.path(), ["train_step", &prompt, "256"], 1e7);
        write(folder.path(), ["train_step", &model, "256"], 2e7);
        write(folder.path(), [MEMORY, &prompt, "256"], 2e9);
        write(folder.path(), [MEMORY, &model, "256"], 4e9);
        write(folder.path(), ["peak_memory/weights", &prompt, "256"], 3e8);
        write(folder.path(), ["encoder", &on("small"), "256"], 1e7);
        let mut all = benchmarks(folder.path());
        assert_eq!(Vec::from_iter(all.places()), ["cuda:0,tf32"]);
        let operations = ("prompt/small/256".to_owned(), 1.56e11);
        all.step_operations = BTreeMap::from([operations]);
        let card = |peak_tflops| Card {
            name: Some("NVIDIA A100-SXM4-40GB".to_owned()),
            peak_tflops,
        };
        let of = |all: &Benchmarks| document(all).markdown("figures");
        all.cards = BTreeMap::from([("cuda:0,tf32".to_owned(), card(Some(156.0)))]);
        let text = of(&all);
        // 1.56e11 operations in 10 ms are 15.6 TFLOP/s, a tenth of the peak.
        let row = "| prompt/small, 256 | 10.0 | [9.00, 11.0] | 200,000 | 15.6 | 10 % | 0.50 | 2.00 GB | 0.50 |";
        assert!(text.contains(row), "{text}");
        let tuning =
            "| model/small, 256 | 20.0 | [18.0, 22.0] | 100,000 |  |  | 1.00 | 4.00 GB | 1.00 |";
        assert!(text.contains(tuning), "{text}");
        assert!(text.contains("on NVIDIA A100-SXM4-40GB"), "{text}");
        let parts = "| prompt/small, 256 | 300.0 MB | 0 B | 0 B | 1.70 GB |";
        assert!(text.contains(parts), "{text}");
        // The CPU's row is in its own table, and compared with nothing of the device.
        let cpu = "| prompt/small, 256 | 2,000 | [1,800, 2,200] | 1,000 |  | 800.0 MB |  |";
        assert!(text.contains(cpu), "{text}");
        all.cards = BTreeMap::from([("cuda:0,tf32".to_owned(), card(None))]);
        assert!(of(&all).contains("is not known here (PROMPTSHIFT_PEAK_TFLOPS sets it)"));
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
