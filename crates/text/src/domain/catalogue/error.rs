//! Why a transfer's names can't be resolved.

use thiserror::Error;

use crate::domain::card::CardError;
use crate::domain::labels::LabelMismatch;
use crate::domain::task::Task;

/// Why a transfer can't be run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CatalogueError {
    /// No domain has this name.
    #[error(
        "unknown domain '{name}': {}`promptshift list domains` shows those that are known; a domain of your own needs its card, --domains CARD",
        suggestion(.nearest)
    )]
    Unknown {
        /// The name typed.
        name: String,
        /// The most similar known names, the best first.
        nearest: Vec<String>,
    },
    /// The domain is known but has no files in this suite.
    #[error(
        "domain '{name}' is not in the suite '{suite}': wanted one of {}{hint}",
        .has.join(", ")
    )]
    NotInSuite {
        /// The domain.
        name: String,
        /// The suite's name.
        suite: String,
        /// The domains that it has.
        has: Vec<String>,
        /// How to get the domain.
        hint: String,
    },
    /// No suite has this name.
    #[error(
        "unknown suite '{name}': {}wanted one of {}; use --data DIR for other real data",
        suggestion(.nearest), .known.join(", ")
    )]
    UnknownSuite {
        /// The name typed.
        name: String,
        /// The most similar known names, the best first.
        nearest: Vec<String>,
        /// Every known name.
        known: Vec<String>,
    },
    /// The suite has none of the known domains.
    #[error(
        "the suite '{suite}' has no known domain: wanted {wanted} in {place}, with DOMAIN a name that `promptshift list domains` shows{hint}"
    )]
    EmptySuite {
        /// The suite's name.
        suite: String,
        /// The files that would suffice.
        wanted: &'static str,
        /// Where the suite looked.
        place: String,
        /// What was found instead, or empty.
        hint: String,
    },
    /// A domain has no such variant.
    #[error("'{domain}' has no variant '{variant}': {}known: {}", suggestion(.nearest), .known.join(", "))]
    UnknownVariant {
        /// The domain.
        domain: String,
        /// The variant typed.
        variant: String,
        /// The most similar of its variants, the best first.
        nearest: Vec<String>,
        /// All of its variants.
        known: Vec<String>,
    },
    /// Source and target have different tasks.
    #[error(
        "'{source_name}' is {source_task} and '{target}' is {target_task}: wanted a source and a \
         target of one task, such as {}",
        .others.join(", ")
    )]
    TaskMismatch {
        /// The source.
        source_name: String,
        /// Its task.
        source_task: Task,
        /// The target.
        target: String,
        /// Its task.
        target_task: Task,
        /// Targets of the source's task in this suite.
        others: Vec<String>,
    },
    /// The sources of a mixture have different tasks.
    #[error(
        "'{first}' is {first_task} and '{other}' is {other_task}: wanted a mixture of one task's \
         domains"
    )]
    MixedTasks {
        /// The first source.
        first: String,
        /// Its task.
        first_task: Task,
        /// Another source.
        other: String,
        /// Its task.
        other_task: Task,
    },
    /// The labels of one domain can't be mapped to those of another.
    #[error(transparent)]
    Labels(#[from] LabelMismatch),
    /// The labels of a mixture's domains are not in the same order.
    #[error(
        "'{first}' has the labels {first_labels} and '{other}' {other_labels}: wanted a mixture of domains with equally \
         many labels, and shared labels at the same positions"
    )]
    MixedLabels {
        /// The first source.
        first: String,
        /// Its labels.
        first_labels: String,
        /// Another source.
        other: String,
        /// Its labels.
        other_labels: String,
    },
    /// A user's card has the name of an existing domain.
    #[error("{file}: wanted a new name for the domain, found '{name}', which exists already")]
    NameTaken {
        /// The card's file.
        file: String,
        /// The name.
        name: String,
    },
    /// A user's card is invalid.
    #[error(transparent)]
    Card(#[from] CardError),
    /// `all` matches no domain.
    #[error("'{name}->all' has no target: wanted other domains of its task in '{suite}', found 0")]
    NoOthers {
        /// The source.
        name: String,
        /// The suite's name.
        suite: String,
    },
}

/// `did you mean 'a' or 'b'? `, or nothing.
fn suggestion(nearest: &[String]) -> String {
    if nearest.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = nearest.iter().map(|name| format!("'{name}'")).collect();
    format!("did you mean {}? ", quoted.join(" or "))
}
