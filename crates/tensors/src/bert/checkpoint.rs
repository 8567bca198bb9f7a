//! A BERT's parameters under Hugging Face's names, for loading and saving; every tensor is accounted for.

use burn::tensor::Device;

use super::config::BertConfig;
use super::embeddings::Embeddings;
use super::head::Head;
use super::layers::{Attention, Block, FeedForward};
use super::masked::MaskedWords;
use super::model::Bert;
use crate::checkpoint::{CheckpointError, Entry, Names, Part, Weights, unfilled};
use crate::layers::{HeadForm, Linear, Norm};

/// A tensor's name in a bare BERT of today; `None` if it does not belong to one.
///
/// Checkpoints of a BERT with a head prefix every name with `bert.` and include the head. Those converted from
/// TensorFlow call a norm's gain and bias `gamma` and `beta`. Old ones contain the position ids.
fn todays_name(name: &str) -> Option<String> {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    if HEADS.iter().any(|head| name.starts_with(head)) || name == "embeddings.position_ids" {
        return None;
    }
    let end = |old: &str, new: &str| Some(format!("{}{new}", name.strip_suffix(old)?));
    Some(
        end("LayerNorm.gamma", "LayerNorm.weight")
            .or_else(|| end("LayerNorm.beta", "LayerNorm.bias"))
            .unwrap_or_else(|| name.to_string()),
    )
}

/// Heads in checkpoints that are ignored: for the next sentence, classification and questions.
const HEADS: [&str; 3] = ["cls.seq_relationship.", "classifier.", "qa_outputs."];

/// The masked-word head.
const MASKED: &str = "cls.predictions.";

/// The ids of `[SEP]` and `[MASK]` in the published vocabularies.
const PUBLISHED_SEPARATOR: usize = 102;
const PUBLISHED_MASK: usize = 103;

/// The parts of a bare BERT.
#[rustfmt::skip]
const PARTS: &[Entry] = &[
    ("embeddings.words", "embeddings.word_embeddings", Part::Table),
    ("embeddings.positions", "embeddings.position_embeddings", Part::Table),
    ("embeddings.segments", "embeddings.token_type_embeddings", Part::Table),
    ("embeddings.norm", "embeddings.LayerNorm", Part::Norm),
    ("blocks.*.attention.query", "encoder.layer.*.attention.self.query", Part::Linear),
    ("blocks.*.attention.key", "encoder.layer.*.attention.self.key", Part::Linear),
    ("blocks.*.attention.value", "encoder.layer.*.attention.self.value", Part::Linear),
    ("blocks.*.attention.output", "encoder.layer.*.attention.output.dense", Part::Linear),
    ("blocks.*.attention_norm", "encoder.layer.*.attention.output.LayerNorm", Part::Norm),
    ("blocks.*.feed_forward.up", "encoder.layer.*.intermediate.dense", Part::Linear),
    ("blocks.*.feed_forward.down", "encoder.layer.*.output.dense", Part::Linear),
    ("blocks.*.feed_forward_norm", "encoder.layer.*.output.LayerNorm", Part::Norm),
    ("pooler", "pooler.dense", Part::Linear),
];

/// The names of all parts with this prefix.
pub(super) fn names(prefix: &str) -> Names {
    Names::new(PARTS).renamed(|name| format!("{prefix}{name}"))
}

/// The masked-word head's norm and linear map.
const MASKED_NORM: [Entry; 1] = [("", "cls.predictions.transform.LayerNorm", Part::Norm)];
const MASKED_MAP: [Entry; 1] = [("", "cls.predictions.transform.dense", Part::Linear)];

/// The names of a head in Transformers.
fn head_names(form: HeadForm) -> Names {
    let name = match form {
        HeadForm::Classes(_) | HeadForm::Words(_) => "classifier",
        HeadForm::Span => "qa_outputs",
    };
    Names::new(&[("map", name, Part::Linear)])
}

impl BertConfig {
    fn unfilled_linear(&self, [input, output]: [usize; 2], device: &Device) -> Linear {
        Linear::unfilled([input, output], device).with_unfilled_bias(device)
    }

    fn unfilled_norm(&self, device: &Device) -> Norm {
        Norm::unfilled(self.hidden_size, self.layer_norm_eps, device).with_unfilled_bias(device)
    }

    fn unfilled_block(&self, device: &Device) -> Block {
        let (d, ff) = (self.hidden_size, self.intermediate_size);
        let linear = |shape| self.unfilled_linear(shape, device);
        Block {
            attention: Attention {
                query: linear([d, d]),
                key: linear([d, d]),
                value: linear([d, d]),
                output: linear([d, d]),
                adapter: None,
                heads: self.num_attention_heads,
            },
            attention_norm: self.unfilled_norm(device),
            feed_forward: FeedForward {
                up: linear([d, ff]),
                down: linear([ff, d]),
                adapter: None,
            },
            feed_forward_norm: self.unfilled_norm(device),
        }
    }

    /// The masked-word head, if it is complete and shares the embedding.
    fn masked_words(
        &self,
        weights: &mut Weights,
        device: &Device,
    ) -> Result<Option<MaskedWords>, CheckpointError> {
        let name = |part: &str| format!("{MASKED}{part}");
        // Copies of tied tensors; the bias is saved under either name.
        let (words, bias) = (name("decoder.weight"), name("decoder.bias"));
        weights.name_one_of(&name("bias"), &[bias.as_str()]);
        let has_words = weights.contains(&words) || self.tie_word_embeddings;
        let is_tied = has_words
            && weights.are_equal(&words, "embeddings.word_embeddings.weight")
            && weights.are_equal(&bias, &name("bias"));
        weights.remove(|name| name == words || name == bias);
        let is_there =
            weights.contains(&name("bias")) && weights.contains(&name("transform.dense.weight"));
        if !is_there || !is_tied {
            weights.remove(|name| name.starts_with(MASKED));
            return Ok(None);
        }
        let d = self.hidden_size;
        let transform = self.unfilled_linear([d, d], device);
        Ok(Some(MaskedWords {
            transform: Names::new(&MASKED_MAP).load(transform, weights)?,
            norm: Names::new(&MASKED_NORM).load(self.unfilled_norm(device), weights)?,
            bias: weights.take(&name("bias"), [self.vocab_size], device)?,
            classes: Vec::new(),
        }))
    }
}

impl Bert {
    /// Builds the model from all of `weights`, without a head: heads in the checkpoint are ignored, except the
    /// masked-word head. The ids of `[SEP]` and `[MASK]` are set by [`Bert::with_tokens`].
    ///
    /// # Errors
    /// A tensor is absent, has another shape, or is unknown.
    pub fn load(
        config: &BertConfig,
        mut weights: Weights,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        weights.strip_wrappers();
        let mut weights = weights.renamed(todays_name);
        let masked = config.masked_words(&mut weights, device)?;
        let d = config.hidden_size;
        let table = |rows| unfilled([rows, d], device);
        let model = Bert {
            embeddings: Embeddings {
                words: table(config.vocab_size),
                positions: table(config.max_position_embeddings),
                segments: table(config.type_vocab_size),
                norm: config.unfilled_norm(device),
            },
            blocks: (0..names("").blocks("blocks", config.num_hidden_layers, &weights))
                .map(|_| config.unfilled_block(device))
                .collect(),
            pooler: (weights.contains("pooler.dense.weight"))
                .then(|| config.unfilled_linear([d, d], device)),
            head: None,
            masked,
            separator: PUBLISHED_SEPARATOR,
            mask: PUBLISHED_MASK,
        };
        let model = names("").load(model, &mut weights)?;
        weights.finish(&[])?;
        Ok(model)
    }

    /// Replaces all parameters by `weights`, those of the head included: the inverse of [`Bert::weights`]. What
    /// training does not change and such a file does not contain stays: the tokenizer's ids, the masked-word head and
    /// the classes' words.
    ///
    /// # Errors
    /// As [`Bert::load`], or the head is absent or has another shape.
    pub fn with_weights(
        &self,
        config: &BertConfig,
        mut weights: Weights,
    ) -> Result<Self, CheckpointError> {
        let device = self.device();
        let head = match &self.head {
            None => None,
            Some(Head { form, .. }) => {
                let shape = [config.hidden_size, form.outputs()];
                let head = Head {
                    map: config.unfilled_linear(shape, &device),
                    form: *form,
                };
                Some(head_names(*form).load(head, &mut weights)?)
            }
        };
        Ok(Bert {
            head,
            masked: self.masked.clone(),
            separator: self.separator,
            mask: self.mask,
            ..Bert::load(config, weights, &device)?
        })
    }

    /// All parameters under Hugging Face's names and in its layout, the inverse of [`Bert::load`]; the head is called
    /// `classifier` or `qa_outputs`, as in Transformers.
    pub fn weights(&self) -> Weights {
        let mut out = Weights::empty("");
        let is_bare = self.head.is_none() && self.masked.is_none();
        names(if is_bare { "" } else { "bert." }).put(self, &mut out);
        if let Some(masked) = &self.masked {
            Names::new(&MASKED_MAP).put(&masked.transform, &mut out);
            Names::new(&MASKED_NORM).put(&masked.norm, &mut out);
            out.put_tensor(&format!("{MASKED}bias"), masked.bias.clone());
        }
        if let Some(head) = &self.head {
            head_names(head.form).put(head, &mut out);
        }
        out
    }
}
