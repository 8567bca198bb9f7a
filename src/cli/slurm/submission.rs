//! What was submitted: a folder for each submission, below the report's.
//!
//! ```text
//! <out>/slurm/1/study.json        the study
//!               submission.json   the command and the store's folder
//!               trainings-1.sh    a script for sbatch
//!               trainings-1.cells the cells of each of its tasks, one task per line
//!               trainings-1.job   the number from sbatch; written after the submission
//!               report.sh         the last job: the report
//!               logs/             the output of the tasks
//! ```
//!
//! For a sweep, these are in `<out>/slurm/1/NAME`, for each of its submitted studies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::queue::TaskId;
use crate::pieces::{Kind, Piece};
use crate::study::Study;
use promptshift_text::atomic_file;

/// The name of the report's script.
pub const REPORT: &str = "report";

/// The name of the saved study.
pub const STUDY: &str = "study.json";

/// A job array to submit.
#[derive(Debug, PartialEq, Eq)]
pub struct JobArray {
    /// `trainings-1`.
    pub name: String,
    /// The cells of each task.
    pub tasks: Vec<Vec<String>>,
    /// The cells that they depend on.
    pub waits_for: BTreeSet<String>,
}

/// How cells are grouped into tasks and job arrays.
#[derive(Debug, Clone, Copy)]
pub struct Chunks {
    /// The number of cells of a task.
    pub cells_per_task: usize,
    /// The maximum number of tasks of an array.
    pub max_array_size: usize,
}

/// Job arrays of these pieces, each after those that it depends on.
pub fn arrays(pieces: &[Piece], chunks: Chunks) -> Vec<JobArray> {
    let group = |piece: &Piece| match (piece.kind, piece.waits_for.is_empty()) {
        (Kind::Search, _) => "searches",
        (Kind::Training, _) => "trainings",
        // Without dependencies, so they need not wait for trainings.
        (Kind::Evaluation, true) => "baselines",
        (Kind::Evaluation, false) => "evaluations",
    };
    let mut arrays = Vec::new();
    for name in ["searches", "baselines", "trainings", "evaluations"] {
        let of_group: Vec<&Piece> = pieces.iter().filter(|one| group(one) == name).collect();
        let of_array = of_group.chunks(chunks.cells_per_task * chunks.max_array_size);
        for (pieces, number) in of_array.zip(1..) {
            let names = |pieces: &[&Piece]| pieces.iter().map(|one| one.name.clone()).collect();
            arrays.push(JobArray {
                name: format!("{name}-{number}"),
                tasks: pieces.chunks(chunks.cells_per_task).map(names).collect(),
                waits_for: pieces
                    .iter()
                    .flat_map(|one| one.waits_for.clone())
                    .collect(),
            });
        }
    }
    arrays
}

/// The contents of `submission.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct About {
    /// The command as typed.
    pub command: String,
    /// The store's folder.
    pub store: PathBuf,
}

/// One study of a submission.
#[derive(Debug)]
pub struct Submission {
    /// Its name in a sweep; `None` for a single study.
    pub name: Option<String>,
    /// Its own folder.
    pub folder: PathBuf,
}

/// The folders of all submissions below a report's folder, oldest first.
fn numbered(out: &Path) -> impl Iterator<Item = PathBuf> {
    let folder = |number: usize| out.join("slurm").join(number.to_string());
    (1..).map(folder).take_while(|folder| folder.is_dir())
}

/// Creates the folder of a new submission.
///
/// # Errors
/// It can't be created.
pub fn begin(out: &Path) -> anyhow::Result<PathBuf> {
    let number = numbered(out).count() + 1;
    let folder = out.join("slurm").join(number.to_string());
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

impl Submission {
    /// A new one for this study in a submission's folder.
    ///
    /// # Errors
    /// A folder can't be created.
    pub fn new(all: &Path, name: Option<&str>) -> anyhow::Result<Submission> {
        let folder = name.map_or(all.to_owned(), |name| all.join(name));
        let logs = folder.join("logs");
        fs::create_dir_all(&logs).with_context(|| logs.display().to_string())?;
        let name = name.map(str::to_owned);
        Ok(Submission { name, folder })
    }

    /// All in a report's folder, oldest first.
    ///
    /// # Errors
    /// A folder can't be read.
    pub fn all(out: &Path) -> anyhow::Result<Vec<Submission>> {
        let mut all = Vec::new();
        for folder in numbered(out) {
            if folder.join(STUDY).exists() {
                all.push(Submission { name: None, folder });
                continue;
            }
            let mut studies = Vec::new();
            for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
                let entry = entry.with_context(|| folder.display().to_string())?;
                let name = Some(entry.file_name().to_string_lossy().into_owned());
                let folder = entry.path();
                if folder.join(STUDY).exists() {
                    studies.push(Submission { name, folder });
                }
            }
            studies.sort_by(|one, other| one.name.cmp(&other.name));
            all.extend(studies);
        }
        Ok(all)
    }

    /// Its study.
    ///
    /// # Errors
    /// It can't be read.
    pub fn study(&self) -> anyhow::Result<Study> {
        Ok(Study::read(&self.folder.join(STUDY))?)
    }

    /// The keys of its cells, by name.
    ///
    /// # Errors
    /// Its study can't be read.
    pub fn keys(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let pieces = self.study()?.pieces().into_iter();
        Ok(pieces.map(|piece| (piece.name, piece.key)).collect())
    }

    /// Its command and store.
    ///
    /// # Errors
    /// They can't be read.
    pub fn about(&self) -> anyhow::Result<About> {
        let path = self.folder.join("submission.json");
        let text = fs::read(&path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&text).with_context(|| path.display().to_string())
    }

    /// Writes a new file.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(atomic_file::write(
            &self.folder.join(name),
            text.as_bytes(),
        )?)
    }

    /// Writes the file of an array's cells: one task per line.
    ///
    /// # Errors
    /// A cell's name contains a comma or line break, or the file can't be written.
    pub fn write_cells(&self, array: &JobArray) -> anyhow::Result<()> {
        let mut text = String::new();
        for task in &array.tasks {
            if let Some(name) = task.iter().find(|name| name.contains([',', '\n'])) {
                bail!("{name:?}: wanted the name of a setting without commas and line breaks");
            }
            text += &(task.join(",") + "\n");
        }
        self.write(&format!("{}.cells", array.name), &text)
    }

    /// Its submitted cells and report, each with its task and log.
    ///
    /// # Errors
    /// A file can't be read.
    pub fn submitted(&self) -> anyhow::Result<Vec<Task>> {
        let read =
            |path: &Path| fs::read_to_string(path).with_context(|| path.display().to_string());
        let mut found = Vec::new();
        let entries =
            fs::read_dir(&self.folder).with_context(|| self.folder.display().to_string())?;
        for entry in entries {
            let entry = entry.with_context(|| self.folder.display().to_string())?;
            let path = entry.path();
            if path.extension().is_none_or(|end| end != "job") {
                continue;
            }
            let job = read(&path)?.trim().to_owned();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let mut add = |cell: &str, index: Option<usize>| {
                let job = job.clone();
                let id = TaskId { job, index };
                let log = self.folder.join("logs").join(format!("{name}-{id}.log"));
                let cell = cell.to_owned();
                found.push(Task { cell, id, log });
            };
            if name == REPORT {
                add(REPORT, None);
                continue;
            }
            for (index, line) in read(&path.with_extension("cells"))?.lines().enumerate() {
                line.split(',').for_each(|cell| add(cell, Some(index)));
            }
        }
        Ok(found)
    }
}

/// The task of a cell or of the report.
#[derive(Debug, Clone)]
pub struct Task {
    /// The cell's name, or [`REPORT`].
    pub cell: String,
    /// The task in Slurm's queue.
    pub id: TaskId,
    /// The log of its output.
    pub log: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use promptshift_numbers::recipe::{Limits, Method};
    use promptshift_numbers::record::{Cell, Setting};
    use promptshift_text::domain::Task as Question;
    use promptshift_text::transfer::Transfer;

    fn pieces(kind: Kind, count: usize, waits_for: &str) -> Vec<Piece> {
        let transfer = Transfer::parse(&["squad->race".to_owned()]).expect("a transfer");
        let limits = Limits::default_for(Question::ExtractiveQa);
        let cell = Cell {
            setting: Setting::new(&transfer, "nano", "mini", limits),
            method: Method::Untuned,
            seed: 0,
            trials: None,
            recipe: None,
            elsewhere: None,
        };
        let piece = |at: usize| Piece {
            name: format!("{}/{at}", kind.name()),
            kind,
            part: 0,
            cell: cell.clone(),
            waits_for: match waits_for {
                "" => Vec::new(),
                before => vec![format!("{before}/{at}")],
            },
            key: String::new(),
        };
        (0..count).map(piece).collect()
    }

    #[test]
    fn arrays_are_as_large_as_the_cluster_allows_and_each_knows_what_it_waits_for() {
        let all = [
            pieces(Kind::Training, 25, ""),
            pieces(Kind::Evaluation, 25, "training"),
        ]
        .concat();
        let arrays = arrays(
            &all,
            Chunks {
                cells_per_task: 2,
                max_array_size: 5,
            },
        );
        let sizes: Vec<(&str, usize)> = arrays
            .iter()
            .map(|one| (one.name.as_str(), one.tasks.len()))
            .collect();
        assert_eq!(
            sizes,
            [
                ("trainings-1", 5),
                ("trainings-2", 5),
                ("trainings-3", 3),
                ("evaluations-1", 5),
                ("evaluations-2", 5),
                ("evaluations-3", 3),
            ]
        );
        assert_eq!(arrays[1].tasks[0], ["training/10", "training/11"]);
        assert_eq!(arrays[2].tasks[2], ["training/24"]);
        // The second evaluations depend on all of the second trainings, and on nothing else.
        let second: BTreeSet<String> = arrays[1].tasks.concat().into_iter().collect();
        assert_eq!(arrays[4].waits_for, second);
    }

    #[test]
    fn what_waits_for_nothing_is_not_behind_trainings() {
        let arrays = arrays(
            &pieces(Kind::Evaluation, 1, ""),
            Chunks {
                cells_per_task: 1,
                max_array_size: 9,
            },
        );
        assert_eq!(arrays[0].name, "baselines-1");
        assert!(arrays[0].waits_for.is_empty());
    }
}
