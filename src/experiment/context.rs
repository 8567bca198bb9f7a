//! A cell with its inputs, and the identities of its results.

use super::words::words;
use super::{ExperimentError, elsewhere};
use crate::datasets::{Datasets, Rows, Source, TestSet};
use promptshift_numbers::recipe::{HeadForm, Limits, Recipe};
use promptshift_numbers::record::Cell;
use promptshift_numbers::store::{Asked, FewShot, Of, Subject};
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::device::Device;
use promptshift_tensors::eval::answerer::Answerer;
use promptshift_tensors::network::Writes;
use promptshift_tensors::train::TrainingSet;
use promptshift_tensors::tuning::{self, NoHead, Tuned, TuningError};
use promptshift_text::domain::wording::{ScoreBy, Wording};

/// A cell, and the rows and backbone that it is run on.
#[derive(Clone, Copy)]
pub(super) struct CellContext<'a> {
    pub cell: &'a Cell,
    pub datasets: &'a Datasets,
    pub backbone: &'a Backbone,
    /// Devices for replicas, besides the backbone's own.
    pub further_devices: &'a [Device],
}

impl<'a> CellContext<'a> {
    pub fn source(&self) -> &'a Source {
        &self.datasets.source
    }

    /// The backbone with the cell's method applied and initialised from its seed.
    pub fn applied(&self, recipe: &Recipe) -> Result<Tuned, TuningError> {
        tuning::apply(self.backbone, recipe, &self.words(recipe)?, self.cell.seed)
    }

    /// The texts that the recipe refers to, as tokens.
    pub fn words(&self, recipe: &Recipe) -> Result<tuning::MethodInputs, TuningError> {
        let (cell, backbone) = (self.cell, self.backbone);
        words(
            recipe,
            &cell.setting.wording,
            self.source(),
            backbone,
            cell.seed,
        )
    }

    /// The model of a cell without training: the one tuned elsewhere, or else the untuned backbone.
    pub fn as_given(&self) -> Result<Tuned, ExperimentError> {
        match &self.cell.elsewhere {
            Some(given) => {
                let wording = &self.cell.setting.wording;
                Ok(elsewhere::reopened(
                    given,
                    self.datasets,
                    wording,
                    self.backbone,
                )?)
            }
            None => Ok(self.untuned()?),
        }
    }

    /// The pre-trained backbone, with the head that the task needs.
    pub fn untuned(&self) -> Result<Tuned, NoHead> {
        Ok(Tuned::untuned_on(
            self.backbone,
            self.head()?,
            self.cell.seed,
        ))
    }

    fn head(&self) -> Result<Option<HeadForm>, NoHead> {
        let card = &self.source().card;
        let score_by = self.cell.setting.wording.score_by;
        tuning::head_form(
            &self.backbone.config,
            card.task,
            card.labels.len(),
            score_by,
        )
    }

    /// The source's training rows; several sources are mixed as the cell says.
    pub fn training_set(&self) -> TrainingSet {
        TrainingSet::of_sources(
            &self.source().train.members(),
            self.cell.setting.mixing.unwrap_or_default(),
            &self.backbone.tokenizer,
            &self.cell.setting.limits,
        )
    }

    /// Notes on the model.
    pub fn model_notes(&self) -> Vec<String> {
        let whole = Limits::default_for(self.source().card.task);
        let cut = tuning::cut_at(&whole, &self.cell.setting.limits, self.backbone);
        self.backbone.notes.iter().cloned().chain(cut).collect()
    }

    /// How the cell queries its model, with this wording.
    pub fn asker(&self, wording: &'a Wording) -> Answerer<'a> {
        Answerer {
            source: &self.source().card,
            wording,
            tokenizer: &self.backbone.tokenizer,
            limits: &self.cell.setting.limits,
        }
    }

    /// The wording for choosing the best step: by generation, whatever the evaluation uses. A masked-word
    /// head keeps its own wording.
    pub fn training_wording(&self) -> Wording {
        let mut wording = self.cell.setting.wording.clone();
        if self.backbone.config.writes() == Writes::Tokens {
            wording.score_by = ScoreBy::Generation;
        }
        wording
    }

    /// What the cell's training depends on; `None` for the untuned backbone and for results tuned elsewhere.
    pub fn subject(&self) -> Option<Subject> {
        let (cell, source) = (self.cell, self.source());
        let recipe = cell.recipe.clone()?;
        let hashes = source.hashes();
        Some(Subject {
            model_sha256: self.backbone.model_sha256.clone(),
            config_sha256: self.backbone.config_sha256(),
            tokenizer_sha256: self.backbone.tokenizer_sha256.clone(),
            task: source.card.task,
            labels: source.card.labels.clone(),
            train_sha256: hashes.train.clone(),
            validation_sha256: hashes.validation.clone(),
            mixing: cell.setting.mixing,
            wording: self.training_wording(),
            limits: cell.setting.limits,
            method: cell.method,
            recipe,
            seed: cell.seed,
        })
    }

    /// The model that answers: the result of the training with this name, a result tuned elsewhere, or the untuned
    /// backbone.
    pub fn of(&self, training: Option<String>) -> Result<Of, NoHead> {
        Ok(match (training, &self.cell.elsewhere) {
            (Some(name), _) => Of::Training {
                name,
                step: None,
                few_shot: None,
            },
            (None, Some(given)) => Of::Elsewhere {
                sha256: given.sha256().to_owned(),
                model_sha256: self.backbone.model_sha256.clone(),
                config_sha256: self.backbone.config_sha256(),
                tokenizer_sha256: self.backbone.tokenizer_sha256.clone(),
            },
            (None, None) => Of::Untuned {
                model_sha256: self.backbone.model_sha256.clone(),
                config_sha256: self.backbone.config_sha256(),
                tokenizer_sha256: self.backbone.tokenizer_sha256.clone(),
                head: self.head()?,
                seed: self.cell.seed,
            },
        })
    }

    /// How the rows of a domain are worded and answered.
    pub fn asked(&self, of: Of, test: &TestSet) -> Asked {
        Asked {
            of,
            domain: test.card.name.clone(),
            wording: self.cell.setting.wording.clone(),
            labels: self.source().card.labels.clone(),
            limits: self.cell.setting.limits,
        }
    }

    /// How source validation is worded and answered.
    pub fn validation_asked(&self, of: Of) -> Asked {
        Asked {
            of,
            domain: self.source().card.name.clone(),
            wording: self.training_wording(),
            labels: self.source().card.labels.clone(),
            limits: self.cell.setting.limits,
        }
    }
}

/// The same training at another step.
pub(super) fn at_step(of: &Of, step: usize) -> Of {
    changed(of, |at, _| *at = Some(step))
}

/// The same training after few-shot tuning.
pub(super) fn after(of: &Of, few_shot: FewShot) -> Of {
    changed(of, |_, after| *after = Some(few_shot))
}

fn changed(of: &Of, change: impl FnOnce(&mut Option<usize>, &mut Option<FewShot>)) -> Of {
    let mut of = of.clone();
    if let Of::Training { step, few_shot, .. } = &mut of {
        change(step, few_shot);
    }
    of
}

/// Rows that are answered in one pass.
pub(super) struct ToAnswer<'a> {
    /// How the domain's rows are worded and answered.
    pub asked: Asked,
    /// The domain's rows.
    pub rows: &'a Rows,
    /// The indices of those to answer.
    pub places: &'a [usize],
    /// The seconds of few-shot tuning before it, if there was any.
    pub few_shot_seconds: Option<f64>,
}
