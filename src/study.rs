//! A study: what one command computes and compares, as data; and its inputs, read and checked.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::datasets::{Datasets, DatasetsError};
use crate::experiment;
use crate::experiment::elsewhere::{self, ElsewhereError};
use crate::pieces::{self, Piece};
use crate::plan::Plan;
use promptshift_numbers::recipe::Limits;
use promptshift_numbers::record::ablation::{self, Variant};
use promptshift_numbers::record::difference;
use promptshift_tensors::backbone::{Backbone, BackboneChoice, BackboneError, WordsError};
use promptshift_tensors::device::Device;
use promptshift_tensors::tuning::{self, TuningError};
use promptshift_text::atomic_file::{self, AtomicFileError};
use promptshift_text::domain::catalogue::{Catalogue, CatalogueError};

/// One plan, or those of an ablation, which differ in one variable and use the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// The kind of its report.
    pub report: ReportKind,
    /// In the order of the report.
    pub parts: Vec<Part>,
}

/// The kind of a study's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// The loss between a source and its targets.
    Transfer,
    /// The effect of one variable.
    Ablation(ablation::Kind),
    /// An ensemble of prompts.
    Ensemble,
}

/// One plan of a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The setting in an ablation; `None` for a single plan.
    pub variant: Option<Variant>,
    /// The plan.
    pub plan: Plan,
}

/// The layout of a study's file.
#[derive(Debug, Serialize, Deserialize)]
struct StudyFile {
    /// [`STUDY_VERSION`].
    promptshift_study: u32,
    #[serde(flatten)]
    study: Study,
}

/// The version of the schema of study files.
pub const STUDY_VERSION: u32 = 1;

/// Why a study's file can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StudyFileError {
    /// It can't be written.
    #[error(transparent)]
    New(#[from] AtomicFileError),
    /// It can't be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not a study.
    #[error("{}: wanted a study as --save-plan writes it, found {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// A field is unknown, invalid, or inconsistent with others.
    #[error("{}: {field}: not understood: {found}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// Its value.
        found: String,
    },
}

impl Study {
    /// The study of one plan.
    pub fn of(plan: Plan) -> Self {
        Study {
            report: ReportKind::Transfer,
            parts: vec![Part {
                variant: None,
                plan,
            }],
        }
    }

    /// Replicas of the model in a training: the most of any recipe.
    pub fn replicas(&self) -> usize {
        let recipes = self
            .parts
            .iter()
            .flat_map(|part| part.plan.recipes.values());
        let replicas = recipes.map(|recipe| recipe.memory.replicas.get());
        replicas.max().unwrap_or(1)
    }

    /// All its pieces, each after those that it depends on.
    pub fn pieces(&self) -> Vec<Piece> {
        let parts = self.parts.iter().enumerate();
        let of_part = |(at, part): (usize, &Part)| {
            let folder = part.variant.as_ref().map(|variant| variant.folder.as_str());
            pieces::of_plan(at, folder, &part.plan)
        };
        let mut pieces: Vec<Piece> = parts.flat_map(of_part).collect();
        pieces.sort_by_key(|piece| piece.kind);
        pieces
    }

    /// Writes it into a new file.
    ///
    /// # Errors
    /// The file exists or can't be written.
    ///
    /// # Panics
    /// A path of the study is not valid Unicode.
    pub fn save(&self, path: &Path) -> Result<(), StudyFileError> {
        let file = StudyFile {
            promptshift_study: STUDY_VERSION,
            study: self.clone(),
        };
        let mut json = serde_json::to_vec_pretty(&file).expect("plain data");
        json.push(b'\n');
        Ok(atomic_file::write(path, &json)?)
    }

    /// Reads what [`save`](Self::save) wrote or a user edited.
    ///
    /// # Errors
    /// It can't be read, or contains something unknown.
    pub fn read(path: &Path) -> Result<Self, StudyFileError> {
        let text = fs::read_to_string(path).map_err(|source| StudyFileError::Io {
            path: path.to_owned(),
            source,
        })?;
        let malformed = |found: String| StudyFileError::Malformed {
            path: path.to_owned(),
            found,
        };
        let given: Value =
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        let file: StudyFile =
            serde_json::from_value(given.clone()).map_err(|error| malformed(error.to_string()))?;
        if file.promptshift_study != STUDY_VERSION {
            let found = format!("version {} of its schema", file.promptshift_study);
            return Err(malformed(found));
        }
        let understood = serde_json::to_value(&file).expect("plain data");
        if let Some(difference) = difference::first(&given, &understood) {
            return Err(StudyFileError::Unknown {
                path: path.to_owned(),
                field: difference.field,
                found: difference.first,
            });
        }
        match file.study.contradiction() {
            None => Ok(file.study),
            Some((field, found)) => Err(StudyFileError::Unknown {
                path: path.to_owned(),
                field: field.to_owned(),
                found,
            }),
        }
    }

    /// The first field that is inconsistent or can't be run, with its value.
    fn contradiction(&self) -> Option<(&'static str, String)> {
        let mut folders = BTreeSet::new();
        if self.parts.is_empty() {
            return Some(("parts", "none".to_owned()));
        }
        for Part { variant, plan } in &self.parts {
            match (variant, self.report) {
                (None, ReportKind::Transfer) if self.parts.len() == 1 => {}
                (Some(variant), ReportKind::Ablation(_) | ReportKind::Ensemble) => {
                    let folder = &variant.folder;
                    let mut names = Path::new(folder).components();
                    let is_plain = matches!(names.next(), Some(Component::Normal(_)));
                    if !is_plain || names.next().is_some() || !folders.insert(folder) {
                        return Some(("parts.variant.folder", folder.clone()));
                    }
                }
                (variant, _) => return Some(("parts.variant", format!("{variant:?}"))),
            }
            if let Some(found) = plan.contradiction() {
                return Some(found);
            }
        }
        None
    }
}

impl Part {
    /// The subfolder of its records in the study's folder.
    pub fn folder(&self, out: &Path) -> PathBuf {
        match &self.variant {
            Some(variant) => out.join(&variant.folder),
            None => out.to_owned(),
        }
    }
}

/// Why a study can't be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A user's card can't be read.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// Rows are not available.
    #[error(transparent)]
    Datasets(#[from] DatasetsError),
    /// A model can't be loaded.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// A model does not support the plan's wording.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// A method does not support a model.
    #[error(transparent)]
    Tuning(#[from] TuningError),
    /// A result tuned elsewhere can't be read, or is not for the model.
    #[error(transparent)]
    Elsewhere(#[from] ElsewhereError),
}

/// Holds the model in memory on the first of some devices: one at a time, since two may not fit. It stays loaded for the next
/// request, since parts of a study and studies of a sweep often share it.
#[derive(Clone)]
pub struct Models {
    devices: Vec<Device>,
    loaded: Rc<RefCell<Option<(BackboneChoice, Backbone)>>>,
}

impl Models {
    /// No model loaded yet.
    ///
    /// # Panics
    /// There are no devices.
    pub fn on(devices: Vec<Device>) -> Self {
        assert!(!devices.is_empty(), "a device to load models on");
        Models {
            devices,
            loaded: Rc::default(),
        }
    }

    fn get(&self, plan: &Plan) -> Result<Backbone, BackboneError> {
        if !self.has(plan) {
            // Drop the previous model first.
            self.loaded.replace(None);
            let backbone = plan.backbone.load(&self.devices[0])?;
            let backbone = backbone.with_frozen_weights(plan.setting.frozen_weights);
            (self.loaded).replace(Some((plan.backbone.clone(), backbone)));
        }
        let loaded = self.loaded.borrow();
        Ok(loaded.as_ref().expect("it was just loaded").1.clone())
    }

    /// Whether a plan's model is in memory, with its weights in the plan's form.
    fn has(&self, plan: &Plan) -> bool {
        (self.loaded.borrow().as_ref()).is_some_and(|(known, backbone)| {
            *known == plan.backbone && backbone.frozen_weights == plan.setting.frozen_weights
        })
    }
}

/// A study with its rows read, its models loaded, and everything resolved and checked.
pub struct Prepared {
    /// The study, resolved.
    pub study: Study,
    /// Its rows, the same for all parts.
    pub datasets: Datasets,
    models: Models,
}

impl Prepared {
    /// Reads the rows, loads the models, and resolves and checks every plan. `say` receives notes on a model.
    ///
    /// # Errors
    /// Rows or a model are not available, or a method does not support a model.
    ///
    /// # Panics
    /// The study has no parts.
    pub fn of(
        study: Study,
        models: &Models,
        say: &mut dyn FnMut(&str),
    ) -> Result<Self, PrepareError> {
        let first = &study.parts.first().expect("a study has parts").plan;
        let catalogue = Catalogue::with(&first.cards)?;
        let asked = first.setting.limits;
        let mut prepared = Prepared {
            datasets: Datasets::read(first, &catalogue)?,
            study,
            models: models.clone(),
        };
        // Parts are compared, so the smallest limits of any part apply to all.
        let mut limits: Limits = asked;
        for at in 0..prepared.study.parts.len() {
            let is_new = !models.has(&prepared.study.parts[at].plan);
            let backbone = prepared.backbone(at)?;
            if is_new {
                backbone.notes.iter().for_each(|note| say(note));
            }
            let plan = &mut prepared.study.parts[at].plan;
            experiment::resolve(plan, &prepared.datasets, &backbone);
            let longest = elsewhere::resolve(plan, &prepared.datasets, &backbone, say)?;
            let found = experiment::check(plan, &prepared.datasets, &backbone, longest)?;
            if found.input < limits.input || at == 0 {
                if let Some(note) = tuning::cut_at(&asked, &found, &backbone) {
                    say(&note);
                }
                limits = found;
            }
        }
        for part in &mut prepared.study.parts {
            part.plan.setting.limits = limits;
        }
        Ok(prepared)
    }

    /// The devices for replicas, besides the models' own.
    pub fn further_devices(&self) -> &[Device] {
        &self.models.devices[1..]
    }

    /// A part's model, prepared for its wording.
    ///
    /// # Errors
    /// It can't be loaded, or does not support the plan's wording.
    pub fn backbone(&self, part: usize) -> Result<Backbone, PrepareError> {
        let plan = &self.study.parts[part].plan;
        let loaded = self.models.get(plan)?;
        Ok(loaded.with_wording(&plan.setting.wording, &self.datasets.source.card)?)
    }
}
