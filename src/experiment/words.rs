//! The texts that a recipe refers to, as tokens.

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::datasets::Source;
use promptshift_numbers::recipe::{DeltaRecipe, PreambleRecipe, PromptInit, Recipe};
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::tuning::{self, MethodInputs, TuningError};
use promptshift_text::domain::Example;
use promptshift_text::domain::wording::Wording;

/// Token ids of the labels and texts that a recipe refers to, and the prompt that it starts from.
pub(super) fn words(
    recipe: &Recipe,
    wording: &Wording,
    source: &Source,
    backbone: &Backbone,
    seed: u64,
) -> Result<MethodInputs, TuningError> {
    let encode = |text: &String| backbone.tokenizer.encode(text);
    let init = recipe.prompt.as_ref().map(|prompt| &prompt.init);
    Ok(MethodInputs {
        vectors: match init {
            Some(PromptInit::File(start)) => Some(tuning::started(start, backbone)?),
            _ => None,
        },
        subspace: match &recipe.delta {
            DeltaRecipe::Subspace(subspace) => Some(tuning::found_subspace(subspace, backbone)?),
            _ => None,
        },
        domain: source.card.name.clone(),
        labels: (0..source.card.labels.len())
            .map(|class| {
                backbone
                    .tokenizer
                    .encode(wording.target(&source.card, class))
            })
            .collect(),
        text: match init {
            Some(PromptInit::Text(text)) => encode(text),
            _ => Vec::new(),
        },
        preamble: match &recipe.delta {
            DeltaRecipe::Preamble(PreambleRecipe::Instruction(text)) => encode(text),
            DeltaRecipe::Preamble(PreambleRecipe::Examples(count)) => {
                let examples = &source.train.examples;
                match backbone.tokenizer.continues() {
                    true => encode(&examples_to_continue(examples, *count, seed)),
                    false => encode(&examples_in_context(examples, *count, seed)),
                }
            }
            _ => Vec::new(),
        },
    })
}

/// Some training rows, drawn without replacement.
fn drawn(rows: &[Example], count: usize, seed: u64) -> impl Iterator<Item = &Example> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let drawn = index::sample(&mut rng, rows.len(), count.min(rows.len()));
    drawn.into_iter().map(|row| &rows[row])
}

/// Some training rows with their answers, in sequence.
fn examples_in_context(rows: &[Example], count: usize, seed: u64) -> String {
    let texts = drawn(rows, count, seed).map(|row| format!("{} answer: {}", row.input, row.target));
    texts.collect::<Vec<_>>().join(" ")
}

/// Examples in context for a model that continues a text: inputs end where their answers begin, and rows are
/// separated by an empty line.
fn examples_to_continue(rows: &[Example], count: usize, seed: u64) -> String {
    drawn(rows, count, seed)
        .map(|row| format!("{} {}\n\n", row.input, row.target))
        .collect()
}
