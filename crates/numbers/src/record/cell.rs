//! A cell: what is run. A setting that all cells of a study share, a method, a seed and a recipe; or a prompt, adapter
//! or model that was tuned by another program.

use serde::{Deserialize, Serialize};

use crate::recipe::{FrozenWeights, Limits, Method, Recipe, TuneOn};
use promptshift_text::domain::AnswerForm;
use promptshift_text::domain::mixture::Mixing;
use promptshift_text::domain::wording::Wording;
use promptshift_text::transfer::Transfer;

/// The identity of a record: two runs with equal cells give equal records, except for times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What all cells of a study share.
    #[serde(flatten)]
    pub setting: Setting,
    /// What is tuned.
    pub method: Method,
    /// The seed of initialisation, order of examples and dropout.
    pub seed: u64,
    /// Trials of the search that chose the recipe; absent without a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<usize>,
    /// The resolved recipe; absent for the untuned backbone and for what was tuned elsewhere.
    pub recipe: Option<Recipe>,
    /// What was tuned elsewhere and is only evaluated here; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<TunedElsewhere>,
}

impl Cell {
    /// The name in reports and messages: the method's title, preceded by a name if it was tuned elsewhere.
    pub fn title(&self) -> String {
        match &self.elsewhere {
            Some(given) => given.title(),
            None => self.method.title().to_owned(),
        }
    }
}

/// What a study holds fixed while methods and seeds vary: source, targets, model and rows. Part of every [`Cell`] and
/// of every plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The domain that is trained on; of a mixture all of them, as in `squad+newsqa`.
    pub source: String,
    /// The domains that are only evaluated.
    pub targets: Vec<String>,
    /// The backbone's name: `nano` or a folder's name.
    pub model: String,
    /// The suite that the domains were read from: `mini` or a folder's name.
    pub suite: String,
    /// How the backbone's weights that are not trained are held; absent for f32.
    #[serde(default, skip_serializing_if = "FrozenWeights::is_default")]
    pub frozen_weights: FrozenWeights,
    /// How right answers are written when predictions are compared with them. Records written before this was a choice
    /// have them padded.
    #[serde(default)]
    pub answers: AnswerForm,
    /// How examples are worded and answers read; absent for the paper's wording.
    #[serde(default, skip_serializing_if = "Wording::is_default")]
    pub wording: Wording,
    /// How the domains of a mixture are mixed; absent if the source is one domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixing: Option<Mixing>,
    /// Few-shot tuning on each target after tuning on the source; absent for zero-shot transfer alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tune_on: Option<TuneOn>,
    /// The greatest number of training rows of each source.
    pub train_rows: Option<usize>,
    /// The greatest number of rows of the source's validation split; if absent, [`Setting::eval_rows`] holds for it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_rows: Option<usize>,
    /// The greatest number of rows of each evaluated split.
    pub eval_rows: Option<usize>,
    /// Sequence lengths, the same for every method.
    pub limits: Limits,
}

impl Setting {
    /// The default limit on rows of the source's validation split, which every training scores several times to choose
    /// a step.
    pub const VALIDATION_ROWS: usize = 500;

    /// The model, with the form of its frozen weights if it is not the usual one: `nano, frozen weights in bf16`.
    pub fn model_title(&self) -> String {
        match self.frozen_weights.is_default() {
            true => self.model.clone(),
            false => format!(
                "{}, frozen weights in {}",
                self.model,
                self.frozen_weights.name()
            ),
        }
    }

    /// A setting with all rows of its domains, in the paper's wording, zero-shot.
    pub fn new(transfer: &Transfer, model: &str, suite: &str, limits: Limits) -> Self {
        Setting {
            source: transfer.source.clone(),
            targets: transfer.targets.clone(),
            model: model.to_owned(),
            suite: suite.to_owned(),
            frozen_weights: FrozenWeights::default(),
            answers: AnswerForm::default(),
            wording: Wording::default(),
            mixing: None,
            tune_on: None,
            train_rows: None,
            validation_rows: None,
            eval_rows: None,
            limits,
        }
    }

    /// Its source and targets.
    pub fn transfer(&self) -> Transfer {
        Transfer {
            source: self.source.clone(),
            targets: self.targets.clone(),
        }
    }
}

/// One run of a method that another program tuned. Its recipe, training rows and selection are unknown.
/// [`Cell::seed`] counts the runs from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunedElsewhere {
    /// The user's name for it, the same for all its runs.
    pub name: String,
    /// Where it was read from.
    pub path: String,
    /// What the files hold; absent in a plan that has not been checked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// What the files of a [`TunedElsewhere`] hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Prompt, adapter or model.
    pub form: Form,
    /// SHA-256 of its file; of several files, of the list of their hashes and names.
    pub sha256: String,
    /// The size of its files.
    pub bytes: u64,
    /// Its own parameters: all of a whole model's, otherwise those added to the frozen backbone.
    pub parameters: usize,
    /// Parameters of the whole network that answers.
    pub total_parameters: usize,
}

/// What another program may have tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A soft prompt: PEFT's folder, a `.npy`, or promptshift's own file.
    Prompt,
    /// An adapter: PEFT's folder, or promptshift's own file.
    Adapter,
    /// All weights of a model.
    Model,
}

impl TunedElsewhere {
    /// Files at `path` that have not been read yet.
    pub fn at(name: &str, path: &str) -> Self {
        TunedElsewhere {
            name: name.to_owned(),
            path: path.to_owned(),
            found: None,
        }
    }

    /// The hash of the files.
    ///
    /// # Panics
    /// They have not been read: a plan is checked before its cells are run.
    pub fn sha256(&self) -> &str {
        let found = self.found.as_ref();
        &found
            .expect("a plan is checked before its cells are run")
            .sha256
    }

    /// `mine (tuned elsewhere)`.
    pub fn title(&self) -> String {
        format!("{} ({})", self.name, Method::Elsewhere.title())
    }
}

impl Form {
    /// In words.
    pub fn title(self) -> &'static str {
        match self {
            Form::Prompt => "a prompt",
            Form::Adapter => "an adapter",
            Form::Model => "a whole model",
        }
    }
}
