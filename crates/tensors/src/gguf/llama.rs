//! Converts a Llama's configuration and weights to Hugging Face's names and layout.
//!
//! llama.cpp rotates adjacent coordinates of a head, Hugging Face its two halves, so llama.cpp's converter
//! permutes the rows of queries and keys (`LlamaModel.permute` in `convert_hf_to_gguf.py`). The permutation
//! is undone here.

use super::{Gguf, GgufError};
use crate::checkpoint::Weights;
use crate::decoder_only::{Caps, DecoderConfig, LayerKind, Positions, Scaling, Shape};

const WANTED: &str = "the metadata of a Llama (general.architecture llama)";

/// The configuration and weights of a file's network.
///
/// # Errors
/// It is not a Llama, or an unsupported one.
pub fn network(file: &Gguf) -> Result<(DecoderConfig, Weights), GgufError> {
    let config = config(file)?;
    let mut weights = Weights::empty(file.path());
    for name in file.names() {
        let (shape, mut values) = file.tensor(name).expect("one of its names");
        let [part, own] = match name.rsplit_once('.') {
            Some((part, ending)) => [part, ending],
            None => [name, ""],
        };
        let heads = if part.ends_with(".attn_q") {
            Some(config.heads)
        } else if part.ends_with(".attn_k") {
            Some(config.key_heads)
        } else {
            None
        };
        if let (Some(heads), &[rows, columns]) = (heads, shape.as_slice()) {
            if !rows.is_multiple_of(2 * heads) {
                return Err(file.wrong(WANTED, format!("'{name}' of shape {shape:?}")));
            }
            values = halves(&values, heads, rows / heads, columns);
        }
        let name = published(part).map_or(name.to_string(), |part| format!("{part}.{own}"));
        weights.put(&name, shape, values);
    }
    Ok((config, weights))
}

/// A file's configuration.
///
/// # Errors
/// As [`network`].
pub fn config(file: &Gguf) -> Result<DecoderConfig, GgufError> {
    let wrong = |found: String| file.wrong(WANTED, found);
    match file.text("general.architecture") {
        Some("llama") => {}
        other => return Err(wrong(format!("general.architecture {other:?}"))),
    }
    let size = |key: &str| {
        let key = format!("llama.{key}");
        file.size(&key).ok_or_else(|| wrong(format!("no {key}")))
    };
    let heads = size("attention.head_count")?;
    let width = size("embedding_length")?;
    let head_width = match file.size("llama.attention.key_length") {
        Some(width) => width,
        None => width / heads.max(1),
    };
    if let Some(turned) = file.size("llama.rope.dimension_count")
        && turned != head_width
    {
        return Err(wrong(format!(
            "llama.rope.dimension_count {turned} for heads of width {head_width}"
        )));
    }
    let scaling = match file.text("llama.rope.scaling.type") {
        None | Some("none") => Scaling::None,
        Some("linear") => match file.number("llama.rope.scaling.factor") {
            Some(factor) if factor > 0.0 => Scaling::Linear(factor),
            other => return Err(wrong(format!("llama.rope.scaling.factor {other:?}"))),
        },
        Some(other) => return Err(wrong(format!("llama.rope.scaling.type '{other}'"))),
    };
    let layers = size("block_count")?;
    let tokens = file.list("tokenizer.ggml.tokens").map(<[_]>::len);
    let config = DecoderConfig {
        shape: Shape::Llama,
        vocabulary: match file.size("llama.vocab_size").or(tokens) {
            Some(size) => size,
            None => return Err(wrong("no llama.vocab_size".to_string())),
        },
        width,
        layers,
        heads,
        key_heads: (file.size("llama.attention.head_count_kv")).unwrap_or(heads),
        head_width,
        feed_forward: size("feed_forward_length")?,
        epsilon: (file.number("llama.attention.layer_norm_rms_epsilon"))
            .ok_or_else(|| wrong("no llama.attention.layer_norm_rms_epsilon".to_string()))?,
        qkv_bias: false,
        qk_norm: false,
        kinds: DecoderConfig::kinds_of(layers, |_| LayerKind::Global),
        local: None,
        query_scalar: head_width as f64,
        caps: Caps::NONE,
        tied: !file.names().any(|name| name == "output.weight"),
        positions: Positions::Rotary {
            theta: file.number("llama.rope.freq_base").unwrap_or(10_000.0),
            scaling,
        },
        longest: size("context_length")?,
    };
    config.checked().map_err(wrong)
}

/// Hugging Face's name of a tensor, if it has one.
fn published(part: &str) -> Option<String> {
    Some(match part {
        "token_embd" => "model.embed_tokens".to_string(),
        "output_norm" => "model.norm".to_string(),
        "output" => "lm_head".to_string(),
        part => {
            let (index, map) = part.strip_prefix("blk.")?.split_once('.')?;
            let map = match map {
                "attn_norm" => "input_layernorm",
                "attn_q" => "self_attn.q_proj",
                "attn_k" => "self_attn.k_proj",
                "attn_v" => "self_attn.v_proj",
                "attn_output" => "self_attn.o_proj",
                "ffn_norm" => "post_attention_layernorm",
                "ffn_gate" => "mlp.gate_proj",
                "ffn_up" => "mlp.up_proj",
                "ffn_down" => "mlp.down_proj",
                _ => return None,
            };
            format!("model.layers.{index}.{map}")
        }
    })
}

/// Moves rows `2 i` and `2 i + 1` of a head to rows `i` and `i + K/2`.
fn halves(values: &[f32], heads: usize, head_width: usize, columns: usize) -> Vec<f32> {
    let half = head_width / 2;
    let row = |row: usize| &values[row * columns..(row + 1) * columns];
    (0..heads)
        .flat_map(|head| {
            (0..head_width).map(move |at| head * head_width + 2 * (at % half) + at / half)
        })
        .flat_map(|from| row(from).iter().copied())
        .collect()
}
