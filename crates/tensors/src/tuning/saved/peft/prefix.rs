//! PEFT's prefix tuning of an encoder-decoder: `prompt_embeddings` `[P, num_layers · 2 · H·K]`, keys and
//! values prepended to those of the decoder's self-attention. If a network produced them
//! (`prefix_projection`), PEFT saves only its output.
//!
//! `PeftModel.get_prompt` (0.21) repeats the `2 · num_layers` parts of a row and splits them into groups of
//! four: the first two of a group are a block's key and value; the other two were meant for cross-attention
//! and are dropped. So block `l` reads parts `4l` and `4l + 1`, modulo the number of parts. With an even
//! `num_layers`, half of the parts are read by two blocks and the others by none; with an odd one, every part
//! is read by one block. Files written here have an odd `num_layers`: for a decoder with an even number of
//! blocks, it is one more, which PEFT leaves unread.
//!
//! `token_dim` is `H·K`, and `num_layers` is at least the number of decoder blocks. By default, PEFT sets
//! them to `D` and the number of encoder blocks, which fails on a T5 where they differ.
//!
//! In networks other than T5, PEFT's prefix has positions, while here it has none.

use burn::tensor::{Tensor, TensorData};

use super::folder::Config;
use super::modules::{Left, Placed, Written};
use crate::backbone::Backbone;
use crate::checkpoint::Weights;
use crate::network::Network;
use crate::t5::T5Config;
use crate::tuning::prefixes::Prefixes;
use crate::tuning::saved::error::SavedError;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{DeltaRecipe, PrefixForm, PrefixPlaces, PrefixRecipe};

pub(super) const TYPE: &str = "PREFIX_TUNING";

/// Why only a T5's prefix can be exported to or imported from PEFT.
pub(super) const WHY: &str = "its prefix takes the first positions in PEFT, and has none here";

const TENSOR: &str = "prompt_embeddings";

/// The index of a block's key among the parts of PEFT's row; its value is the next part.
fn part(block: usize, layers: usize) -> usize {
    (4 * block) % (2 * layers)
}

pub(super) fn read(
    config: &Config,
    left: &mut Left,
    backbone: &Backbone,
    model: Network,
) -> Result<Placed, SavedError> {
    let Some(t5) = backbone.config.t5() else {
        let wanted = format!("{TYPE} for a T5");
        let found = format!("'{}', {}: {WHY}", backbone.name, backbone.config.kind());
        return Err(config.wrong(wanted, found));
    };
    let (blocks, inner) = (t5.decoder_layers(), t5.inner());
    let wrong = |key: &str, wanted: &str, found: usize| {
        let of = format!("{key} {wanted}, as this T5 has");
        config.wrong(of, found.to_string())
    };
    let length = config.positive("num_virtual_tokens")?;
    let layers = config.positive("num_layers")?;
    if layers < blocks {
        return Err(wrong(
            "num_layers",
            &format!("of at least {blocks}"),
            layers,
        ));
    }
    for (key, wanted) in [("token_dim", inner), ("num_attention_heads", t5.num_heads)] {
        if let Some(found) = config.count(key)?.filter(|&found| found != wanted) {
            return Err(wrong(key, &wanted.to_string(), found));
        }
    }
    if let Some(found @ 0..=1 | found @ 3..) = config.count("num_transformer_submodules")? {
        let wanted = "num_transformer_submodules 2, for an encoder-decoder";
        return Err(config.wrong(wanted, found.to_string()));
    }
    let row = layers
        .checked_mul(2 * inner)
        .ok_or_else(|| config.wrong("a num_layers that fits in memory", layers.to_string()))?;
    let Some(values) = left.take(TENSOR, [length, row])? else {
        return Err(left.wrong(format!("'{TENSOR}'"), "none".to_string()));
    };
    let vectors: Vec<f32> = (values.chunks(row))
        .flat_map(|row| {
            (0..blocks).flat_map(move |block| {
                let start = part(block, layers) * inner;
                row[start..start + 2 * inner].iter().copied()
            })
        })
        .collect();
    let data = TensorData::new(vectors, [length, blocks * 2 * inner]);
    let vectors = Tensor::from_data(data, &model.device());
    Ok(Placed {
        delta: DeltaRecipe::Prefix(PrefixRecipe {
            length,
            form: PrefixForm::Direct,
            places: PrefixPlaces::Decoder,
        }),
        head: None,
        tuned: Tuned {
            prefixes: Some(Prefixes::of_decoder(vectors, blocks)),
            ..Tuned::untuned(model)
        },
    })
}

pub(super) fn write(recipe: &PrefixRecipe, tuned: &Tuned, config: &T5Config) -> Written {
    let (blocks, inner) = (config.decoder_layers(), config.inner());
    let layers = blocks + (blocks + 1) % 2;
    let vectors = (tuned.prefixes.as_ref()).and_then(Prefixes::decoder);
    let values: Vec<f32> = (vectors.expect("prefixes of the decoder").into_data())
        .try_to_vec()
        .expect("f32");
    let row = layers * 2 * inner;
    let mut laid_out = vec![0.0; recipe.length * row];
    let rows = values.chunks(blocks * 2 * inner);
    for (to, from) in laid_out.chunks_mut(row).zip(rows) {
        for (block, from) in from.chunks(2 * inner).enumerate() {
            let start = part(block, layers) * inner;
            to[start..start + 2 * inner].copy_from_slice(from);
        }
    }
    let mut tensors = Weights::empty("");
    tensors.put(TENSOR, vec![recipe.length, row], laid_out);
    Written {
        keys: vec![
            ("num_attention_heads", config.num_heads.into()),
            ("num_layers", layers.into()),
            ("num_transformer_submodules", 2.into()),
            ("num_virtual_tokens", recipe.length.into()),
            ("prefix_projection", false.into()),
            ("token_dim", inner.into()),
        ],
        tensors,
    }
}
