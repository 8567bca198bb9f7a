//! The outcome of a plan.

use promptshift_numbers::record::folder::StoredRecord;

/// The outcome of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The records of the completed cells, in the plan's order.
    pub records: Vec<StoredRecord>,
    /// Why the others have no record.
    pub failed: Vec<String>,
}

impl Outcome {
    /// Checks that every cell has a record.
    ///
    /// # Errors
    /// Some failed.
    pub fn complete(&self) -> Result<(), SomeFailed> {
        match self.failed.len() {
            0 => Ok(()),
            count => Err(SomeFailed {
                count,
                runs: count + self.records.len(),
                reasons: self.failed.join("; "),
            }),
        }
    }
}

/// The error of a plan in which some runs failed.
#[derive(Debug, thiserror::Error)]
#[error("{count} of {runs} runs failed, and reports show them as failed: {reasons}")]
pub struct SomeFailed {
    count: usize,
    runs: usize,
    reasons: String,
}
