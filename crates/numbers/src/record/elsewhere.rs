//! What was tuned elsewhere: its recipe, its training rows and its selection are not known.

use serde::{Deserialize, Serialize};

use crate::recipe::Method;

/// One run of what was tuned elsewhere. [`Cell::seed`](super::Cell::seed) counts its runs from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunedElsewhere {
    /// What its user calls it, the same for all runs.
    pub name: String,
    /// Where it was read from.
    pub path: String,
    /// What it is found to be, once it was read and put on the model; absent in a plan that was not checked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What it is.
    pub form: Form,
    /// SHA-256 of its file; of several, of the list of their hashes and names.
    pub sha256: String,
    /// The size of its files.
    pub bytes: u64,
    /// Numbers of its own: all of a whole model's, else those beside the frozen backbone.
    pub parameters: usize,
    /// Those of the whole network that answers.
    pub total_parameters: usize,
}

/// What someone may have tuned.
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
    /// What is called `name` and lies at `path`, not yet read.
    pub fn at(name: &str, path: &str) -> Self {
        TunedElsewhere {
            name: name.to_owned(),
            path: path.to_owned(),
            found: None,
        }
    }

    /// The hash of what was read.
    ///
    /// # Panics
    /// It was not read: a plan is checked before its cells are run.
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
