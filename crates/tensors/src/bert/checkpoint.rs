//! Maps an encoder's parameters to Hugging Face's names, for loading and saving. No tensor may be left over.

use burn::tensor::Device;

use super::config::{BertConfig, Positions, Shape};
use super::embeddings::{Embeddings, Segments};
use super::head::{Head, Marks, MaskedWords};
use super::layers::{Attention, Block, FeedForward, Norms, Reach, Turning};
use super::model::Bert;
use crate::checkpoint::{CheckpointError, Entry, Names, Part, Weights, unfilled};
use crate::layers::{HeadForm, Linear, Norm};

/// The parameters of a bare BERT; a RoBERTa has the same ones except the pooler.
#[rustfmt::skip]
const BERT: &[Entry] = &[
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

/// The parameters of a bare DistilBERT.
#[rustfmt::skip]
const DISTILBERT: &[Entry] = &[
    ("embeddings.words", "embeddings.word_embeddings", Part::Table),
    ("embeddings.positions", "embeddings.position_embeddings", Part::Table),
    ("embeddings.norm", "embeddings.LayerNorm", Part::Norm),
    ("blocks.*.attention.query", "transformer.layer.*.attention.q_lin", Part::Linear),
    ("blocks.*.attention.key", "transformer.layer.*.attention.k_lin", Part::Linear),
    ("blocks.*.attention.value", "transformer.layer.*.attention.v_lin", Part::Linear),
    ("blocks.*.attention.output", "transformer.layer.*.attention.out_lin", Part::Linear),
    ("blocks.*.attention_norm", "transformer.layer.*.sa_layer_norm", Part::Norm),
    ("blocks.*.feed_forward.up", "transformer.layer.*.ffn.lin1", Part::Linear),
    ("blocks.*.feed_forward.down", "transformer.layer.*.ffn.lin2", Part::Linear),
    ("blocks.*.feed_forward_norm", "transformer.layer.*.output_layer_norm", Part::Norm),
];

/// The parameters of a ModernBERT, including the linear layer and norm that its heads share, which are not
/// part of the bare network.
#[rustfmt::skip]
const MODERNBERT: &[Entry] = &[
    ("embeddings.words", "embeddings.tok_embeddings", Part::Table),
    ("embeddings.norm", "embeddings.norm", Part::Norm),
    ("blocks.*.attention.query", "layers.*.attn.Wqkv", Part::LinearShare { index: 0, of: 3 }),
    ("blocks.*.attention.key", "layers.*.attn.Wqkv", Part::LinearShare { index: 1, of: 3 }),
    ("blocks.*.attention.value", "layers.*.attn.Wqkv", Part::LinearShare { index: 2, of: 3 }),
    ("blocks.*.attention.output", "layers.*.attn.Wo", Part::Linear),
    ("blocks.*.attention_norm", "layers.*.attn_norm", Part::Norm),
    ("blocks.*.feed_forward.gate", "layers.*.mlp.Wi", Part::LinearShare { index: 0, of: 2 }),
    ("blocks.*.feed_forward.up", "layers.*.mlp.Wi", Part::LinearShare { index: 1, of: 2 }),
    ("blocks.*.feed_forward.down", "layers.*.mlp.Wo", Part::Linear),
    ("blocks.*.feed_forward_norm", "layers.*.mlp_norm", Part::Norm),
    ("norm", "final_norm", Part::Norm),
    ("pooler", "head.dense", Part::Linear),
    ("pooler_norm", "head.norm", Part::Norm),
];

/// Prefixes of names outside the bare network.
const SHARED: &str = "head.";
const SHARED_MAP: &str = "head.dense";

/// Transformers' names for the parts around a bare network of one family.
pub(crate) struct HeadNames {
    /// The prefix of the bare network's names in a checkpoint of a network with a head.
    pub(crate) root: &'static str,
    /// The linear layer before a classifier's output layer, if it has one.
    pub(crate) dense: Option<&'static str>,
    /// A classifier's output layer.
    pub(crate) classifier: &'static str,
    /// The output layer for first and last positions of spans.
    pub(crate) spans: &'static str,
    /// Prefixes of the names of heads in checkpoints that are ignored.
    ignored: &'static [&'static str],
    masked: MaskedNames,
}

/// The names of the masked-word head.
struct MaskedNames {
    /// Its linear layer and norm, unless it shares the pooler's.
    transform: Option<[&'static str; 2]>,
    bias: &'static str,
    /// Copies of the embedding and of the bias that a file may contain.
    copies: [&'static str; 2],
    /// Prefixes of all names of this head.
    all: &'static [&'static str],
}

const OF_BERT: HeadNames = HeadNames {
    root: "bert.",
    dense: None,
    classifier: "classifier",
    spans: "qa_outputs",
    // Heads for next-sentence prediction, classification and question answering.
    ignored: &["cls.seq_relationship.", "classifier.", "qa_outputs."],
    masked: MaskedNames {
        transform: Some([
            "cls.predictions.transform.dense",
            "cls.predictions.transform.LayerNorm",
        ]),
        bias: "cls.predictions.bias",
        copies: [
            "cls.predictions.decoder.weight",
            "cls.predictions.decoder.bias",
        ],
        all: &["cls.predictions."],
    },
};

const OF_ROBERTA: HeadNames = HeadNames {
    root: "roberta.",
    dense: Some("classifier.dense"),
    classifier: "classifier.out_proj",
    spans: "qa_outputs",
    // No head of Transformers reads a RoBERTa's pooler.
    ignored: &["classifier.", "qa_outputs.", "pooler."],
    masked: MaskedNames {
        transform: Some(["lm_head.dense", "lm_head.layer_norm"]),
        bias: "lm_head.bias",
        copies: ["lm_head.decoder.weight", "lm_head.decoder.bias"],
        all: &["lm_head."],
    },
};

const OF_DISTILBERT: HeadNames = HeadNames {
    root: "distilbert.",
    dense: Some("pre_classifier"),
    classifier: "classifier",
    spans: "qa_outputs",
    ignored: &["pre_classifier.", "classifier.", "qa_outputs."],
    masked: MaskedNames {
        transform: Some(["vocab_transform", "vocab_layer_norm"]),
        bias: "vocab_projector.bias",
        copies: ["vocab_projector.weight", "vocab_projector.bias"],
        all: &["vocab_transform.", "vocab_layer_norm.", "vocab_projector."],
    },
};

const OF_MODERNBERT: HeadNames = HeadNames {
    root: "model.",
    dense: None,
    classifier: "classifier",
    spans: "classifier",
    ignored: &["classifier."],
    masked: MaskedNames {
        transform: None,
        bias: "decoder.bias",
        copies: ["decoder.weight", "decoder.bias"],
        all: &["decoder."],
    },
};

impl Shape {
    /// The names of the bare network's parameters with this prefix.
    fn names(self, prefix: &str) -> Names {
        let parts = match self {
            Shape::Bert | Shape::Roberta => BERT,
            Shape::DistilBert => DISTILBERT,
            Shape::ModernBert => MODERNBERT,
        };
        Names::new(parts).renamed(|name| match name.starts_with(SHARED) {
            true => name.to_string(),
            false => format!("{prefix}{name}"),
        })
    }

    /// The names of the heads around it.
    pub(crate) fn heads(self) -> &'static HeadNames {
        match self {
            Shape::Bert => &OF_BERT,
            Shape::Roberta => &OF_ROBERTA,
            Shape::DistilBert => &OF_DISTILBERT,
            Shape::ModernBert => &OF_MODERNBERT,
        }
    }

    /// The embedding's name in a bare network.
    pub(crate) fn embedding_name(self) -> &'static str {
        match self {
            Shape::Bert | Shape::Roberta | Shape::DistilBert => "embeddings.word_embeddings.weight",
            Shape::ModernBert => "embeddings.tok_embeddings.weight",
        }
    }

    /// The current name of a tensor in a bare network; `None` if the tensor is not part of one.
    ///
    /// Checkpoints of a network with a head prefix every name and include the head. Those converted from
    /// TensorFlow call a norm's gain and bias `gamma` and `beta`. Old ones contain the position ids.
    fn todays_name(self, name: &str) -> Option<String> {
        let heads = self.heads();
        let name = name.strip_prefix(heads.root).unwrap_or(name);
        if heads.ignored.iter().any(|head| name.starts_with(head))
            || name == "embeddings.position_ids"
        {
            return None;
        }
        let end = |old: &str, new: &str| Some(format!("{}{new}", name.strip_suffix(old)?));
        Some(
            end("LayerNorm.gamma", "LayerNorm.weight")
                .or_else(|| end("LayerNorm.beta", "LayerNorm.bias"))
                .unwrap_or_else(|| name.to_string()),
        )
    }

    /// The names of a head's parameters.
    fn head_names(self, form: HeadForm) -> Names {
        let heads = self.heads();
        let map = match form {
            HeadForm::Classes(_) | HeadForm::Words(_) => heads.classifier,
            HeadForm::Span => heads.spans,
        };
        let dense = heads.dense.map(|name| ("dense", name, Part::Linear));
        let parts: Vec<Entry> = [("map", map, Part::Linear)]
            .into_iter()
            .chain(dense)
            .collect();
        Names::new(&parts)
    }
}

impl BertConfig {
    /// The names of the linear layers in Transformers' network with a head.
    pub fn map_names(&self) -> Vec<String> {
        let names = self.shape.names(self.shape.heads().root);
        names.maps("blocks", self.layers)
    }

    fn unfilled_linear(&self, shape: [usize; 2], device: &Device) -> Linear {
        let linear = Linear::unfilled(shape, device);
        match self.has_biases() {
            true => linear.with_unfilled_bias(device),
            false => linear,
        }
    }

    fn unfilled_norm(&self, device: &Device) -> Norm {
        let norm = Norm::unfilled(self.width, self.epsilon, device).centred();
        match self.has_biases() {
            true => norm.with_unfilled_bias(device),
            false => norm,
        }
    }

    fn unfilled_block(&self, block: usize, device: &Device) -> Block {
        let (d, ff) = (self.width, self.feed_forward);
        let linear = |shape| self.unfilled_linear(shape, device);
        let is_modern = self.shape == Shape::ModernBert;
        Block {
            norms: match is_modern {
                true => Norms::Before,
                false => Norms::After,
            },
            attention: Attention {
                query: linear([d, d]),
                key: linear([d, d]),
                value: linear([d, d]),
                output: linear([d, d]),
                adapter: None,
                heads: self.heads,
                reach: match self.positions {
                    Positions::Rotary { radius, .. } if self.is_local(block) => Reach::Near(radius),
                    _ => Reach::Whole,
                },
            },
            attention_norm: (!is_modern || block > 0).then(|| self.unfilled_norm(device)),
            feed_forward: FeedForward {
                gate: is_modern.then(|| linear([d, ff])),
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
        let names = &self.shape.heads().masked;
        let [words, bias] = names.copies;
        // A file may hold the bias under either name.
        weights.name_one_of(names.bias, &[bias]);
        let has_words = weights.contains(words) || self.tied;
        let is_tied = has_words
            && weights.are_equal(words, self.shape.embedding_name())
            && weights.are_equal(bias, names.bias);
        weights.remove(|name| name == words || (name == bias && name != names.bias));
        let map = match names.transform {
            Some([map, _]) => format!("{map}.weight"),
            None => format!("{}.weight", SHARED_MAP),
        };
        let is_there = weights.contains(names.bias) && weights.contains(&map);
        if !is_there || !is_tied {
            weights.remove(|name| names.all.iter().any(|head| name.starts_with(head)));
            return Ok(None);
        }
        let transform = match names.transform {
            Some([of_map, of_norm]) => {
                let map = self.unfilled_linear([self.width; 2], device);
                let norm = self.unfilled_norm(device);
                Some((
                    Names::new(&[("", of_map, Part::Linear)]).load(map, weights)?,
                    Names::new(&[("", of_norm, Part::Norm)]).load(norm, weights)?,
                ))
            }
            None => None,
        };
        Ok(Some(MaskedWords {
            transform,
            bias: weights.take(names.bias, [self.vocabulary], device)?,
            classes: Vec::new(),
        }))
    }

    /// A head of this form whose parameters are loaded later.
    fn unfilled_head(&self, form: HeadForm, device: &Device) -> Head {
        let d = self.width;
        let has_dense = matches!(form, HeadForm::Classes(_)) && self.classifier_parameters() > 0;
        // A head has biases even if the blocks have none.
        let linear = |shape| Linear::unfilled(shape, device).with_unfilled_bias(device);
        Head {
            dense: has_dense.then(|| linear([d, d])),
            map: linear([d, form.outputs()]),
            form,
        }
    }

    /// Builds a head of this form from its tensors, removing them from `weights`.
    ///
    /// # Errors
    /// A tensor is absent or has another shape.
    pub(crate) fn head(
        &self,
        form: HeadForm,
        weights: &mut Weights,
        device: &Device,
    ) -> Result<Head, CheckpointError> {
        let head = self.unfilled_head(form, device);
        self.shape.head_names(form).load(head, weights)
    }
}

impl Bert {
    /// Builds the model from all of `weights`, without a head: heads in the checkpoint are ignored, except
    /// the masked-word head. Set the special tokens with [`Bert::with_marks`].
    ///
    /// # Errors
    /// A tensor is absent, has another shape, or is unknown.
    pub fn load(
        config: &BertConfig,
        mut weights: Weights,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        weights.strip_wrappers();
        let mut weights = weights.renamed(|name| config.shape.todays_name(name));
        let masked = config.masked_words(&mut weights, device)?;
        let (d, names) = (config.width, config.shape.names(""));
        let table = |rows| unfilled([rows, d], device);
        let is_modern = config.shape == Shape::ModernBert;
        let has_pooler = match is_modern {
            true => weights.contains(&format!("{SHARED_MAP}.weight")),
            false => weights.contains("pooler.dense.weight"),
        };
        let model = Bert {
            embeddings: Embeddings {
                words: table(config.vocabulary),
                positions: match config.positions {
                    Positions::Learned { rows, .. } => Some(table(rows)),
                    Positions::Rotary { .. } => None,
                },
                segments: (config.segments > 0).then(|| table(config.segments)),
                norm: config.unfilled_norm(device),
                first_position: match config.positions {
                    Positions::Learned { first, .. } => first,
                    Positions::Rotary { .. } => 0,
                },
                reads: match config.shape {
                    Shape::Bert => Segments::OfTexts,
                    Shape::Roberta | Shape::DistilBert | Shape::ModernBert => Segments::One,
                },
            },
            blocks: (0..names.blocks("blocks", config.layers, &weights))
                .map(|block| config.unfilled_block(block, device))
                .collect(),
            norm: is_modern.then(|| config.unfilled_norm(device)),
            pooler: has_pooler.then(|| config.unfilled_linear([d, d], device)),
            pooler_norm: (is_modern && has_pooler).then(|| config.unfilled_norm(device)),
            head: None,
            masked,
            shape: config.shape,
            pooling: config.pooling,
            turns: None,
            marks: Marks::PUBLISHED,
        };
        let model = names.load(model, &mut weights)?;
        weights.finish(&[])?;
        // Only here the configuration's sizes are known to match the weights.
        Ok(Bert {
            turns: Turning::of(config),
            ..model
        })
    }

    /// The configuration that it was loaded with, where `pooler` is whether the weights have a pooler.
    pub(crate) fn config_of(&self, config: &BertConfig) -> BertConfig {
        BertConfig {
            pooler: self.pooler.is_some(),
            ..config.clone()
        }
    }

    /// Replaces all parameters by `weights`, the head's included: the inverse of [`Bert::weights`]. Keeps
    /// what training does not change and such a file does not contain: the tokenizer's ids, the masked-word
    /// head and the classes' words.
    ///
    /// # Errors
    /// As [`Bert::load`], or the head is absent or has another shape.
    pub fn with_weights(
        &self,
        config: &BertConfig,
        mut weights: Weights,
    ) -> Result<Self, CheckpointError> {
        let device = self.device();
        let head = (self.head.as_ref())
            .map(|head| config.head(head.form, &mut weights, &device))
            .transpose()?;
        Ok(Bert {
            head,
            masked: self.masked.clone(),
            marks: self.marks,
            ..Bert::load(config, weights, &device)?
        })
    }

    /// All parameters under Hugging Face's names and in its layout, the inverse of [`Bert::load`]; the head
    /// has its name in Transformers.
    pub fn weights(&self) -> Weights {
        let mut out = Weights::empty("");
        let heads = self.shape.heads();
        let is_bare = self.head.is_none() && self.masked.is_none();
        (self.shape.names(if is_bare { "" } else { heads.root })).put(self, &mut out);
        if let Some(masked) = &self.masked {
            let names = &heads.masked;
            if let (Some((map, norm)), Some([of_map, of_norm])) =
                (&masked.transform, names.transform)
            {
                Names::new(&[("", of_map, Part::Linear)]).put(map, &mut out);
                Names::new(&[("", of_norm, Part::Norm)]).put(norm, &mut out);
            }
            out.put_tensor(names.bias, masked.bias.clone());
        }
        if let Some(head) = &self.head {
            self.head_weights(head, &mut out);
        }
        out
    }

    /// Adds the tensors of a head under Transformers' names.
    pub(crate) fn head_weights(&self, head: &Head, out: &mut Weights) {
        self.shape.head_names(head.form).put(head, out);
    }
}
