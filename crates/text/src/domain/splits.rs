//! A domain's splits, and which rows serve as each: a domain may have fewer files than uses.
//!
//! A source needs rows for training, selection and scoring; a target only for scoring. Public data seldom has
//! all three, so one file can serve as two splits: a stable hash divides its passages. No passage is on both
//! sides, and the division is the same in every run.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A split of a domain: training reads `Train`, model selection `Validation`, the report `Test`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Rows for training.
    Train,
    /// Rows for choosing a step or a recipe.
    Validation,
    /// Rows for scoring only.
    Test,
}

impl Split {
    /// Every split, in order of use.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    /// The name of its file (`train.parquet`) and of its column in a table.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the rows of one split come from: a file or a subset of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitSource {
    /// The split that the rows serve as.
    pub split: Split,
    /// The file that contains them.
    pub file: Split,
    /// The subset of its rows.
    pub filter: RowFilter,
}

/// A subset of a file's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFilter {
    /// All of them.
    All,
    /// Rows whose passage falls into these of 100 buckets.
    PassageBuckets(Range<u64>),
}

/// The origin of each split of a source domain. No passage is in two splits unless two files contain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainSplits {
    /// Rows for training.
    pub train: SplitSource,
    /// Rows for selection.
    pub validation: SplitSource,
    /// Rows for scoring only.
    pub test: SplitSource,
}

/// The number of buckets that a file's passages are divided into.
const BUCKETS: u64 = 100;
/// Buckets of `train.parquet` held out for a split that has no file.
const HELD_OUT: u64 = 10;

impl DomainSplits {
    /// Divides a domain's files; `None` without training rows.
    ///
    /// | files | validation | test |
    /// |---|---|---|
    /// | train, validation, test | its file | its file |
    /// | train, test | a tenth of train's passages | its file |
    /// | train, validation | half of validation's passages | the other half |
    /// | train | a tenth of train's passages | another tenth |
    pub fn of(files: &[Split]) -> Option<DomainSplits> {
        let [has_train, has_validation, has_test] = Split::ALL.map(|split| files.contains(&split));
        if !has_train {
            return None;
        }
        let first = 0..HELD_OUT;
        let second = HELD_OUT..2 * HELD_OUT;
        let half = BUCKETS / 2;
        Some(match (has_validation, has_test) {
            (true, true) => DomainSplits {
                train: SplitSource::whole(Split::Train),
                validation: SplitSource::whole(Split::Validation),
                test: SplitSource::whole(Split::Test),
            },
            (false, true) => DomainSplits {
                train: SplitSource::passages(Split::Train, Split::Train, first.end..BUCKETS),
                validation: SplitSource::passages(Split::Validation, Split::Train, first),
                test: SplitSource::whole(Split::Test),
            },
            (true, false) => DomainSplits {
                train: SplitSource::whole(Split::Train),
                validation: SplitSource::passages(Split::Validation, Split::Validation, 0..half),
                test: SplitSource::passages(Split::Test, Split::Validation, half..BUCKETS),
            },
            (false, false) => DomainSplits {
                train: SplitSource::passages(Split::Train, Split::Train, second.end..BUCKETS),
                validation: SplitSource::passages(Split::Validation, Split::Train, first),
                test: SplitSource::passages(Split::Test, Split::Train, second),
            },
        })
    }

    /// The report's notes on the splits.
    pub fn notes(&self) -> Vec<String> {
        [&self.train, &self.validation, &self.test]
            .into_iter()
            .filter_map(SplitSource::note)
            .collect()
    }
}

impl SplitSource {
    /// The rows a target is scored on: its whole test file, or without one its whole validation file, since
    /// no selection uses a target. `None` without either.
    pub fn of_target(files: &[Split]) -> Option<SplitSource> {
        [Split::Test, Split::Validation]
            .into_iter()
            .find(|file| files.contains(file))
            .map(|file| SplitSource {
                split: Split::Test,
                file,
                filter: RowFilter::All,
            })
    }

    /// The report's note on the split; `None` if it has its own file.
    pub fn note(&self) -> Option<String> {
        let SplitSource {
            split,
            file,
            filter,
        } = self;
        match filter {
            RowFilter::All if split == file => None,
            RowFilter::All => Some(format!(
                "{split} is all of {file}.parquet, since there is no {split}.parquet"
            )),
            RowFilter::PassageBuckets(buckets) => Some(format!(
                "{split} is about {} % of {file}.parquet: the passages whose hash falls into \
                 {}..{} of {BUCKETS}, none of which is in another split",
                100 * (buckets.end - buckets.start) / BUCKETS,
                buckets.start,
                buckets.end,
            )),
        }
    }

    fn whole(split: Split) -> SplitSource {
        SplitSource {
            split,
            file: split,
            filter: RowFilter::All,
        }
    }

    fn passages(split: Split, file: Split, buckets: Range<u64>) -> SplitSource {
        SplitSource {
            split,
            file,
            filter: RowFilter::PassageBuckets(buckets),
        }
    }
}

impl RowFilter {
    /// Whether the filter includes rows of this passage, given as [`Row::passage`](super::row::Row::passage).
    pub fn keeps(&self, passage: &str) -> bool {
        match self {
            RowFilter::All => true,
            RowFilter::PassageBuckets(buckets) => {
                let hash = u64::from_str_radix(passage, 16)
                    .expect("a passage's name is 16 hexadecimal digits");
                buckets.contains(&(hash % BUCKETS))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Split::{Test, Train, Validation};
    use proptest::prelude::*;

    const SOURCES: [&[Split]; 4] = [
        &[Train, Validation, Test],
        &[Train, Validation],
        &[Train, Test],
        &[Train],
    ];

    #[test]
    fn a_source_with_every_file_uses_them_whole() {
        let splits = DomainSplits::of(&[Train, Validation, Test]).expect("has train");
        assert_eq!(splits.notes(), Vec::<String>::new());
        assert_eq!(splits.test, SplitSource::whole(Test));
    }

    #[test]
    fn a_test_file_is_kept_whole_and_validation_is_held_out_from_train() {
        let splits = DomainSplits::of(&[Train, Test]).expect("has train");
        assert_eq!(splits.test, SplitSource::whole(Test));
        assert_eq!(splits.validation.file, Train);
        assert_eq!(
            splits.notes()[1],
            "validation is about 10 % of train.parquet: the passages whose hash falls into \
             0..10 of 100, none of which is in another split"
        );
    }

    #[test]
    fn a_lone_validation_file_is_halved() {
        let splits = DomainSplits::of(&[Train, Validation]).expect("has train");
        assert_eq!(splits.train, SplitSource::whole(Train));
        assert_eq!(splits.validation.filter, RowFilter::PassageBuckets(0..50));
        assert_eq!(splits.test.filter, RowFilter::PassageBuckets(50..100));
        assert_eq!(splits.notes().len(), 2);
    }

    #[test]
    fn a_source_needs_training_rows() {
        assert_eq!(DomainSplits::of(&[Validation, Test]), None);
        assert_eq!(DomainSplits::of(&[]), None);
    }

    #[test]
    fn a_target_is_scored_on_test_or_else_on_validation() {
        let target = SplitSource::of_target(&[Train, Validation, Test]).expect("has test");
        assert_eq!((target.file, target.note()), (Test, None));
        let target = SplitSource::of_target(&[Train, Validation]).expect("has validation");
        assert_eq!(target.file, Validation);
        assert_eq!(
            target.note().as_deref(),
            Some("test is all of validation.parquet, since there is no test.parquet")
        );
        assert_eq!(SplitSource::of_target(&[Train]), None);
    }

    proptest! {
        #[test]
        fn every_passage_of_a_file_serves_one_split(hash: u64) {
            let passage = format!("{hash:016x}");
            for files in SOURCES {
                let splits = DomainSplits::of(files).expect("has train");
                for file in files {
                    let uses = [&splits.train, &splits.validation, &splits.test]
                        .into_iter()
                        .filter(|from| from.file == *file && from.filter.keeps(&passage))
                        .count();
                    prop_assert_eq!(uses, 1, "{:?} of {:?}", file, files);
                }
            }
        }
    }
}
