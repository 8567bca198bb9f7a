//! Why the program ends without success, and its exit code.

use std::fmt;

use anyhow::anyhow;

use super::interrupt;
use crate::experiment::Interrupted;
use crate::study::PrepareError;

/// Why the program ends without success.
#[derive(Debug)]
pub enum Failure {
    /// A usage error: exit code 2.
    Usage(anyhow::Error),
    /// Bad data, model or records, or a run that failed: exit code 1.
    Run(anyhow::Error),
    /// `compare` found a significant loss: exit code 1.
    Loss,
    /// `compare` could not compare: exit code 3, which distinguishes an error from a loss.
    Incomparable(anyhow::Error),
    /// A signal ended the program: exit code 75 if a scheduler sent it, else 128 plus its number.
    Interrupted,
}

impl Failure {
    /// A usage error.
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Failure::Usage(error.into())
    }

    /// The same error, prefixed with its location in a file.
    pub(super) fn at(self, place: &str) -> Self {
        let text = self.to_string();
        let placed = anyhow!("{place}: {}", text.trim_start_matches("error: "));
        match self {
            Failure::Usage(_) => Failure::Usage(placed),
            Failure::Run(_) => Failure::Run(placed),
            other => other,
        }
    }

    /// The exit code, as documented in `--help`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Run(_) | Failure::Loss => 1,
            Failure::Usage(_) => 2,
            Failure::Incomparable(_) => 3,
            Failure::Interrupted => interrupt::exit_code(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(error) | Failure::Run(error) | Failure::Incomparable(error) => {
                let mut text = error.to_string();
                for cause in error.chain().skip(1).map(ToString::to_string) {
                    // Most messages include their cause.
                    if !text.contains(&cause) {
                        text = format!("{text}: {cause}");
                    }
                }
                write!(f, "error: {text}")
            }
            Failure::Loss => f.write_str("significant loss"),
            Failure::Interrupted => f.write_str(
                "interrupted: records and checkpoints are kept, and the same command resumes from them; \
                 nothing half-written is left",
            ),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let is_usage = matches!(
            error.downcast_ref(),
            Some(PrepareError::Words(_) | PrepareError::Tuning(_))
        );
        if is_usage {
            return Failure::Usage(error);
        }
        match error.root_cause().is::<Interrupted>() {
            true => Failure::Interrupted,
            false => Failure::Run(error),
        }
    }
}
