//! Which rows serve as which split: where a domain's files are fewer than its uses.
//!
//! A source needs rows to train on, to select by and to be scored on; a target only the last.
//! Public data seldom has all three, so a file is shared out by a stable hash of the passage: a
//! passage is never on both sides, and the same file is shared out the same way in every run.

use std::ops::Range;

use super::Split;

/// The rows of one split: a file, or a share of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// What the rows serve as.
    pub split: Split,
    /// The file that they are read from.
    pub file: Split,
    /// Which of its rows.
    pub share: Share,
}

/// Which rows of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Share {
    /// All of them.
    Whole,
    /// Those whose passage falls into these of 100 buckets.
    Passages(Range<u64>),
}

/// Where each split of a source comes from; no passage is in two of them unless two files hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSplits {
    /// Rows to learn from.
    pub train: Portion,
    /// Rows to select by.
    pub validation: Portion,
    /// Rows that are only scored.
    pub test: Portion,
}

/// Buckets of a file that no other split uses.
const BUCKETS: u64 = 100;
/// Buckets of `train.parquet` held out for a split that has no file.
const HELD_OUT: u64 = 10;

impl SourceSplits {
    /// Shares out the files that a domain has; `None` without one to train on.
    ///
    /// | files | validation | test |
    /// |---|---|---|
    /// | train, validation, test | its file | its file |
    /// | train, test | a tenth of train's passages | its file |
    /// | train, validation | half of validation's passages | the other half |
    /// | train | a tenth of train's passages | another tenth |
    pub fn of(files: &[Split]) -> Option<SourceSplits> {
        let [has_train, has_validation, has_test] = Split::ALL.map(|split| files.contains(&split));
        if !has_train {
            return None;
        }
        let first = 0..HELD_OUT;
        let second = HELD_OUT..2 * HELD_OUT;
        let half = BUCKETS / 2;
        Some(match (has_validation, has_test) {
            (true, true) => SourceSplits {
                train: Portion::whole(Split::Train),
                validation: Portion::whole(Split::Validation),
                test: Portion::whole(Split::Test),
            },
            (false, true) => SourceSplits {
                train: Portion::passages(Split::Train, Split::Train, first.end..BUCKETS),
                validation: Portion::passages(Split::Validation, Split::Train, first),
                test: Portion::whole(Split::Test),
            },
            (true, false) => SourceSplits {
                train: Portion::whole(Split::Train),
                validation: Portion::passages(Split::Validation, Split::Validation, 0..half),
                test: Portion::passages(Split::Test, Split::Validation, half..BUCKETS),
            },
            (false, false) => SourceSplits {
                train: Portion::passages(Split::Train, Split::Train, second.end..BUCKETS),
                validation: Portion::passages(Split::Validation, Split::Train, first),
                test: Portion::passages(Split::Test, Split::Train, second),
            },
        })
    }

    /// What the report has to say about them.
    pub fn notes(&self) -> Vec<String> {
        [&self.train, &self.validation, &self.test]
            .into_iter()
            .filter_map(Portion::note)
            .collect()
    }
}

impl Portion {
    /// The rows that a target is scored on: all of its test file, or of its validation file where
    /// there is no test file, since nothing is selected by a target. `None` without either.
    pub fn of_target(files: &[Split]) -> Option<Portion> {
        [Split::Test, Split::Validation]
            .into_iter()
            .find(|file| files.contains(file))
            .map(|file| Portion {
                split: Split::Test,
                file,
                share: Share::Whole,
            })
    }

    /// What the report has to say about them; nothing where a split is its own file.
    pub fn note(&self) -> Option<String> {
        let Portion { split, file, share } = self;
        match share {
            Share::Whole if split == file => None,
            Share::Whole => Some(format!(
                "{split} is all of {file}.parquet, as there is no {split}.parquet"
            )),
            Share::Passages(buckets) => Some(format!(
                "{split} is about {} % of {file}.parquet: the passages whose hash falls into \
                 {}..{} of {BUCKETS}, none of which is in another split",
                100 * (buckets.end - buckets.start) / BUCKETS,
                buckets.start,
                buckets.end,
            )),
        }
    }

    fn whole(split: Split) -> Portion {
        Portion {
            split,
            file: split,
            share: Share::Whole,
        }
    }

    fn passages(split: Split, file: Split, buckets: Range<u64>) -> Portion {
        Portion {
            split,
            file,
            share: Share::Passages(buckets),
        }
    }
}

impl Share {
    /// Whether a passage, as named by [`Row::passage`](super::row::Row::passage), belongs to it.
    pub fn holds(&self, passage: &str) -> bool {
        match self {
            Share::Whole => true,
            Share::Passages(buckets) => {
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
        let splits = SourceSplits::of(&[Train, Validation, Test]).expect("has train");
        assert_eq!(splits.notes(), Vec::<String>::new());
        assert_eq!(splits.test, Portion::whole(Test));
    }

    #[test]
    fn a_test_file_is_kept_whole_and_validation_is_held_out_from_train() {
        let splits = SourceSplits::of(&[Train, Test]).expect("has train");
        assert_eq!(splits.test, Portion::whole(Test));
        assert_eq!(splits.validation.file, Train);
        assert_eq!(
            splits.notes()[1],
            "validation is about 10 % of train.parquet: the passages whose hash falls into \
             0..10 of 100, none of which is in another split"
        );
    }

    #[test]
    fn a_lone_validation_file_is_halved() {
        let splits = SourceSplits::of(&[Train, Validation]).expect("has train");
        assert_eq!(splits.train, Portion::whole(Train));
        assert_eq!(splits.validation.share, Share::Passages(0..50));
        assert_eq!(splits.test.share, Share::Passages(50..100));
        assert_eq!(splits.notes().len(), 2);
    }

    #[test]
    fn nothing_to_train_on_is_no_source() {
        assert_eq!(SourceSplits::of(&[Validation, Test]), None);
        assert_eq!(SourceSplits::of(&[]), None);
    }

    #[test]
    fn a_target_is_scored_on_test_or_else_on_validation() {
        let target = Portion::of_target(&[Train, Validation, Test]).expect("has test");
        assert_eq!((target.file, target.note()), (Test, None));
        let target = Portion::of_target(&[Train, Validation]).expect("has validation");
        assert_eq!(target.file, Validation);
        assert_eq!(
            target.note().as_deref(),
            Some("test is all of validation.parquet, as there is no test.parquet")
        );
        assert_eq!(Portion::of_target(&[Train]), None);
    }

    proptest! {
        #[test]
        fn every_passage_of_a_file_serves_one_split(hash: u64) {
            let passage = format!("{hash:016x}");
            for files in SOURCES {
                let splits = SourceSplits::of(files).expect("has train");
                for file in files {
                    let uses = [&splits.train, &splits.validation, &splits.test]
                        .into_iter()
                        .filter(|portion| portion.file == *file && portion.share.holds(&passage))
                        .count();
                    prop_assert_eq!(uses, 1, "{:?} of {:?}", file, files);
                }
            }
        }
    }
}
