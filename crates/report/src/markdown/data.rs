//! The table of the rows: how many, how much of them was read, and what training had seen.

use super::table::{TextTable, UNDEFINED};
use crate::number::{share, whole};
use crate::study::Study;
use promptshift_numbers::record::hygiene::Hygiene;

/// The section on the rows; nothing for records from before they were counted.
pub fn section(study: &Study) -> String {
    let counted = (study.records().iter())
        .map(|stored| &stored.record.hygiene)
        .find(|hygiene| !hygiene.is_empty());
    let Some(hygiene) = counted else {
        return String::new();
    };
    format!(
        "## The rows\n\n{}\nShares are of examples; tokens are those before the cut. An answer is looked \
         for as written, in what the model is given. Passages and questions (of pairs: whole pairs \
         and single texts) are counted once each, and are also in training if they equal one there \
         in lower case with white space collapsed.\n\n",
        table(hygiene).markdown()
    )
}

fn table(hygiene: &[Hygiene]) -> TextTable {
    let header = [
        "",
        "examples",
        "input cut",
        "answer behind the cut",
        "answer not in the passage",
        "passages also in training",
        "questions also in training",
        "input tokens: median, 95 %, longest",
    ];
    TextTable {
        words: &[0],
        header: header.map(str::to_owned).to_vec(),
        rows: hygiene.iter().map(row).collect(),
    }
}

fn row(rows: &Hygiene) -> Vec<String> {
    let of_examples = |count: usize| share(count as f64 / rows.examples as f64);
    let undefined = || UNDEFINED.to_owned();
    let tokens = rows.input_tokens;
    vec![
        format!("{}, {}", rows.domain, rows.split),
        whole(rows.examples as f64),
        of_examples(rows.cut_inputs),
        (rows.answers).map_or_else(undefined, |places| of_examples(places.behind_cut)),
        (rows.answers).map_or_else(undefined, |places| of_examples(places.absent)),
        (rows.shared).map_or_else(undefined, |shared| {
            of_texts(shared.shared_contexts, shared.contexts)
        }),
        (rows.shared).map_or_else(undefined, |shared| {
            of_texts(shared.shared_questions, shared.questions)
        }),
        format!(
            "{}, {}, {}",
            tokens.median, tokens.percentile_95, tokens.longest
        ),
    ]
}

/// `12 of 1,503`: numbers rather than a share, since even one may be worth looking at.
fn of_texts(count: usize, all: usize) -> String {
    format!("{} of {}", whole(count as f64), whole(all as f64))
}
