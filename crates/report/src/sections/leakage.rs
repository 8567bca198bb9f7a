//! How many rows were there, how much of them did the model read, and did any occur in training?

use crate::document::{Block, Table, or_dash};
use crate::number::{share, whole};
use crate::study::Study;
use promptshift_numbers::leakage::Leakage;

/// The section; empty for older records.
pub fn blocks(study: &Study) -> Vec<Block> {
    let counted = (study.records().iter())
        .map(|stored| &stored.record.leakage)
        .find(|leakage| !leakage.is_empty());
    let Some(leakage) = counted else {
        return Vec::new();
    };
    Block::section(
        "Rows and leakage",
        table(leakage),
        "Shares are of examples; tokens are counted before truncation. Answers are searched for verbatim in the \
         model's input. Distinct passages and questions are counted (for pairs: whole pairs and single texts); one \
         is also in training if an equal text occurs there after lower-casing and collapsing white space.",
    )
    .to_vec()
}

fn table(leakage: &[Leakage]) -> Table {
    let header = " | examples | input cut | answer after the cut | answer not in the passage | \
        passages also in training | questions also in training | \
        input tokens: median, 95 %, longest";
    Table::of(header).rows(leakage.iter().map(row))
}

fn row(rows: &Leakage) -> Vec<String> {
    let of_examples = |count: usize| share(count as f64 / rows.examples as f64);
    let tokens = rows.input_tokens;
    vec![
        format!("{}, {}", rows.domain, rows.split),
        whole(rows.examples as f64),
        of_examples(rows.cut_inputs),
        or_dash(rows.answers, |places| of_examples(places.behind_cut)),
        or_dash(rows.answers, |places| of_examples(places.absent)),
        or_dash(rows.shared, |shared| {
            of_texts(shared.shared_contexts, shared.contexts)
        }),
        or_dash(rows.shared, |shared| {
            of_texts(shared.shared_questions, shared.questions)
        }),
        format!(
            "{}, {}, {}",
            tokens.median, tokens.percentile_95, tokens.longest
        ),
    ]
}

/// `12 of 1,503`: counts rather than a share, since even one may matter.
fn of_texts(count: usize, all: usize) -> String {
    format!("{} of {}", whole(count as f64), whole(all as f64))
}
