//! Where a prompt or an adapter comes from, and what is known about it.

use super::metadata::Metadata;
use super::peft::folder::Task;
use promptshift_numbers::recipe::Method;
use promptshift_text::domain::wording::Wording;

/// Where a prompt or an adapter comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// promptshift; it states its backbone.
    Own(Metadata),
    /// google-research's prompt tuning, or any other program that saves a matrix: a prompt.
    Npy {
        /// SHA-256 of the file.
        sha256: String,
    },
    /// PEFT.
    Peft {
        /// The method.
        method: Method,
        /// The model as PEFT named it: a Hub name, or a path on the training machine.
        base_model: Option<String>,
        /// SHA-256 of its `adapter_model.safetensors`.
        sha256: String,
        /// Unknown keys of its configuration, each as `key value`; they may change the answers.
        unknown: Vec<String>,
        /// The task that PEFT wrapped its model for, if stated.
        task: Option<Task>,
    },
}

impl Origin {
    /// The metadata of promptshift's own file.
    pub fn metadata(&self) -> Option<&Metadata> {
        match self {
            Origin::Own(metadata) => Some(metadata),
            Origin::Npy { .. } | Origin::Peft { .. } => None,
        }
    }

    /// The domains whose training rows it has seen, if known.
    pub fn tuned_on(&self) -> Option<Vec<String>> {
        self.metadata()?.tuned_on()
    }

    /// The training domain, if known.
    pub fn source(&self) -> Option<&str> {
        self.metadata()?.source()
    }

    /// The wording of its training examples, if known.
    pub fn wording(&self) -> Option<&Wording> {
        self.metadata()?.wording()
    }

    /// The tokens after which its training inputs were truncated, if fewer than usual.
    pub fn longest_input(&self) -> Option<usize> {
        self.metadata()?.longest_input()
    }

    /// Unknown keys of another program's configuration, each as `key value`.
    pub fn unknown(&self) -> &[String] {
        match self {
            Origin::Peft { unknown, .. } => unknown,
            Origin::Own(_) | Origin::Npy { .. } => &[],
        }
    }
}
