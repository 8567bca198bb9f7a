//! A BERT's parameters under Hugging Face's names, both ways; every tensor accounted for.

use burn::module::Param;
use burn::tensor::{Device, Tensor};

use super::config::BertConfig;
use super::embeddings::Embeddings;
use super::head::Head;
use super::layers::{Attention, Block, FeedForward};
use super::masked::MaskedWords;
use super::model::Bert;
use crate::checkpoint::{CheckpointError, Weights};
use crate::layers::{HeadForm, Linear, Norm};

/// The name that a tensor has in a bare BERT of today; none where the tensor is no part of one.
///
/// Checkpoints of a BERT under a head call everything `bert.…` and bring the head; those that were
/// converted from TensorFlow call a norm's gain and bias `gamma` and `beta`; old ones keep the numbers of
/// the positions.
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

/// Heads that checkpoints bring and that are left aside: of the next sentence, of classification, of
/// questions.
const HEADS: [&str; 3] = ["cls.seq_relationship.", "classifier.", "qa_outputs."];

/// The masked-word head.
const MASKED: &str = "cls.predictions.";

/// The ids of `[SEP]` and `[MASK]` in the published vocabularies.
const PUBLISHED_SEPARATOR: usize = 102;
const PUBLISHED_MASK: usize = 103;

/// Reads named tensors into the parts of a model on one device.
struct Loader<'a> {
    weights: &'a mut Weights,
    config: &'a BertConfig,
    device: &'a Device,
}

impl Loader<'_> {
    fn table(&mut self, name: &str, rows: usize) -> Result<Param<Tensor<2>>, CheckpointError> {
        let name = format!("embeddings.{name}.weight");
        let shape = [rows, self.config.hidden_size];
        let table = self.weights.take(&name, shape, self.device)?;
        Ok(Param::from_tensor(table))
    }

    /// Hugging Face keeps `[out, in]`; ours is `[in, out]`.
    fn linear(
        &mut self,
        name: &str,
        input: usize,
        output: usize,
    ) -> Result<Linear, CheckpointError> {
        let shape = [output, input];
        let weight = self
            .weights
            .take(&format!("{name}.weight"), shape, self.device)?;
        let bias = self
            .weights
            .take(&format!("{name}.bias"), [output], self.device)?;
        Ok(Linear::of_rows(weight).with_bias(bias))
    }

    fn norm(&mut self, name: &str) -> Result<Norm, CheckpointError> {
        let shape = [self.config.hidden_size];
        let gain = self
            .weights
            .take(&format!("{name}.weight"), shape, self.device)?;
        let bias = self
            .weights
            .take(&format!("{name}.bias"), shape, self.device)?;
        Ok(Norm::layer(gain, bias, self.config.layer_norm_eps))
    }

    /// The masked-word head, where it is there whole; its words' vectors are the embedding.
    fn masked(&mut self) -> Result<Option<MaskedWords>, CheckpointError> {
        let name = |part: &str| format!("{MASKED}{part}");
        // Copies of what is tied; the bias is saved under either name.
        let (words, bias) = (name("decoder.weight"), name("decoder.bias"));
        self.weights.name_one_of(&name("bias"), &[bias.as_str()]);
        let has_words = self.weights.contains(&words) || self.config.tie_word_embeddings;
        let is_tied = has_words
            && (self.weights).are_equal(&words, "embeddings.word_embeddings.weight")
            && self.weights.are_equal(&bias, &name("bias"));
        self.weights.remove(|name| name == words || name == bias);
        let is_there = self.weights.contains(&name("bias"))
            && self.weights.contains(&name("transform.dense.weight"));
        if !is_there || !is_tied {
            self.weights.remove(|name| name.starts_with(MASKED));
            return Ok(None);
        }
        let (d, words) = (self.config.hidden_size, self.config.vocab_size);
        Ok(Some(MaskedWords {
            transform: self.linear(&name("transform.dense"), d, d)?,
            norm: self.norm(&name("transform.LayerNorm"))?,
            bias: self.weights.take(&name("bias"), [words], self.device)?,
            classes: Vec::new(),
        }))
    }

    fn block(&mut self, index: usize) -> Result<Block, CheckpointError> {
        let name = format!("encoder.layer.{index}");
        let (d, ff) = (self.config.hidden_size, self.config.intermediate_size);
        Ok(Block {
            attention: Attention {
                query: self.linear(&format!("{name}.attention.self.query"), d, d)?,
                key: self.linear(&format!("{name}.attention.self.key"), d, d)?,
                value: self.linear(&format!("{name}.attention.self.value"), d, d)?,
                output: self.linear(&format!("{name}.attention.output.dense"), d, d)?,
                adapter: None,
                heads: self.config.num_attention_heads,
            },
            attention_norm: self.norm(&format!("{name}.attention.output.LayerNorm"))?,
            feed_forward: FeedForward {
                up: self.linear(&format!("{name}.intermediate.dense"), d, ff)?,
                down: self.linear(&format!("{name}.output.dense"), ff, d)?,
                adapter: None,
            },
            feed_forward_norm: self.norm(&format!("{name}.output.LayerNorm"))?,
        })
    }
}

impl Bert {
    /// Builds the model from all of `weights`, without a head: those that checkpoints bring are left
    /// aside, but for that of masked words. What ends a text and what stands for a word that is left out
    /// is for [`Bert::with_tokens`] to say.
    ///
    /// # Errors
    /// A tensor is absent, has another shape, or has no place.
    pub fn load(
        config: &BertConfig,
        mut weights: Weights,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        weights.strip_wrappers();
        let mut weights = weights.renamed(todays_name);
        let has_pooler = weights.contains("pooler.dense.weight");
        let mut loader = Loader {
            weights: &mut weights,
            config,
            device,
        };
        let d = config.hidden_size;
        let masked = loader.masked()?;
        let model = Bert {
            embeddings: Embeddings {
                words: loader.table("word_embeddings", config.vocab_size)?,
                positions: loader.table("position_embeddings", config.max_position_embeddings)?,
                segments: loader.table("token_type_embeddings", config.type_vocab_size)?,
                norm: loader.norm("embeddings.LayerNorm")?,
            },
            blocks: (0..config.num_hidden_layers)
                .map(|index| loader.block(index))
                .collect::<Result<_, _>>()?,
            pooler: match has_pooler {
                true => Some(loader.linear("pooler.dense", d, d)?),
                false => None,
            },
            head: None,
            masked,
            separator: PUBLISHED_SEPARATOR,
            mask: PUBLISHED_MASK,
        };
        weights.finish(&[])?;
        Ok(model)
    }

    /// The same network with all of `weights` in place of its own, the inverse of [`Bert::weights`]: its head
    /// is filled as well. What no training moves and no such file says stays as it is: the tokenizer's ids, the
    /// masked-word head and the classes' words.
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
                let name = head_name(*form);
                let shape = [form.outputs(), config.hidden_size];
                let rows = weights.take(&format!("{name}.weight"), shape, &device)?;
                let bias = weights.take(&format!("{name}.bias"), [form.outputs()], &device)?;
                Some(Head {
                    map: Linear::of_rows(rows).with_bias(bias),
                    form: *form,
                })
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

    /// All parameters under Hugging Face's names and in its layout, the inverse of [`Bert::load`]; the
    /// head's as `classifier` or `qa_outputs`, under which Transformers looks for it.
    pub fn weights(&self) -> Weights {
        let mut out = Weights::empty("");
        let is_bare = self.head.is_none() && self.masked.is_none();
        let prefix = if is_bare { "" } else { "bert." };
        let tables = [
            ("word_embeddings", &self.embeddings.words),
            ("position_embeddings", &self.embeddings.positions),
            ("token_type_embeddings", &self.embeddings.segments),
        ];
        for (name, table) in tables {
            out.put_tensor(&format!("{prefix}embeddings.{name}.weight"), table.val());
        }
        put_norm(
            &mut out,
            &format!("{prefix}embeddings.LayerNorm"),
            &self.embeddings.norm,
        );
        for (index, block) in self.blocks.iter().enumerate() {
            let name = format!("{prefix}encoder.layer.{index}");
            for (map, linear) in [
                ("attention.self.query", &block.attention.query),
                ("attention.self.key", &block.attention.key),
                ("attention.self.value", &block.attention.value),
                ("attention.output.dense", &block.attention.output),
                ("intermediate.dense", &block.feed_forward.up),
                ("output.dense", &block.feed_forward.down),
            ] {
                put_linear(&mut out, &format!("{name}.{map}"), linear);
            }
            for (place, norm) in [
                ("attention.output.LayerNorm", &block.attention_norm),
                ("output.LayerNorm", &block.feed_forward_norm),
            ] {
                put_norm(&mut out, &format!("{name}.{place}"), norm);
            }
        }
        if let Some(pooler) = &self.pooler {
            put_linear(&mut out, &format!("{prefix}pooler.dense"), pooler);
        }
        if let Some(masked) = &self.masked {
            let dense = format!("{MASKED}transform.dense");
            put_linear(&mut out, &dense, &masked.transform);
            put_norm(
                &mut out,
                &format!("{MASKED}transform.LayerNorm"),
                &masked.norm,
            );
            out.put_tensor(&format!("{MASKED}bias"), masked.bias.clone());
        }
        if let Some(head) = &self.head {
            put_linear(&mut out, head_name(head.form), &head.map);
        }
        out
    }
}

/// What a head is called in a checkpoint.
fn head_name(form: HeadForm) -> &'static str {
    match form {
        HeadForm::Classes(_) | HeadForm::Words(_) => "classifier",
        HeadForm::Span => "qa_outputs",
    }
}

fn put_linear(out: &mut Weights, name: &str, linear: &Linear) {
    out.put_tensor(&format!("{name}.weight"), linear.rows());
    if let Some(bias) = &linear.bias {
        out.put_tensor(&format!("{name}.bias"), bias.val());
    }
}

fn put_norm(out: &mut Weights, name: &str, norm: &Norm) {
    out.put_tensor(&format!("{name}.weight"), norm.gain.val());
    if let Some(bias) = &norm.bias {
        out.put_tensor(&format!("{name}.bias"), bias.val());
    }
}
