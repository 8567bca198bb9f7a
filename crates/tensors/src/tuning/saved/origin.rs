//! Where a prompt or an adapter comes from, and what is known of it.

use super::metadata::Metadata;
use super::peft::folder::Task;
use promptshift_numbers::recipe::Method;
use promptshift_text::domain::wording::Wording;

/// Where a prompt or an adapter comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// promptshift: it knows its backbone.
    Own(Metadata),
    /// google-research's prompt tuning, or any other program that saves a matrix: a prompt.
    Npy {
        /// SHA-256 of the file.
        sha256: String,
    },
    /// PEFT.
    Peft {
        /// What tuned it.
        method: Method,
        /// The model as PEFT called it: a hub name or a path of the machine that it was trained on.
        base_model: Option<String>,
        /// SHA-256 of its `adapter_model.safetensors`.
        sha256: String,
        /// What its configuration sets and promptshift does not know, `key value` each: nobody can say whether it
        /// changes what is answered.
        unknown: Vec<String>,
        /// What PEFT wrapped its model for, where it says so.
        task: Option<Task>,
    },
}

impl Origin {
    /// What promptshift's own file says of itself.
    pub fn metadata(&self) -> Option<&Metadata> {
        match self {
            Origin::Own(metadata) => Some(metadata),
            Origin::Npy { .. } | Origin::Peft { .. } => None,
        }
    }

    /// The domains whose training rows it has seen, where that is known.
    pub fn tuned_on(&self) -> Option<Vec<String>> {
        self.metadata()?.tuned_on()
    }

    /// The domain that it was tuned on, where it is known.
    pub fn source(&self) -> Option<&str> {
        self.metadata()?.source()
    }

    /// How the examples that it was tuned on were worded, where it is known.
    pub fn wording(&self) -> Option<&Wording> {
        self.metadata()?.wording()
    }

    /// The tokens after which inputs were cut in its training, where these are fewer than otherwise.
    pub fn longest_input(&self) -> Option<usize> {
        self.metadata()?.longest_input()
    }

    /// What another program's configuration sets and promptshift does not know, `key value` each.
    pub fn unknown(&self) -> &[String] {
        match self {
            Origin::Peft { unknown, .. } => unknown,
            Origin::Own(_) | Origin::Npy { .. } => &[],
        }
    }
}
