//! What the rows of a run are like: how much of them the model reads, and whether they were seen in
//! training.

use serde::{Deserialize, Serialize};

use promptshift_text::domain::Split;

/// One split of one domain. Filled in by [`leakage`](crate::leakage).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leakage {
    /// The domain.
    pub domain: String,
    /// What its rows serve as.
    pub split: Split,
    /// Examples used.
    pub examples: usize,
    /// Examples whose input was longer than the limit.
    pub cut_inputs: usize,
    /// Where the right answers are; absent for tasks whose answers are class strings.
    pub answers: Option<AnswerPlaces>,
    /// Texts that source training has too; absent for source training itself.
    pub shared: Option<Shared>,
    /// Lengths of the inputs before the cut, end of sequence included.
    pub input_tokens: Lengths,
}

/// Examples by where their right answers are, as written in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerPlaces {
    /// Examples of whose right answers none is in the passage.
    pub absent: usize,
    /// Examples of whose right answers some are in the passage, but none in what is left of it after
    /// the cut.
    pub behind_cut: usize,
}

/// Different texts, and those of them that source training has too: equal in lower case with white
/// space collapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// Different passages; for pairs, different pairs.
    pub contexts: usize,
    /// Those that are in source training.
    pub shared_contexts: usize,
    /// Different questions; for pairs, different single texts.
    pub questions: usize,
    /// Those that are in source training.
    pub shared_questions: usize,
}

/// Lengths in tokens by rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lengths {
    /// The least length that half of the inputs do not exceed.
    pub median: usize,
    /// The least length that 95 of 100 inputs do not exceed.
    pub percentile_95: usize,
    /// The greatest length.
    pub longest: usize,
}
