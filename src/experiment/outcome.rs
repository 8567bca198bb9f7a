//! What a plan came to.

use promptshift_numbers::record::folder::StoredRecord;

/// What a plan came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The records of the cells that ended, in the plan's order.
    pub records: Vec<StoredRecord>,
    /// Why the others have none, in words.
    pub failed: Vec<String>,
}

impl Outcome {
    /// Whether every cell has its record.
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

/// What is left to say when a plan has been gone through and some of its runs failed.
#[derive(Debug, thiserror::Error)]
#[error("{count} of {runs} runs failed, and reports show them as failed: {reasons}")]
pub struct SomeFailed {
    count: usize,
    runs: usize,
    reasons: String,
}
