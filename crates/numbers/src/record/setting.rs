//! What a study holds fixed.

use serde::{Deserialize, Serialize};

use crate::recipe::{Limits, TuneOn};
use promptshift_text::domain::AnswerForm;
use promptshift_text::domain::mixture::Mixing;
use promptshift_text::domain::wording::Wording;
use promptshift_text::transfer::Transfer;

/// Source, targets, model and rows: what methods and seeds are compared under. Part of every [`Cell`](super::Cell)
/// and of every plan.
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
    /// How right answers are written when predictions are compared with them; records from before
    /// there was a choice have them padded.
    #[serde(default)]
    pub answers: AnswerForm,
    /// How examples are worded and answers read; records without it have the paper's way.
    #[serde(default, skip_serializing_if = "Wording::is_default")]
    pub wording: Wording,
    /// How the domains of a mixture are mixed; absent where the source is one domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixing: Option<Mixing>,
    /// How tuning goes on with a few examples of each target; absent where it is left at zero-shot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tune_on: Option<TuneOn>,
    /// At most so many training rows of each source.
    pub train_rows: Option<usize>,
    /// At most so many rows of the source's validation split; records without it have as many as of the evaluated ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_rows: Option<usize>,
    /// At most so many rows of each evaluated split.
    pub eval_rows: Option<usize>,
    /// Sequence lengths, the same for every method.
    pub limits: Limits,
}

impl Setting {
    /// Rows at most of the source's validation split where nothing else is asked for: steps are chosen by them, at
    /// every validation of every training.
    pub const VALIDATION_ROWS: usize = 500;

    /// A setting with all rows of its domains, in the paper's wording, zero-shot.
    pub fn new(transfer: &Transfer, model: &str, suite: &str, limits: Limits) -> Self {
        Setting {
            source: transfer.source.clone(),
            targets: transfer.targets.clone(),
            model: model.to_owned(),
            suite: suite.to_owned(),
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

    /// From where to where.
    pub fn transfer(&self) -> Transfer {
        Transfer {
            source: self.source.clone(),
            targets: self.targets.clone(),
        }
    }
}
