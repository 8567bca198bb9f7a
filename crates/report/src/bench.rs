//! Benchmarks as a report: what `cargo bench` left behind, as tables and a figure.
//!
//! Criterion keeps two files of each benchmark (`new/benchmark.json`, `new/estimates.json`) below
//! its folder, `target/criterion`. Their fields are those of criterion 0.8.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::ReportError;
use super::figures::{Figure, growth};
use super::markdown::table::TextTable;
use super::number::{bytes, whole};
use promptshift_numbers::provenance;

/// Peaks of memory rather than times stand in this group.
const MEMORY: &str = "peak_memory/train_step";
/// What they are made of, with the names of columns.
const MEMORY_PARTS: [(&str, &str); 4] = [
    ("peak_memory/weights", "weights"),
    ("peak_memory/gradients", "gradients"),
    ("peak_memory/optimizer_state", "optimiser state"),
    ("peak_memory/activations", "activations"),
];
/// How the groups of these two begin.
const PEAKS: &str = "peak_memory/";
/// The group that is measured over growing inputs.
const GROWTH: &str = "encoder";
/// The group that compares methods.
const STEPS: &str = "train_step";

/// Benchmarks that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No benchmark below the folder.
    #[error("{}: wanted what `cargo bench` writes (…/new/estimates.json), found none", .0.display())]
    Nothing(PathBuf),
    /// A folder or file can't be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not criterion's.
    #[error("{}: wanted a file of criterion 0.8, or of a report on one: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// The name of the file that a report's numbers are kept in.
pub const FILE: &str = "benchmarks.json";

/// What a report is made of, as it is kept beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Benchmarks {
    /// promptshift's version.
    pub version: String,
    /// The git revision of the program that read criterion's files.
    pub revision: String,
    /// The processor's name.
    pub processor: String,
    /// By model of the group `encoder`: input tokens, and the operations that the arithmetic of the
    /// encoder counts for each of them, in the units of [`Benchmarks::measured`]'s lengths.
    pub operations: BTreeMap<String, Vec<(usize, f64)>>,
    /// Every benchmark.
    pub measured: Vec<Measured>,
}

impl Benchmarks {
    /// Criterion's results below a folder, read on the machine that they were measured on.
    ///
    /// # Errors
    /// There is none, or a file is damaged.
    pub fn of_criterion(
        folder: &Path,
        operations: BTreeMap<String, Vec<(usize, f64)>>,
    ) -> Result<Self, BenchError> {
        Ok(Benchmarks {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: provenance::revision().to_owned(),
            processor: provenance::processor(),
            operations,
            measured: read(folder)?,
        })
    }

    /// Those that were kept in a report's folder.
    ///
    /// # Errors
    /// There are none, or the file is damaged.
    pub fn kept(folder: &Path) -> Result<Self, BenchError> {
        parse(&folder.join(FILE))
    }
}

/// One benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// `train_step`.
    pub group: String,
    /// `prompt/nano`, or a model alone.
    pub name: String,
    /// Input tokens, where the benchmark has a parameter.
    pub length: Option<usize>,
    /// What one iteration works on, in the unit of [`Measured::unit`].
    pub amount: Option<f64>,
    /// `tokens`, `bytes`, ...
    pub unit: String,
    /// The median with the ends of its 95 % interval, in nanoseconds, or bytes of peak memory.
    pub median: [f64; 3],
}

impl Measured {
    /// Work in a second.
    fn rate(&self) -> Option<f64> {
        self.amount.map(|amount| amount * 1e9 / self.median[0])
    }
}

#[derive(Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    throughput: Option<BTreeMap<String, f64>>,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// Every benchmark below criterion's folder, by group, name and length.
fn read(folder: &Path) -> Result<Vec<Measured>, BenchError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let io = |source| BenchError::Io {
            path: folder.clone(),
            source,
        };
        for entry in fs::read_dir(&folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if !path.is_dir() {
                continue;
            }
            // `base` and `change` beside it are of earlier runs.
            match path.file_name().is_some_and(|name| name == "new") {
                true => found.push(measured(&path)?),
                false => folders.push(path),
            }
        }
    }
    if found.is_empty() {
        return Err(BenchError::Nothing(folder.to_owned()));
    }
    found.sort_by(|one, two| {
        let key = |m: &Measured| (m.group.clone(), m.name.clone(), m.length);
        key(one).cmp(&key(two))
    });
    Ok(found)
}

fn measured(folder: &Path) -> Result<Measured, BenchError> {
    let benchmark: Benchmark = parse(&folder.join("benchmark.json"))?;
    let Estimates { median } = parse(&folder.join("estimates.json"))?;
    let amount = benchmark.throughput.and_then(|all| all.into_iter().next());
    let unit = match (&amount, benchmark.group_id.as_str()) {
        (Some((kind, _)), _) if kind == "Bytes" => "bytes",
        (_, STEPS | GROWTH) => "tokens",
        (_, "read_parquet") => "rows",
        _ => "examples",
    };
    Ok(Measured {
        group: benchmark.group_id,
        name: benchmark.function_id.unwrap_or_default(),
        length: benchmark.value_str.and_then(|value| value.parse().ok()),
        amount: amount.map(|(_, amount)| amount),
        unit: unit.to_owned(),
        median: [
            median.point_estimate,
            median.confidence_interval.lower_bound,
            median.confidence_interval.upper_bound,
        ],
    })
}

fn parse<T: DeserializeOwned>(path: &Path) -> Result<T, BenchError> {
    let contents = fs::read(path).map_err(|source| BenchError::Io {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&contents).map_err(|source| BenchError::Parse {
        path: path.to_owned(),
        source,
    })
}

/// The report and its figure, which `figure_folder` is to hold.
///
/// # Errors
/// The figure can't be drawn.
pub fn render(
    benchmarks: &Benchmarks,
    figure_folder: &str,
) -> Result<(String, Vec<Figure>), ReportError> {
    let all = &benchmarks.measured;
    let mut text = String::from(
        "# Benchmarks\n\nMedians of `cargo bench` with their 95 % intervals. Times of one machine in one \
         hour: compare them with each other, not with another machine's.\n\n",
    );
    text.push_str("## A training step of each method\n\n");
    text.push_str(&steps(all).markdown());
    text.push_str(
        "\nThe same batch for every method of a model. Peak memory is the CPU allocator's during a step, \
         weights included. Of model tuning: its share of model tuning's time and memory on the same \
         model.\n\n",
    );
    let memory = memory_parts(all);
    if !memory.rows.is_empty() {
        text.push_str("## Its peak memory by parts\n\n");
        text.push_str(&memory.markdown());
        text.push_str(
            "\nWeights, gradients and optimiser state are counted by their tensors; activations are what \
             else came with the step, working memory of operations included; left over is what was there \
             before it.\n\n",
        );
    }
    let mut figures = Vec::new();
    let lengths = growth_of(all);
    if !lengths.is_empty() {
        let figure = growth(&lengths, &benchmarks.operations)?;
        text.push_str("## Growth with the input\n\n");
        for (model, line) in &lengths {
            text.push_str(&growth_in_words(model, line, benchmarks));
        }
        text.push_str(&format!(
            "![{}]({figure_folder}/{})\n\n",
            figure.title, figure.name
        ));
        figures.push(figure);
    }
    text.push_str("## Every part\n\n");
    text.push_str(&parts(all).markdown());
    text.push_str(&format!(
        "\npromptshift {} ({}), {}.\n",
        benchmarks.version, benchmarks.revision, benchmarks.processor
    ));
    Ok((text, figures))
}

/// How a model's time a token grows, and how its arithmetic does.
fn growth_in_words(model: &str, line: &[(usize, f64)], benchmarks: &Benchmarks) -> String {
    let times = |line: &[(usize, f64)]| {
        let (first, last) = (line.first()?, line.last()?);
        Some((first.0, last.0, last.1 / first.1))
    };
    let Some((shortest, longest, time)) = times(line) else {
        return String::new();
    };
    let arithmetic = match benchmarks
        .operations
        .get(model)
        .and_then(|line| times(line))
    {
        Some((from, to, grown)) if (from, to) == (shortest, longest) => {
            format!(
                ", its arithmetic {grown:.2} times as much: attention's two products grow with the length"
            )
        }
        _ => String::new(),
    };
    format!(
        "From {shortest} to {} input tokens, {model}'s encoder takes {time:.2} times as long for each \
         token{arithmetic}.\n\n",
        whole(longest as f64)
    )
}

/// Model and time a token in microseconds, by input length.
fn growth_of(all: &[Measured]) -> BTreeMap<String, Vec<(usize, f64)>> {
    let mut lines: BTreeMap<String, Vec<(usize, f64)>> = BTreeMap::new();
    for one in all.iter().filter(|one| one.group == GROWTH) {
        if let (Some(length), Some(rate)) = (one.length, one.rate()) {
            let line = lines.entry(one.name.clone()).or_default();
            line.push((length, 1e6 / rate));
        }
    }
    lines
}

fn steps(all: &[Measured]) -> TextTable {
    let header = [
        "method, model, input tokens",
        "ms",
        "[95 %]",
        "tokens/s",
        "time of model tuning",
        "peak memory",
        "memory of model tuning",
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
    TextTable {
        words: &[0],
        rows: rows.collect(),
        header: header.map(str::to_owned).to_vec(),
    }
}

/// A row for each peak whose parts were kept.
fn memory_parts(all: &[Measured]) -> TextTable {
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
            // Criterion keeps nothing of a part that is zero.
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
    TextTable {
        words: &[0],
        rows: rows.collect(),
        header: (header.chain(["left over"])).map(str::to_owned).collect(),
    }
}

fn parts(all: &[Measured]) -> TextTable {
    let is_part = |one: &&Measured| one.group != STEPS && !one.group.starts_with(PEAKS);
    let rows = all.iter().filter(is_part).map(|one| {
        let id = [one.group.clone(), one.name.clone()]
            .into_iter()
            .chain(one.length.map(|length| length.to_string()));
        vec![
            id.collect::<Vec<_>>().join("/"),
            milliseconds(one.median[0]),
            interval(one),
            one.rate().map_or(String::new(), |rate| {
                format!("{} {}/s", whole(rate), one.unit)
            }),
        ]
    });
    TextTable {
        words: &[0],
        rows: rows.collect(),
        header: ["benchmark", "ms", "[95 %]", "throughput"]
            .map(str::to_owned)
            .to_vec(),
    }
}

fn interval(one: &Measured) -> String {
    let [_, low, high] = one.median.map(milliseconds);
    format!("[{low}, {high}]")
}

/// Three digits that count.
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
    fn methods_stand_beside_model_tuning() {
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
        let (text, figures) = render(&all, "figures").expect("drawn");
        assert!(text.contains(
            "nano's encoder takes 2.00 times as long for each token, its arithmetic 1.50 times"
        ));
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
        assert_eq!(figures.len(), 1);
        assert!(figures[0].title.contains("nano: 5.0 µs at 128"));
    }

    #[test]
    fn what_is_not_criterions_is_refused_by_name() {
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
