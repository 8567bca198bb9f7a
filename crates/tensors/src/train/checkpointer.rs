//! Checkpoints of an unfinished training. A training resumed from one has the same result as one that was
//! never interrupted.
//!
//! ```text
//! <folder>/halt.json                    the step, the loop's state and the files' hashes; written last
//! <folder>/<name>.trained.safetensors   the trained tensors
//! <folder>/<name>.best.safetensors      those of the best step
//! <folder>/<name>.optimizer.bpk         the optimiser's state, as Burn saves it
//! ```
//!
//! `<name>` is new for each checkpoint, so that no file named by halt.json is overwritten.
//!
//! The seed reproduces everything else: the frozen tensors and the order of the rows.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::ModuleOptimizer;
use burn::store::RecordError;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{CheckpointError, Weights};
use crate::tuning::Tuned;
use promptshift_numbers::record::CurvePoint;
use promptshift_numbers::record::seal::{opened_as, sealed};
use promptshift_text::hash::{sha256, sha256_file};
use promptshift_text::process::token;

/// The minimum time between checkpoints; longer if writing one takes long.
const EVERY: Duration = Duration::from_secs(60);

/// Writing checkpoints takes at most one part in this many of the total time.
const SHARE: u32 = 20;

const STATE: &str = "halt.json";

/// The suffixes of the files' names.
const TRAINED: &str = "trained.safetensors";
const BEST: &str = "best.safetensors";
const OPTIMIZER: &str = "optimizer.bpk";

/// Why a checkpoint can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointerError {
    /// A file system operation failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state is truncated or was edited.
    #[error("{}: wanted the state of an interrupted training, found {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The tensors do not match the model's.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// The optimiser's state can't be written.
    #[error("{}: {source}", path.display())]
    Optimizer {
        /// The file.
        path: PathBuf,
        /// Why.
        source: RecordError,
    },
}

impl CheckpointerError {
    /// Whether the checkpoint is unusable, so that training must start over.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            CheckpointerError::Malformed { .. } | CheckpointerError::Weights(_)
        )
    }
}

/// Writes checkpoints of a training at intervals, and finds the last one to resume from.
#[derive(Debug)]
pub struct Checkpointer {
    folder: PathBuf,
    of: String,
    due: Instant,
}

/// The contents of halt.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Saved {
    pub state: State,
    /// The prefix of the files' names.
    name: String,
    /// SHA-256 of each file, by the suffix of its name.
    files: BTreeMap<String, String>,
}

/// The state of the training loop without tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// The identity of the training.
    pub of: String,
    /// Steps taken.
    pub step: usize,
    /// Ids of the trained tensors in the model's order; the optimiser's state refers to them.
    pub ids: Vec<u64>,
    /// The number of dropout masks used so far.
    pub dropout_masks: u64,
    pub curve: Vec<CurvePoint>,
    pub best_step: usize,
    pub best_score: f64,
    pub stale: usize,
    /// Loss and target tokens since the last point of the curve.
    pub loss: (f64, usize),
    pub tokens: u64,
    pub training_seconds: f64,
    pub validation_seconds: f64,
}

impl Checkpointer {
    /// Writes checkpoints to `folder`; `of` identifies the training by everything that its result depends on.
    pub fn new(folder: PathBuf, of: String) -> Self {
        Checkpointer {
            folder,
            of,
            due: Instant::now() + EVERY,
        }
    }

    /// The identity of the training.
    pub(super) fn of(&self) -> &str {
        &self.of
    }

    /// Whether the next checkpoint is due.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }

    /// The last checkpoint of this training, if there is one. Ignores checkpoints of other trainings.
    pub(super) fn find(&self) -> Result<Option<Saved>, CheckpointerError> {
        let path = self.folder.join(STATE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CheckpointerError::Io { path, source }),
        };
        let kept: Saved =
            opened_as(&bytes).map_err(|found| CheckpointerError::Malformed { path, found })?;
        Ok((kept.state.of == self.of).then_some(kept))
    }

    /// Writes the loop's state, the tensors and the optimiser's state; then deletes the previous checkpoint.
    pub(super) fn keep(
        &mut self,
        state: &State,
        [trained, best]: [&Tuned; 2],
        optimizer: &ModuleOptimizer,
    ) -> Result<(), CheckpointerError> {
        let started = Instant::now();
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| CheckpointerError::Io { path, source }
        };
        fs::create_dir_all(&self.folder).map_err(io(&self.folder))?;
        let name = token();
        let mut files = BTreeMap::new();
        for (end, tuned) in [(TRAINED, trained), (BEST, best)] {
            let path = self.file(&name, end);
            let bytes = collected(tuned, &state.ids).to_bytes(BTreeMap::new());
            fs::write(&path, &bytes).map_err(io(&path))?;
            files.insert(end.to_owned(), sha256(&bytes));
        }
        let path = self.file(&name, OPTIMIZER);
        optimizer
            .save(&path)
            .map_err(|source| CheckpointerError::Optimizer {
                path: path.clone(),
                source,
            })?;
        let hash = sha256_file(&path).map_err(io(&path))?;
        files.insert(OPTIMIZER.to_owned(), hash);
        let kept = Saved {
            state: state.clone(),
            name: name.clone(),
            files,
        };
        let path = self.folder.join(STATE);
        let (partial, kept) = (self.file(&name, "partial"), sealed(&kept));
        fs::write(&partial, kept).map_err(io(&partial))?;
        fs::rename(&partial, &path).map_err(io(&path))?;
        for entry in fs::read_dir(&self.folder).map_err(io(&self.folder))? {
            let path = entry.map_err(io(&self.folder))?.path();
            let file = path
                .file_name()
                .and_then(|file| file.to_str())
                .unwrap_or("");
            let is_earlier =
                |(start, end)| start != name && [TRAINED, BEST, OPTIMIZER].contains(&end);
            if file.split_once('.').is_some_and(is_earlier) {
                fs::remove_file(&path).map_err(io(&path))?;
            }
        }
        // Writing a large model is slow, but must remain a small share of the time.
        self.due = Instant::now() + EVERY.max(started.elapsed() * SHARE);
        Ok(())
    }

    /// Returns three models: `start` with the parameter ids that the saved optimiser refers to, the same with
    /// the trained tensors, and the same with those of the best step, not requiring gradients.
    pub(super) fn restored(
        &self,
        kept: &Saved,
        start: Tuned,
    ) -> Result<[Tuned; 3], CheckpointerError> {
        let state = &kept.state;
        let wanted = ids(&start).len();
        if wanted != state.ids.len() {
            return Err(CheckpointerError::Malformed {
                path: self.folder.join(STATE),
                found: format!("{} trained tensors instead of {wanted}", state.ids.len()),
            });
        }
        let start = start.map(&mut Named(state.ids.iter()));
        let filled = |end: &str| -> Result<Tuned, CheckpointerError> {
            let mut fill = Fill {
                ids: &state.ids,
                weights: Weights::read(&self.unchanged(kept, end)?)?,
                error: None,
            };
            let tuned = start.clone().map(&mut fill);
            match fill.error {
                Some(error) => Err(error.into()),
                // If a tensor is non-finite after the last step, the next step reports it.
                None => Ok(fill.weights.used_up(&[]).map(|()| tuned)?),
            }
        };
        let (trained, best) = (filled(TRAINED)?, filled(BEST)?.valid());
        Ok([start, trained, best])
    }

    /// The optimiser with its saved state.
    pub(super) fn load_optimizer(
        &self,
        fresh: ModuleOptimizer,
        kept: &Saved,
    ) -> Result<ModuleOptimizer, CheckpointerError> {
        let path = self.unchanged(kept, OPTIMIZER)?;
        fresh
            .load(&path)
            .map_err(|error| CheckpointerError::Malformed {
                path,
                found: error.to_string(),
            })
    }

    /// The path of a saved file, after checking its hash.
    fn unchanged(&self, kept: &Saved, end: &str) -> Result<PathBuf, CheckpointerError> {
        let path = self.file(&kept.name, end);
        let found = match sha256_file(&path) {
            Ok(hash) if kept.files.get(end) == Some(&hash) => return Ok(path),
            Ok(hash) => format!("SHA-256 {hash}, which differs from the one in {STATE}"),
            Err(error) => error.to_string(),
        };
        Err(CheckpointerError::Malformed { path, found })
    }

    fn file(&self, name: &str, end: &str) -> PathBuf {
        self.folder.join(format!("{name}.{end}"))
    }
}

/// Renames an unusable folder, so that a new one can be written and the old one inspected; returns its new
/// path.
///
/// # Errors
/// An error of the file system.
pub fn set_aside(folder: &Path) -> Result<PathBuf, CheckpointerError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let aside = folder.with_file_name(format!("damaged-{name}-{}", token()));
    match fs::rename(folder, &aside) {
        Ok(()) => Ok(aside),
        Err(source) => Err(CheckpointerError::Io {
            path: folder.to_owned(),
            source,
        }),
    }
}

/// Ids of the trained tensors, in the model's order.
pub(super) fn ids(tuned: &Tuned) -> Vec<u64> {
    let mut ids = Ids(Vec::new());
    tuned.visit(&mut ids);
    ids.0
}

struct Ids(Vec<u64>);

impl ModuleVisitor for Ids {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.val().is_require_grad() {
            self.0.push(param.id.val());
        }
    }
}

/// The tensors with these ids, named by their index in the list.
fn collected(tuned: &Tuned, ids: &[u64]) -> Weights {
    let mut collect = Collect {
        ids,
        weights: Weights::empty(STATE),
    };
    tuned.visit(&mut collect);
    collect.weights
}

struct Collect<'a> {
    ids: &'a [u64],
    weights: Weights,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(place) = self.ids.iter().position(|id| *id == param.id.val()) {
            self.weights.put_tensor(&place.to_string(), param.val());
        }
    }
}

/// Assigns these ids to the trained tensors, in the model's order.
struct Named<'a>(std::slice::Iter<'a, u64>);

impl ModuleMapper for Named<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (own, value, mapper) = param.consume();
        let id = match value.is_require_grad() {
            true => self.0.next().map_or(own, |id| ParamId::from(*id)),
            false => own,
        };
        Param::from_mapped_value(id, value, mapper)
    }
}

/// Replaces the tensors with these ids by the saved ones.
struct Fill<'a> {
    ids: &'a [u64],
    weights: Weights,
    error: Option<CheckpointError>,
}

impl ModuleMapper for Fill<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(place) = self.ids.iter().position(|id| *id == param.id.val()) else {
            return param;
        };
        let (id, value, mapper) = param.consume();
        let taken = (self.weights).take(&place.to_string(), value.dims(), &value.device());
        let value = match taken {
            Ok(tensor) => tensor.set_require_grad(value.is_require_grad()),
            Err(error) => {
                self.error.get_or_insert(error);
                value
            }
        };
        Param::from_mapped_value(id, value, mapper)
    }
}
