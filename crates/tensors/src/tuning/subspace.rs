//! Linear subspaces of soft prompts.

use super::saved::error::SavedError;
use super::saved::vectors::Vectors;
use promptshift_numbers::inspect::principal::principal;

/// A linear subspace of soft prompts, as plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Subspace {
    /// `[P, D]`.
    pub(super) shape: [usize; 2],
    pub(super) mean: Vec<f32>,
    /// `[d, P·D]`, row by row: as long as the prompts' standard deviation along each.
    pub(super) directions: Vec<f32>,
    pub(super) dimension: usize,
}

/// Prompts that no subspace can be found from.
#[derive(Debug, thiserror::Error)]
pub enum SubspaceError {
    /// Too few of them, or too like each other.
    #[error(
        "a subspace of {wanted} dimensions: {prompts} prompts span {found}; wanted more prompts or \
         fewer dimensions, at least one"
    )]
    Few {
        /// What was asked for.
        wanted: usize,
        /// Prompts.
        prompts: usize,
        /// Dimensions that they span, at most one fewer than there are prompts.
        found: usize,
    },
    /// One can't be used beside the first.
    #[error(transparent)]
    Prompt(#[from] SavedError),
}

impl Subspace {
    /// The `dimension` directions in which some prompts of one shape differ most, with the share of the
    /// prompts' variance that they hold, in [0, 1].
    ///
    /// # Errors
    /// They span less.
    ///
    /// # Panics
    /// Their shapes differ.
    pub fn of(prompts: &[&Vectors], dimension: usize) -> Result<(Self, f64), SubspaceError> {
        let few = |found| SubspaceError::Few {
            wanted: dimension,
            prompts: prompts.len(),
            found,
        };
        let first = prompts.first().ok_or_else(|| few(0))?;
        let points: Vec<&[f32]> = prompts.iter().map(|prompt| prompt.values()).collect();
        let found = principal(&points, dimension);
        if dimension == 0 || found.directions.len() < dimension {
            return Err(few(found.directions.len()));
        }
        let subspace = Subspace {
            shape: [first.length(), first.width()],
            mean: found.mean,
            directions: found.directions.concat(),
            dimension,
        };
        Ok((subspace, found.explained.iter().sum()))
    }

    /// `P`.
    pub fn length(&self) -> usize {
        self.shape[0]
    }

    /// `D`.
    pub(super) fn width(&self) -> usize {
        self.shape[1]
    }

    /// `d`.
    pub fn dimension(&self) -> usize {
        self.dimension
    }
}
