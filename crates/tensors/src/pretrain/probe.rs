//! A measure of progress in pre-training: can the model answer in a format of its pre-training, about entities and in
//! phrasings that it has never seen?

use crate::layers::{Pass, Tokens};
use crate::t5::T5;
use crate::tokenizer::Tokenizer;
use promptshift_text::domain::Split;
use promptshift_text::synthetic::{self, Rows};

/// Questions for each domain.
const QUESTIONS: usize = 60;

/// Exact match on the source-like domain and its mean over all others, in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ProbeScore {
    /// On `squad`.
    pub squad: f64,
    /// Mean over the other question-answering domains.
    pub others: f64,
}

/// Scores `model` on validation passages. The answer is checked token by token under teacher forcing: greedy decoding
/// after `Reply:` gives the answer exactly if each of its tokens is the most probable one after the tokens before it.
pub fn probe(model: &T5, tokenizer: &Tokenizer) -> ProbeScore {
    let mut squad = 0.0;
    let mut others = Vec::new();
    for domain in synthetic::domains() {
        let Rows::Qa(rows) = synthetic::rows(domain, Split::Validation, 0, QUESTIONS) else {
            continue;
        };
        let pairs: Vec<(String, String)> = rows
            .iter()
            .map(|row| {
                (
                    format!("Ask: {} Read: {}", row.question, row.context),
                    row.answer.clone(),
                )
            })
            .collect();
        let score = exact(model, tokenizer, &pairs);
        match domain.name {
            "squad" => squad = score,
            _ => others.push(score),
        }
    }
    ProbeScore {
        squad,
        others: others.iter().sum::<f64>() / others.len().max(1) as f64,
    }
}

fn exact(model: &T5, tokenizer: &Tokenizer, pairs: &[(String, String)]) -> f64 {
    let cue = tokenizer.encode("Reply:").len();
    let ended = |text: &str| {
        let mut ids = tokenizer.encode(text);
        ids.push(tokenizer.end());
        ids
    };
    let mut right = 0;
    for chunk in pairs.chunks(20) {
        let inputs: Vec<Vec<u32>> = chunk.iter().map(|(input, _)| ended(input)).collect();
        let targets: Vec<Vec<u32>> = chunk
            .iter()
            .map(|(_, answer)| ended(&format!("Reply: {answer}")))
            .collect();
        let inputs = Tokens::padded(&inputs, tokenizer.pad());
        let encoded = model.encode(model.embed(&inputs), &mut Pass::evaluation());
        let padded = Tokens::padded(&targets, tokenizer.pad());
        let best: Vec<i32> = model
            .logits(&encoded, &padded)
            .argmax(1)
            .into_data()
            .try_to_vec()
            .expect("indices are i32");
        let mut best = best.into_iter();
        for target in &targets {
            let predicted: Vec<u32> = best
                .by_ref()
                .take(target.len())
                .map(|id| id as u32)
                .collect();
            right += usize::from(predicted[cue..] == target[cue..]);
        }
    }
    right as f64 / pairs.len() as f64
}
