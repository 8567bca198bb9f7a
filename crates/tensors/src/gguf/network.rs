//! Converts a network's configuration and weights to Hugging Face's names and layout.
//!
//! What llama.cpp's converter (`convert_hf_to_gguf.py`) changes is undone here:
//!
//! - Of a Llama it permutes the rows of queries and keys (`LlamaModel.permute`), since llama.cpp rotates adjacent
//!   coordinates of a Llama's heads, and Hugging Face their two halves.
//! - To the norms of a Gemma it adds 1.
//! - Llama 3's scaling of rotary positions it writes as a tensor of factors, `rope_freqs`.
//!
//! What a file does not say is as in llama.cpp (`src/llama-model.cpp`): a Gemma's scale of scores, and which of its
//! layers have a window.

use super::{Gguf, GgufError};
use crate::checkpoint::Weights;
use crate::decoder_only::{Caps, DecoderConfig, LayerKind, Local, Positions, Scaling, Shape};
use crate::layers::rotary::frequencies;

const WANTED: &str = "the metadata of a Llama, Qwen or Gemma (general.architecture llama, qwen2, qwen3, gemma2 or gemma3)";

/// Factors of rotary wavelengths, computed in f32 by the converter.
const FACTORS: &str = "rope_freqs.weight";

/// The most that a factor may be off.
const TOLERANCE: f64 = 1e-4;

/// What `general.architecture` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Architecture {
    Llama,
    Qwen2,
    Qwen3,
    Gemma2,
    Gemma3,
}

impl Architecture {
    fn of(file: &Gguf) -> Result<Self, GgufError> {
        match file.text("general.architecture") {
            Some("llama") => Ok(Architecture::Llama),
            Some("qwen2") => Ok(Architecture::Qwen2),
            Some("qwen3") => Ok(Architecture::Qwen3),
            Some("gemma2") => Ok(Architecture::Gemma2),
            Some("gemma3") => Ok(Architecture::Gemma3),
            other => Err(file.wrong(WANTED, format!("general.architecture {other:?}"))),
        }
    }

    /// The prefix of its keys.
    fn prefix(self) -> &'static str {
        match self {
            Architecture::Llama => "llama",
            Architecture::Qwen2 => "qwen2",
            Architecture::Qwen3 => "qwen3",
            Architecture::Gemma2 => "gemma2",
            Architecture::Gemma3 => "gemma3",
        }
    }

    fn shape(self) -> Shape {
        match self {
            Architecture::Llama | Architecture::Qwen2 | Architecture::Qwen3 => Shape::Llama,
            Architecture::Gemma2 | Architecture::Gemma3 => Shape::Gemma,
        }
    }

    /// Hugging Face's name of a part of a block, if it has one.
    fn part(self, part: &str) -> Option<&'static str> {
        Some(match (part, self.shape()) {
            ("attn_norm", _) => "input_layernorm",
            ("attn_q", _) => "self_attn.q_proj",
            ("attn_k", _) => "self_attn.k_proj",
            ("attn_v", _) => "self_attn.v_proj",
            ("attn_output", _) => "self_attn.o_proj",
            ("attn_q_norm", _) => "self_attn.q_norm",
            ("attn_k_norm", _) => "self_attn.k_norm",
            ("ffn_norm", Shape::Gemma) => "pre_feedforward_layernorm",
            ("ffn_norm", _) => "post_attention_layernorm",
            ("post_attention_norm", Shape::Gemma) => "post_attention_layernorm",
            ("post_ffw_norm", Shape::Gemma) => "post_feedforward_layernorm",
            ("ffn_gate", _) => "mlp.gate_proj",
            ("ffn_up", _) => "mlp.up_proj",
            ("ffn_down", _) => "mlp.down_proj",
            _ => return None,
        })
    }

    /// Hugging Face's name of a tensor without its ending, if it has one.
    fn published(self, part: &str) -> Option<String> {
        Some(match part {
            "token_embd" => "model.embed_tokens".to_string(),
            "output_norm" => "model.norm".to_string(),
            "output" => "lm_head".to_string(),
            part => {
                let (index, part) = part.strip_prefix("blk.")?.split_once('.')?;
                format!("model.layers.{index}.{}", self.part(part)?)
            }
        })
    }
}

/// The configuration and weights of a file's network.
///
/// # Errors
/// It is not of a supported architecture, or one with unsupported values.
pub fn network(file: &Gguf) -> Result<(DecoderConfig, Weights), GgufError> {
    let architecture = Architecture::of(file)?;
    let config = config(file)?;
    let mut weights = Weights::empty(file.path());
    for name in file.names().filter(|name| *name != FACTORS) {
        let (shape, mut values) = file.tensor(name).expect("one of its names");
        let [part, own] = match name.rsplit_once('.') {
            Some((part, ending)) => [part, ending],
            None => [name, ""],
        };
        let heads = match architecture {
            Architecture::Llama if part.ends_with(".attn_q") => Some(config.heads),
            Architecture::Llama if part.ends_with(".attn_k") => Some(config.key_heads),
            _ => None,
        };
        if let (Some(heads), &[rows, columns]) = (heads, shape.as_slice()) {
            if !rows.is_multiple_of(2 * heads) {
                return Err(file.wrong(WANTED, format!("'{name}' of shape {shape:?}")));
            }
            values = halves(&values, heads, rows / heads, columns);
        }
        if config.shape == Shape::Gemma && part.ends_with("norm") {
            values.iter_mut().for_each(|gain| *gain -= 1.0);
        }
        let name = architecture.published(part);
        let name = name.map_or(format!("{part}.{own}"), |part| format!("{part}.{own}"));
        weights.put(&name, shape, values);
    }
    Ok((config, weights))
}

/// A file's configuration.
///
/// # Errors
/// As [`network`].
pub fn config(file: &Gguf) -> Result<DecoderConfig, GgufError> {
    let architecture = Architecture::of(file)?;
    let wrong = |found: String| file.wrong(WANTED, found);
    let named = |key: &str| format!("{}.{key}", architecture.prefix());
    let size = |key: &str| {
        let key = named(key);
        file.size(&key).ok_or_else(|| wrong(format!("no {key}")))
    };
    let number = |key: &str| file.number(&named(key));
    let heads = size("attention.head_count")?;
    let width = size("embedding_length")?;
    let head_width = match file.size(&named("attention.key_length")) {
        Some(width) => width,
        None => width / heads.max(1),
    };
    for key in ["rope.dimension_count", "attention.value_length"] {
        let key = named(key);
        if let Some(other) = file.size(&key)
            && other != head_width
        {
            return Err(wrong(format!(
                "{key} {other} for heads of width {head_width}"
            )));
        }
    }
    let layers = size("block_count")?;
    let theta = number("rope.freq_base").unwrap_or(10_000.0);
    let scaling = scaling(file, architecture, head_width, theta)?;
    let (kinds, local) = windows(file, architecture, layers, (theta, scaling))?;
    let tokens = file.list("tokenizer.ggml.tokens").map(<[_]>::len);
    let config = DecoderConfig {
        shape: architecture.shape(),
        vocabulary: match file.size(&named("vocab_size")).or(tokens) {
            Some(size) => size,
            None => return Err(wrong(format!("no {}", named("vocab_size")))),
        },
        width,
        layers,
        heads,
        key_heads: (file.size(&named("attention.head_count_kv"))).unwrap_or(heads),
        head_width,
        feed_forward: size("feed_forward_length")?,
        epsilon: number("attention.layer_norm_rms_epsilon")
            .ok_or_else(|| wrong(format!("no {}", named("attention.layer_norm_rms_epsilon"))))?,
        qkv_bias: architecture == Architecture::Qwen2,
        qk_norm: matches!(architecture, Architecture::Qwen3 | Architecture::Gemma3),
        tied: !file.names().any(|name| name == "output.weight"),
        positions: Positions::Rotary { theta, scaling },
        kinds,
        local,
        query_scalar: match (architecture, layers) {
            // The 27B of each.
            (Architecture::Gemma2, 46) | (Architecture::Gemma3, 62) => {
                width as f64 / heads.max(1) as f64
            }
            _ => head_width as f64,
        },
        caps: Caps {
            scores: number("attn_logit_softcapping"),
            logits: number("final_logit_softcapping"),
        },
        longest: size("context_length")?,
    };
    if architecture == Architecture::Gemma2 && config.caps.scores.is_none() {
        return Err(wrong(format!("no {}", named("attn_logit_softcapping"))));
    }
    if architecture != Architecture::Gemma2 && config.caps.scores.is_some() {
        return Err(wrong(named("attn_logit_softcapping")));
    }
    config.checked().map_err(wrong)
}

/// The kind of each layer, and the local ones; `global` are the base and the scaling of the others.
fn windows(
    file: &Gguf,
    architecture: Architecture,
    layers: usize,
    (theta, scaling): (f64, Scaling),
) -> Result<(Vec<LayerKind>, Option<Local>), GgufError> {
    let named = |key: &str| format!("{}.{key}", architecture.prefix());
    let key = named("attention.sliding_window");
    let window = file.size(&key);
    let wrong = |found: String| Err(file.wrong(WANTED, found));
    let (every, local) = match (architecture, window) {
        (Architecture::Gemma2 | Architecture::Gemma3, None) => return wrong(format!("no {key}")),
        (Architecture::Gemma2, Some(window)) => (
            2,
            Local {
                window,
                theta,
                scaling,
            },
        ),
        (Architecture::Gemma3, Some(window)) => (
            6,
            Local {
                window,
                theta: (file.number(&named("rope.freq_base_swa"))).unwrap_or(10_000.0),
                scaling: Scaling::None,
            },
        ),
        (_, None | Some(0)) => {
            return Ok((DecoderConfig::kinds_of(layers, |_| LayerKind::Global), None));
        }
        (_, Some(window)) => return wrong(format!("{key} {window}")),
    };
    let key = named("attention.sliding_window_pattern");
    let every = match (file.value(&key), file.size(&key)) {
        (None, _) => every,
        (_, Some(every)) if every > 0 => every,
        (other, _) => return wrong(format!("{key} {other:?}")),
    };
    let kinds = DecoderConfig::kinds_of(layers, |index| match (index + 1).is_multiple_of(every) {
        true => LayerKind::Global,
        false => LayerKind::Local,
    });
    let local = kinds.contains(&LayerKind::Local).then_some(local);
    Ok((kinds, local))
}

/// The scaling of rotary positions.
fn scaling(
    file: &Gguf,
    architecture: Architecture,
    head_width: usize,
    theta: f64,
) -> Result<Scaling, GgufError> {
    let wrong = |found: String| Err(file.wrong(WANTED, found));
    let named = |key: &str| format!("{}.{key}", architecture.prefix());
    let scaling = match file.text(&named("rope.scaling.type")) {
        None | Some("none") => Scaling::None,
        Some("linear") => match file.number(&named("rope.scaling.factor")) {
            Some(factor) if factor > 0.0 => Scaling::Linear(factor),
            other => return wrong(format!("{} {other:?}", named("rope.scaling.factor"))),
        },
        Some(other) => return wrong(format!("{} '{other}'", named("rope.scaling.type"))),
    };
    let Some((_, factors)) = file.tensor(FACTORS) else {
        return Ok(scaling);
    };
    let unknown = || format!("{FACTORS} of another scaling than Llama 3's");
    if scaling != Scaling::None || factors.len() != head_width / 2 {
        return wrong(unknown());
    }
    // The converter's values of what Llama 3's configuration may leave out; the factor is that of the longest waves.
    let llama3 = Scaling::Llama3 {
        factor: factors.iter().copied().fold(1.0, f32::max).into(),
        low: 1.0,
        high: 4.0,
        original: 8192.0,
    };
    let [plain, scaled] = [Scaling::None, llama3].map(|by| frequencies(head_width, theta, by));
    let wanted = plain
        .iter()
        .zip(&scaled)
        .map(|(plain, scaled)| plain / scaled);
    let is_llama3 = (factors.iter().zip(wanted))
        .all(|(found, wanted)| (f64::from(*found) / wanted - 1.0).abs() < TOLERANCE);
    match is_llama3 {
        true => Ok(llama3),
        false => wrong(unknown()),
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::blocks::Format;
    use super::super::value::Value;
    use super::super::{Gguf, Place};
    use super::*;

    /// The metadata of a Llama of one layer with heads of width 128, and these factors.
    fn llama(factors: &[f32], more: &[(&str, Value)]) -> Gguf {
        let size = |size: i64| Value::Integer(size);
        let usual = [
            ("general.architecture", Value::Text("llama".to_string())),
            ("llama.attention.head_count", size(2)),
            ("llama.embedding_length", size(256)),
            ("llama.block_count", size(1)),
            ("llama.feed_forward_length", size(8)),
            ("llama.context_length", size(8192)),
            ("llama.vocab_size", size(8)),
            (
                "llama.attention.layer_norm_rms_epsilon",
                Value::Number(1e-5),
            ),
            ("llama.rope.freq_base", Value::Number(500_000.0)),
        ];
        let place = Place {
            dims: vec![factors.len()],
            format: Format::of(0).expect("F32"),
            start: 0,
        };
        let all = usual.iter().chain(more);
        Gguf {
            path: "a.gguf".to_string(),
            values: all
                .map(|(key, value)| (key.to_string(), value.clone()))
                .collect(),
            places: match factors {
                [] => BTreeMap::new(),
                _ => BTreeMap::from([(FACTORS.to_string(), place)]),
            },
            bytes: factors.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }

    /// The factors as `LlamaModel.generate_extra_tensors` of llama.cpp's converter computes them.
    fn factors(factor: f64) -> Vec<f32> {
        let (low, high, original) = (1.0, 4.0, 8192.0);
        let of = |pair: i32| {
            let wave = std::f64::consts::TAU * 500_000_f64.powf(f64::from(2 * pair) / 128.0);
            if wave < original / high {
                1.0
            } else if wave > original / low {
                factor
            } else {
                let smooth = (original / wave - low) / (high - low);
                1.0 / ((1.0 - smooth) / factor + smooth)
            }
        };
        (0..64).map(|pair| of(pair) as f32).collect()
    }

    #[test]
    fn factors_of_positions_are_llama_3s_scaling() {
        let positions = |factors: &[f32]| config(&llama(factors, &[])).map(|it| it.positions);
        let with = |scaling| Positions::Rotary {
            theta: 500_000.0,
            scaling,
        };
        assert_eq!(positions(&[]).expect("none"), with(Scaling::None));
        for factor in [8.0, 32.0] {
            let wanted = Scaling::Llama3 {
                factor,
                low: 1.0,
                high: 4.0,
                original: 8192.0,
            };
            assert_eq!(positions(&factors(factor)).expect("known"), with(wanted));
        }
        let mut other = factors(8.0);
        other[40] *= 1.01;
        for factors in [other, factors(8.0)[..32].to_vec()] {
            let error = positions(&factors).expect_err("another").to_string();
            assert!(error.contains(FACTORS), "{error}");
        }
    }

    #[test]
    fn windows_of_networks_that_have_none_are_refused_by_name() {
        let key = "llama.attention.sliding_window";
        let error = config(&llama(&[], &[(key, Value::Integer(4096))])).expect_err("a window");
        assert!(
            error.to_string().contains(&format!("{key} 4096")),
            "{error}"
        );
    }
}
