//! Every key that Transformers writes into the `config.json` of a supported family: what it means there (in
//! 4.x and 5.x where they differ) and how it is handled here.
//!
//! Sources: `configuration_utils.py`, `configuration_{t5,bert,roberta,xlm_roberta,distilbert,llama,…}.py` and
//! `modeling_rope_utils.py` of Transformers 4.57 and 5.24; `tests/golden/make_config_keys.py` asks both
//! versions for the keys that they write. A key that is not in the table may change what a network computes,
//! so it is reported to the user and in the record.
//!
//! Deliberately omitted, so that they are reported: `auto_map` (the checkpoint's own code defines the
//! network), and aliases that Transformers accepts but no version writes (`hidden_size` of a T5 or a GPT-2).

use serde_json::Value;

use Effect::{Nothing, Only, Read};
use Family::{
    Bert, DistilBert, Gemma2, Gemma3, Gpt2, Llama, Mistral, ModernBert, Qwen2, Qwen3, Roberta,
    SmolLm3, T5, XlmRoberta,
};

/// The model family, from `model_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `t5`.
    T5,
    /// `bert`.
    Bert,
    /// `roberta`.
    Roberta,
    /// `xlm-roberta`.
    XlmRoberta,
    /// `distilbert`.
    DistilBert,
    /// `modernbert`.
    ModernBert,
    /// `llama`.
    Llama,
    /// `mistral`.
    Mistral,
    /// `qwen2`.
    Qwen2,
    /// `qwen3`.
    Qwen3,
    /// `smollm3`.
    SmolLm3,
    /// `gemma2`.
    Gemma2,
    /// `gemma3_text`.
    Gemma3,
    /// `gpt2`.
    Gpt2,
}

impl Family {
    fn of(model_type: &str) -> Option<Self> {
        match model_type {
            "t5" => Some(T5),
            other => Family::encoder(other).or_else(|| Family::decoder_only(other)),
        }
    }

    /// The encoder family of a `model_type`, if it is one.
    pub fn encoder(model_type: &str) -> Option<Self> {
        match model_type {
            "bert" => Some(Bert),
            "roberta" => Some(Roberta),
            "xlm-roberta" => Some(XlmRoberta),
            "distilbert" => Some(DistilBert),
            "modernbert" => Some(ModernBert),
            _ => None,
        }
    }

    /// The decoder-only family of a `model_type`, if it is one.
    pub fn decoder_only(model_type: &str) -> Option<Self> {
        match model_type {
            "llama" => Some(Llama),
            "mistral" => Some(Mistral),
            "qwen2" => Some(Qwen2),
            "qwen3" => Some(Qwen3),
            "smollm3" => Some(SmolLm3),
            "gemma2" => Some(Gemma2),
            "gemma3_text" => Some(Gemma3),
            "gpt2" => Some(Gpt2),
            _ => None,
        }
    }

    /// Its name in errors.
    pub fn title(self) -> &'static str {
        match self {
            T5 => "T5",
            Bert => "BERT",
            Roberta => "RoBERTa",
            XlmRoberta => "XLM-R",
            DistilBert => "DistilBERT",
            ModernBert => "ModernBERT",
            Llama => "Llama",
            Mistral => "Mistral",
            Qwen2 => "Qwen2",
            Qwen3 => "Qwen3",
            SmolLm3 => "SmolLM3",
            Gemma2 => "Gemma 2",
            Gemma3 => "Gemma 3",
            Gpt2 => "GPT-2",
        }
    }
}

/// How a key is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Parsed into the configuration, which rejects unsupported values.
    Read,
    /// Ignored: does not affect what a network computes from its weights.
    Nothing,
    /// Changes the computation unless it is null or this JSON value; any other value is rejected.
    Only(&'static str),
}

/// Keys with the same meaning.
struct Row {
    names: &'static [&'static str],
    of: &'static [Family],
    effect: Effect,
    /// For readers of the table.
    #[allow(dead_code, reason = "it is the table's documentation")]
    meaning: &'static str,
}

const ALL: &[Family] = &[
    T5, Bert, Roberta, XlmRoberta, DistilBert, ModernBert, Llama, Mistral, Qwen2, Qwen3, SmolLm3,
    Gemma2, Gemma3, Gpt2,
];
const BERTS: &[Family] = &[Bert, Roberta, XlmRoberta];
const ENCODERS: &[Family] = &[Bert, Roberta, XlmRoberta, DistilBert, ModernBert];
const DECODERS: &[Family] = &[Llama, Mistral, Qwen2, Qwen3, SmolLm3, Gemma2, Gemma3, Gpt2];
/// Those that are no encoders.
const WRITERS: &[Family] = &[
    T5, Llama, Mistral, Qwen2, Qwen3, SmolLm3, Gemma2, Gemma3, Gpt2,
];
const LLAMAS: &[Family] = &[Llama, Mistral, Qwen2, Qwen3, SmolLm3];
const GEMMAS: &[Family] = &[Gemma2, Gemma3];
const ROTARY: &[Family] = &[Llama, Mistral, Qwen2, Qwen3, SmolLm3, Gemma2, Gemma3];

const fn row(
    names: &'static [&'static str],
    of: &'static [Family],
    effect: Effect,
    meaning: &'static str,
) -> Row {
    Row {
        names,
        of,
        effect,
        meaning,
    }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // All families.
    row(&["model_type"], ALL, Read, "the family"),
    row(&["vocab_size"], ALL, Read, "rows of the embedding"),
    row(&["tie_word_embeddings"], ALL, Read,
        "whether the head is tied to the embedding. If absent: false for Llama, Mistral and Qwen, true for the others. If true, 4.x \
         ignores a head in the file, and 5.x uses one that differs from the embedding, as here. T5 in 4.x: also whether \
         states are scaled before the head; T5 in 5.x: always written as true"),
    row(&["architectures"], ALL, Nothing, "the class that was saved; unknown heads are ignored"),
    row(&["transformers_version", "_name_or_path", "name_or_path", "_commit_hash"], ALL, Nothing, "its origin"),
    row(&["torch_dtype", "dtype"], ALL, Nothing,
        "the type that weights are stored in; 5.x also computes in it, 4.x in float32 unless specified, as here"),
    row(&["attn_implementation", "_attn_implementation", "_attn_implementation_autoset"], ALL, Nothing,
        "the choice of kernel: the same results up to rounding"),
    row(&["chunk_size_feed_forward", "gradient_checkpointing", "torchscript", "use_bfloat16", "tf_legacy_loss"], ALL,
        Nothing, "memory, export and other frameworks"),
    row(&["output_attentions", "output_hidden_states", "output_past", "return_dict", "use_return_dict", "use_cache",
          "is_encoder_decoder", "cross_attention_hidden_size"], ALL, Nothing, "what a call returns or caches"),
    row(&["tokenizer_class", "prefix", "task_specific_params"], ALL, Nothing, "for pipelines: here the wording formats texts"),
    row(&["problem_type", "finetuning_task", "id2label", "label2id", "num_labels", "_num_labels"], ALL, Nothing,
        "a classifier's head, which is ignored"),
    row(&["max_length", "max_new_tokens", "min_length", "min_new_tokens", "do_sample", "early_stopping", "num_beams",
          "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "epsilon_cutoff",
          "eta_cutoff", "repetition_penalty", "encoder_repetition_penalty", "length_penalty", "no_repeat_ngram_size",
          "encoder_no_repeat_ngram_size", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens",
          "num_return_sequences", "output_scores", "return_dict_in_generate", "forced_bos_token_id",
          "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty", "num_assistant_tokens",
          "num_assistant_tokens_schedule", "assistant_confidence_threshold", "assistant_lookbehind",
          "target_lookbehind"], ALL, Nothing,
        "defaults of `generate` in 4.x; 5.x removes them. Here decoding is greedy, up to the \
         limits of the record"),
    row(&["bos_token_id", "sep_token_id"], ALL, Nothing, "special tokens: the tokenizer's file has them"),
    row(&["pad_token_id"], &[T5], Read, "padding, which must be the tokenizer's"),
    row(&["pad_token_id"], ENCODERS, Read, "padding, which must be the tokenizer's; a RoBERTa's positions begin after it"),
    row(&["pad_token_id"], DECODERS, Nothing, "padding, which nothing attends to"),
    row(&["eos_token_id"], &[T5], Read, "end of sequence, which must be the tokenizer's"),
    row(&["eos_token_id"], ENCODERS, Nothing, "end of sequence: the tokenizer's file has it"),
    row(&["eos_token_id"], DECODERS, Nothing, "end of sequence: answers end with a line or a special token"),
    row(&["decoder_start_token_id"], &[T5], Read, "the first token of every output; if absent, the padding"),
    row(&["decoder_start_token_id"], ENCODERS, Nothing, "only used by an encoder-decoder"),
    row(&["decoder_start_token_id"], DECODERS, Nothing, "only used by an encoder-decoder"),
    row(&["is_decoder"], WRITERS, Nothing, "implied by the stack"),
    row(&["is_decoder"], ENCODERS, Only("false"), "causal attention"),
    row(&["add_cross_attention"], ALL, Only("false"), "attention to another network's encoder"),
    row(&["tie_encoder_decoder"], ALL, Only("false"), "4.x: one set of weights for both stacks"),
    row(&["pruned_heads"], ALL, Only("{}"), "4.x: attention heads that were removed"),
    row(&["quantization_config"], ALL, Only("null"), "weights that are not floating-point numbers"),
    row(&["per_layer_config"], ALL, Only("null"), "5.x: layers whose values differ from the rest of the file"),
    row(&["is_causal"], DECODERS, Only("true"), "5.x: whether attention is causal"),
    row(&["initializer_range"], WRITERS, Nothing, "the initialisation of new weights"),

    // T5.
    row(&["d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers", "num_heads", "relative_attention_num_buckets",
          "relative_attention_max_distance", "layer_norm_epsilon", "feed_forward_proj"], &[T5], Read, "sizes"),
    row(&["dense_act_fn", "is_gated_act"], &[T5], Read,
        "derived from feed_forward_proj; if present they override it, so they must agree with it"),
    row(&["scale_decoder_outputs"], &[T5], Read,
        "5.x: whether states are scaled by 1/sqrt(d_model) before the head; in 4.x, tie_word_embeddings implies it"),
    row(&["dropout_rate", "classifier_dropout", "initializer_factor"], &[T5], Nothing,
        "training settings; the recipe has its own"),
    row(&["n_positions"], &[T5], Nothing, "in old files: relative positions are unlimited"),

    // BERT and its relatives.
    row(&["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
          "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "initializer_range"], BERTS, Read, "sizes"),
    row(&["position_embedding_type"], BERTS, Read, "4.x: relative positions; 5.x has only absolute ones"),
    row(&["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"], BERTS, Nothing,
        "training settings; the recipe has its own"),
    row(&["dim", "n_layers", "n_heads", "hidden_dim", "activation", "max_position_embeddings", "initializer_range"],
        &[DistilBert], Read, "sizes"),
    row(&["sinusoidal_pos_embds"], &[DistilBert], Nothing, "the initialisation of positions; a checkpoint has its own"),
    row(&["dropout", "attention_dropout", "qa_dropout", "seq_classif_dropout"], &[DistilBert], Nothing,
        "training settings; the recipe has its own"),
    row(&["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_activation", "norm_eps",
          "global_attn_every_n_layers", "layer_types", "local_attention", "classifier_pooling", "classifier_activation"],
        &[ModernBert], Read, "sizes, windows, and what a classifier reads"),
    row(&["global_rope_theta", "local_rope_theta"], &[ModernBert], Read, "4.x: the bases of rotary positions"),
    row(&["rope_parameters"], &[ModernBert], Read, "5.x: both bases; scaled positions are rejected"),
    row(&["rope_scaling"], &[ModernBert], Only("null"), "4.x: scaled positions"),
    row(&["attention_bias", "mlp_bias", "norm_bias", "classifier_bias"], &[ModernBert], Only("false"), "biases"),
    row(&["decoder_bias"], &[ModernBert], Only("true"), "the bias of the masked-word head"),
    row(&["max_position_embeddings"], &[ModernBert], Nothing, "rotary positions are unlimited"),
    row(&["initializer_range", "initializer_cutoff_factor"], &[ModernBert], Nothing, "the initialisation of new weights"),
    row(&["attention_dropout", "embedding_dropout", "mlp_dropout", "classifier_dropout"], &[ModernBert], Nothing,
        "training settings; the recipe has its own"),
    row(&["cls_token_id"], &[ModernBert], Nothing, "a special token: the tokenizer's file has it"),
    row(&["deterministic_flash_attn", "sparse_prediction", "sparse_pred_ignore_index", "reference_compile",
          "repad_logits_with_grad"], &[ModernBert], Nothing, "kernels, memory and labels: the same results up to rounding"),
    row(&["tie_weights_"], &[DistilBert], Nothing, "in old files: no version reads it"),
    row(&["directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers",
          "pooler_size_per_head", "pooler_type"], &[Bert], Nothing, "in Google's files: no version reads them"),

    // Llama, Mistral, Qwen and SmolLM3.
    row(&["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
          "head_dim", "hidden_act", "rms_norm_eps", "attention_bias", "mlp_bias", "max_position_embeddings"],
        LLAMAS, Read, "sizes; biases are rejected, except those that every Qwen2 has"),
    row(&["layer_types"], &[Qwen2, Qwen3, SmolLm3], Read, "4.5x and later: the layers with a sliding window"),
    row(&["use_sliding_window", "sliding_window", "max_window_layers"], &[Qwen2, Qwen3], Read,
        "whether layers have a sliding window, its size, and the first such layer"),
    row(&["sliding_window"], &[Mistral], Read, "the size of every layer's window; if absent, 4096"),
    row(&["no_rope_layers", "no_rope_layer_interval"], &[SmolLm3], Read, "the layers without rotary positions"),
    row(&["use_sliding_window"], &[SmolLm3], Only("false"), "whether layers without positions have a window"),
    row(&["sliding_window", "max_window_layers"], &[SmolLm3], Nothing, "the size of the window, if used"),
    row(&["use_mrope"], &[Qwen2], Only("false"), "only used by Qwen2-VL: positions of images"),
    row(&["rope_theta", "rope_scaling"], ROTARY, Read, "4.x: the base and the scaling of rotary positions"),
    row(&["rope_parameters"], ROTARY, Read, "5.x: base and scaling in one; in Gemma 3 of each kind of layer"),
    row(&["partial_rotary_factor"], ROTARY, Only("1"), "the share of a head that is rotated"),
    row(&["original_max_position_embeddings"], ROTARY, Only("null"), "5.x: scaling from another length"),
    row(&["rope_interleaved"], ROTARY, Only("false"), "nanotron: adjacent coordinates are rotated"),
    row(&["attention_dropout"], ROTARY, Nothing, "training"),
    row(&["pretraining_tp"], LLAMAS, Nothing, "4.x: linear layers in slices, the same results up to rounding; 5.x: nothing"),
    row(&["is_llama_config", "max_sequence_length", "transformers.js_config", "unsloth_fixed", "unsloth_version"],
        LLAMAS, Nothing, "written by other programs: no version reads them"),

    // Gemma 2 and 3.
    row(&["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
          "head_dim", "hidden_activation", "rms_norm_eps", "max_position_embeddings", "query_pre_attn_scalar",
          "sliding_window", "layer_types", "final_logit_softcapping"], GEMMAS, Read, "sizes, windows and soft-capping"),
    row(&["hidden_act"], GEMMAS, Only("\"gelu_pytorch_tanh\""), "in published files beside hidden_activation, which is read"),
    row(&["attn_logit_softcapping"], &[Gemma2], Read, "soft-capping of attention's scores"),
    row(&["attn_logit_softcapping"], &[Gemma3], Only("null"), "Transformers does not apply it in a Gemma 3"),
    row(&["attention_bias"], GEMMAS, Only("false"), "biases"),
    row(&["use_bidirectional_attention"], GEMMAS, Only("false"), "an encoder, as EmbeddingGemma"),
    row(&["rope_local_base_freq"], &[Gemma3], Read, "4.x: the base of rotary positions in layers with a window"),
    row(&["sliding_window_pattern"], &[Gemma3], Read,
        "in older files in place of layer_types: every so many layers one is without a window"),
    row(&["_sliding_window_pattern"], &[Gemma3], Nothing, "written beside layer_types: no version reads it"),
    row(&["cache_implementation"], GEMMAS, Nothing, "how a cache is held"),

    // GPT-2.
    row(&["n_positions", "n_embd", "n_layer", "n_head", "n_inner", "activation_function", "layer_norm_epsilon",
          "scale_attn_weights", "scale_attn_by_inverse_layer_idx"], &[Gpt2], Read, "sizes; other scales are rejected"),
    row(&["n_ctx", "n_special", "predict_special_tokens"], &[Gpt2], Nothing, "in old files: no version reads them"),
    row(&["reorder_and_upcast_attn"], &[Gpt2], Nothing, "mixed precision: the same results in float32"),
    row(&["resid_pdrop", "embd_pdrop", "attn_pdrop"], &[Gpt2], Nothing, "training"),
    row(&["summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout"],
        &[Gpt2], Nothing, "a head of GPT2DoubleHeadsModel"),
];

fn find(family: Family, key: &str) -> Option<Effect> {
    let mut rows = TABLE.iter();
    let row = rows.find(|row| row.of.contains(&family) && row.names.contains(&key))?;
    Some(row.effect)
}

/// Checks that every key has a value that this implementation supports.
///
/// # Errors
/// Reports the first key that does not, with its value.
pub fn check(family: Family, json: &Value) -> Result<(), String> {
    for (key, value) in json.as_object().into_iter().flatten() {
        if let Some(Only(wanted)) = find(family, key)
            && !value.is_null()
            && !is(value, wanted)
        {
            return Err(format!("{key} {}", short(value)));
        }
    }
    Ok(())
}

/// The unknown keys of a `config.json` with their values, which may change the computation; empty for an
/// unknown family or invalid JSON, which are rejected elsewhere.
pub fn unknown(bytes: &[u8]) -> Vec<String> {
    let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let family = json.get("model_type").and_then(Value::as_str);
    let Some(family) = family.and_then(Family::of) else {
        return Vec::new();
    };
    (json.as_object().into_iter().flatten())
        .filter(|(key, value)| !value.is_null() && find(family, key).is_none())
        .map(|(key, value)| format!("{key} {}", short(value)))
        .collect()
}

/// Whether a value equals a JSON text; numbers are compared by value.
fn is(value: &Value, wanted: &str) -> bool {
    let wanted: Value = serde_json::from_str(wanted).expect("the table is JSON");
    match (value.as_f64(), wanted.as_f64()) {
        (Some(value), Some(wanted)) => value == wanted,
        _ => *value == wanted,
    }
}

/// A value as JSON, shortened if it is long.
fn short(value: &Value) -> String {
    const MOST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_key_has_two_rows() {
        for family in ALL {
            let mut names: Vec<&str> = (TABLE.iter())
                .filter(|row| row.of.contains(family))
                .flat_map(|row| row.names.iter().copied())
                .collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{family:?}");
        }
    }

    /// See `tests/golden/make_config_keys.py`.
    #[test]
    fn every_key_that_transformers_writes_is_known() {
        let file = include_str!("../../../../tests/golden/config_keys.json");
        let versions: Value = serde_json::from_str(file).expect("JSON");
        let mut keys = 0;
        for (version, families) in versions.as_object().expect("versions") {
            for (name, written) in families.as_object().expect("families") {
                let family = Family::of(name).expect("one of the table");
                for key in written.as_array().expect("keys") {
                    let key = key.as_str().expect("a name");
                    assert!(find(family, key).is_some(), "{key} of {name} in {version}");
                    keys += 1;
                }
            }
        }
        assert!(keys > 100, "{keys}");
    }

    #[test]
    fn keys_that_change_the_network_are_refused_and_unknown_keys_named() {
        for (key, value) in [
            ("pruned_heads", json!({"0": [1]})),
            ("quantization_config", json!({"quant_method": "gptq"})),
            ("partial_rotary_factor", json!(0.5)),
            ("add_cross_attention", json!(true)),
        ] {
            let mut config = json!({"model_type": "llama"});
            config[key] = value.clone();
            let found = check(Llama, &config).expect_err(key);
            assert_eq!(found, format!("{key} {value}"));
        }
        let config = json!({
            "model_type": "llama", "pruned_heads": {}, "partial_rotary_factor": 1.0, "add_cross_attention": false,
            "quantization_config": null, "logits_scaling": 8.0, "shortcut": null, "hidden_size": 4,
        });
        assert_eq!(check(Llama, &config), Ok(()));
        assert_eq!(
            unknown(config.to_string().as_bytes()),
            ["logits_scaling 8.0"]
        );
        assert!(unknown(b"{").is_empty());
    }
}
