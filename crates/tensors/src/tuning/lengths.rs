//! Maximum input lengths of a network.

use super::apply::TuningError;
use crate::backbone::Backbone;
use crate::network::{Config, PositionsEnd};
use promptshift_numbers::recipe::Limits;

/// The limits for a network with a prompt of this many vectors: inputs are limited to the positions that
/// remain after the prompt and the longest output. All uses of a network get their limits here.
///
/// # Errors
/// [`TuningError::TooLong`]: no positions remain for an input.
pub fn within(limits: Limits, vectors: usize, config: &Config) -> Result<Limits, TuningError> {
    let output = limits.target.max(limits.answer);
    let room = match config.positions() {
        None => return Ok(limits),
        Some(PositionsEnd::OfInput(positions)) => Some(positions),
        Some(PositionsEnd::OfAll(positions)) => positions.checked_sub(vectors + output),
    };
    match room {
        Some(room) if room > 0 => Ok(Limits {
            input: limits.input.min(room),
            ..limits
        }),
        _ => Err(TuningError::TooLong {
            vectors,
            output,
            positions: config.positions().map_or(0, PositionsEnd::count),
        }),
    }
}

/// A note for the case that inputs are truncated because positions run out: `found` are the limits that
/// [`within`] computed from `asked`.
pub fn cut_at(asked: &Limits, found: &Limits, backbone: &Backbone) -> Option<String> {
    let positions = backbone.config.positions()?;
    if found.input >= asked.input {
        return None;
    }
    let among = match positions {
        PositionsEnd::OfInput(_) => "",
        PositionsEnd::OfAll(_) => ", which prompts and outputs share",
    };
    Some(format!(
        "inputs of '{}' are truncated after {} tokens instead of {}: it has {} positions{among}",
        backbone.name,
        found.input,
        asked.input,
        positions.count()
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gpt2(positions: usize) -> Config {
        let json = json!({
            "model_type": "gpt2", "vocab_size": 16, "n_embd": 8, "n_layer": 1, "n_head": 2,
            "n_positions": positions
        });
        Config::parse(json.to_string().as_bytes(), "config.json").expect("a GPT-2")
    }

    #[test]
    fn inputs_are_limited_by_positions() {
        let limits = Limits {
            input: 512,
            target: 97,
            answer: 32,
        };
        let input = |positions, vectors| {
            let limits = within(limits, vectors, &gpt2(positions));
            limits.map(|limits| limits.input).ok()
        };
        assert_eq!(input(1024, 100), Some(512));
        assert_eq!(input(1024, 500), Some(427));
        assert_eq!(input(512, 0), Some(415));
        assert_eq!(input(512, 414), Some(1));
        assert_eq!(input(512, 415), None);
        assert_eq!(input(64, 0), None);

        let bert = json!({
            "model_type": "bert", "vocab_size": 16, "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 8, "hidden_act": "gelu",
            "max_position_embeddings": 48, "type_vocab_size": 2
        });
        let bert = Config::parse(bert.to_string().as_bytes(), "config.json").expect("a BERT");
        // A BERT's prompt vectors use no positions.
        let found = within(limits, 100, &bert).expect("room");
        assert_eq!(
            found,
            Limits {
                input: 48,
                ..limits
            }
        );
    }
}
