//! What runs were computed on: times and memory compare on like hardware only.

use std::collections::BTreeSet;

use crate::number::list;
use promptshift_numbers::record::Provenance;
use promptshift_numbers::record::folder::StoredRecord;

/// Where everything in some records was computed: trainings, and answers that are another command's.
fn origins<'a>(
    records: impl IntoIterator<Item = &'a StoredRecord>,
) -> impl Iterator<Item = &'a Provenance> {
    records.into_iter().flat_map(|stored| {
        std::iter::once(&stored.record.provenance).chain(&stored.record.answered)
    })
}

/// The kinds of hardware that records were computed on, in words and in order.
pub fn kinds<'a>(records: impl IntoIterator<Item = &'a StoredRecord>) -> Vec<String> {
    let kinds: BTreeSet<String> = origins(records).map(Provenance::hardware).collect();
    kinds.into_iter().collect()
}

/// Why times and memory of these records are left out; `None` where all are of like hardware.
pub fn unlike<'a>(records: impl IntoIterator<Item = &'a StoredRecord>) -> Option<String> {
    let kinds = kinds(records);
    (kinds.len() > 1).then(|| {
        format!(
            "Times, rates and memory are left out: they do not compare, since the runs were computed on unlike \
             hardware ({}). Each record has its own.",
            kinds.join("; ")
        )
    })
}

/// What is to be known of times where runs shared a machine; empty where each had it alone.
pub fn shared<'a>(records: impl IntoIterator<Item = &'a StoredRecord>) -> String {
    let counts: BTreeSet<usize> = origins(records).map(|origin| origin.side_by_side).collect();
    match counts.iter().copied().collect::<Vec<_>>()[..] {
        [] | [1] => String::new(),
        [runs] => format!(
            " Up to {runs} runs shared the machine, each on its own threads: times and rates compare with each \
             other, and are slower than those of a run alone."
        ),
        _ => format!(
            " Runs shared the machine with different numbers of others ({} at a time), each on its own threads: \
             their times and rates do not compare strictly, since a run alone is faster.",
            list(&counts.iter().map(usize::to_string).collect::<Vec<_>>())
        ),
    }
}
