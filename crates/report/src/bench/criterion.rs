//! Reads the results of criterion 0.8: two files for each benchmark (`new/benchmark.json`, `new/estimates.json`) in
//! its folder, `target/criterion`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Card, GROWTH, STEPS};
use promptshift_numbers::provenance;

/// Errors of reading benchmarks.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No benchmark in the folder.
    #[error("{}: wanted what `cargo bench` writes (…/new/estimates.json), found none", .0.display())]
    Nothing(PathBuf),
    /// A folder or file can't be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not from criterion.
    #[error("{}: wanted a file of criterion 0.8, or of a report on one: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
}

/// The name of the file with a report's numbers.
pub const FILE: &str = "benchmarks.json";

/// The numbers of a report, as they are stored in its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Benchmarks {
    /// promptshift's version.
    pub version: String,
    /// The git revision of the program that read criterion's files.
    pub revision: String,
    /// The processor's name.
    pub processor: String,
    /// For each model of the group `encoder`: input lengths and the encoder's number of operations per token at that
    /// length.
    pub operations: BTreeMap<String, Vec<(usize, f64)>>,
    /// The card behind each [place](Measured::place) of a benchmark. Absent in older files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cards: BTreeMap<String, Card>,
    /// Operations of a step, by [name](Measured::work) and length: of methods whose backward pass goes through the whole
    /// network, on other devices than the CPU. Absent in older files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub step_operations: BTreeMap<String, f64>,
    /// Every benchmark.
    pub measured: Vec<Measured>,
}

impl Benchmarks {
    /// Criterion's results below a folder, read on the machine that they were measured on.
    ///
    /// # Errors
    /// There are none, or a file is damaged.
    pub fn of_criterion(
        folder: &Path,
        operations: BTreeMap<String, Vec<(usize, f64)>>,
    ) -> Result<Self, BenchError> {
        Ok(Benchmarks {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: provenance::revision().to_owned(),
            processor: provenance::processor(),
            operations,
            cards: BTreeMap::new(),
            step_operations: BTreeMap::new(),
            measured: read(folder)?,
        })
    }

    /// The places of the benchmarks other than the CPU, each once.
    pub fn places(&self) -> BTreeSet<&str> {
        self.measured.iter().filter_map(Measured::place).collect()
    }

    /// Reads the numbers in a report's folder.
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
    /// `prompt/nano`, or a model alone; on a device other than the CPU followed by the place, `prompt/nano@cuda:0,tf32`.
    pub name: String,
    /// Input tokens, if the benchmark has this parameter.
    pub length: Option<usize>,
    /// The work of one iteration, in [`Measured::unit`].
    pub amount: Option<f64>,
    /// `tokens`, `bytes`, ...
    pub unit: String,
    /// The median with the ends of its 95 % interval, in nanoseconds, or bytes: of the host's peak memory, or of a
    /// device's reserved peak.
    pub median: [f64; 3],
}

impl Measured {
    /// The device and the precision of its products, such as `cuda:0,tf32`; `None` for the CPU.
    pub fn place(&self) -> Option<&str> {
        Some(self.name.split_once('@')?.1)
    }

    /// The name without the place.
    pub fn work(&self) -> &str {
        self.name.split('@').next().unwrap_or_default()
    }

    /// The name without the place, and the length.
    pub fn work_and_length(&self) -> String {
        format!("{}/{}", self.work(), self.length.unwrap_or_default())
    }

    /// Work per second.
    pub(super) fn rate(&self) -> Option<f64> {
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
pub(super) fn read(folder: &Path) -> Result<Vec<Measured>, BenchError> {
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
            // `base` and `change` are from earlier runs.
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
