//! Prompts: soft ones (prompt tuning, at other positions, with output vectors of the labels, produced by a
//! network, in a subspace) and words.

use burn::module::Module;
use burn::tensor::Tensor;

use super::delta::{self, About, Delta, Family, Leaves, Start};
use crate::layers::pick;
use crate::network::{Config, Kind, Network};
use crate::tuning::draw::Draw;
use crate::tuning::inputs::{MethodInputs, PromptError};
use crate::tuning::prompt_network::PromptNetwork;
use crate::tuning::soft_prompt::{Plane, SoftPrompt};
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{
    PreambleRecipe, PromptNetworkForm, PromptNetworkRecipe, PromptPlaces, PromptRecipe, Recipe,
    SubspaceRecipe,
};

/// Prompt tuning (Lester, Al-Rfou & Constant 2021, "The Power of Scale for Parameter-Efficient
/// Prompt Tuning", arXiv 2104.08691): `P` vectors before the embedded input of a frozen model.
///
/// Reference code: google-research/prompt-tuning, `prompt_tuning/prompts.py` (initialisation) and
/// `prompt_tuning/train/prompts.py` (where it is inserted).
pub(super) struct Prompt;

impl Delta for Prompt {
    fn about(&self) -> About {
        About {
            name: "prompt tuning",
            family: Family::Prompts,
            what: "a soft prompt before the input",
            paper: "Lester et al. 2021, arXiv 2104.08691",
            code: Some("google-research/prompt-tuning"),
        }
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("prompt.")
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        recipe.prompt_length() * config.width()
    }

    fn leaves(&self) -> Leaves {
        Leaves::Prompt
    }
}

/// Freezes the backbone and prepends a new soft prompt to its input.
///
/// # Errors
/// The prompt can't be initialised: see [`PromptError`].
pub fn prompt_tuning(
    backbone: Network,
    recipe: &PromptRecipe,
    words: &MethodInputs,
    seed: u64,
) -> Result<Tuned, PromptError> {
    let tuned = delta::with_prompt(backbone, recipe, words, seed)?;
    Ok(Tuned {
        prompt: tuned.prompt.map(Module::train),
        ..tuned
    })
}

/// Prompt tuning at other positions: before the decoder's start token, or before both inputs.
///
/// The paper's prompt (Lester et al. 2021, arXiv 2104.08691) precedes the encoder's input; its reference
/// code, google-research/prompt-tuning, also supports prompts for the decoder and for both
/// (`prompt_tuning/train/models.py`). The decoder's prompt uses positions before the start token, and nothing
/// is predicted there. Two prompts start from the same vectors.
impl Delta for PromptPlaces {
    fn about(&self) -> About {
        About {
            name: "a prompt before the decoder's input",
            family: Family::Prompts,
            what: match self {
                PromptPlaces::Decoder => "a soft prompt before the decoder's input",
                PromptPlaces::Both => "soft prompts before the encoder's input and the decoder's",
            },
            paper: "Lester et al. 2021, arXiv 2104.08691 (code)",
            code: Some("google-research/prompt-tuning"),
        }
    }

    fn attach(&self, mut tuned: Tuned, _: &Config, _: &mut Draw) -> Tuned {
        let prompt = tuned.prompt.take();
        tuned.decoder_prompt = prompt.as_ref().map(|prompt| prompt.copy());
        tuned.prompt = match self {
            PromptPlaces::Decoder => None,
            PromptPlaces::Both => prompt,
        };
        tuned
    }

    fn supports(&self, kind: Kind) -> Result<(), &'static str> {
        match kind {
            Kind::T5 => Ok(()),
            Kind::DecoderOnly => Err("it has only one input; use method prompt"),
            Kind::Bert => Err("it has no decoder"),
        }
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("prompt.") || path.starts_with("decoder_prompt.")
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        let prompts = match self {
            PromptPlaces::Decoder => 1,
            PromptPlaces::Both => 2,
        };
        prompts * recipe.prompt_length() * config.width()
    }
}

/// WARP (Hambardzumyan, Khachatrian & May 2021, "WARP: Word-level Adversarial ReProgramming",
/// arXiv 2101.00121): a soft prompt in the input of a frozen model, and an output vector for each class
/// instead of the head, so that the model chooses only among the classes.
///
/// Reference code: YerevaNN/WARP. As there, prompt and output vectors start from words of the vocabulary, the
/// latter from those of the labels, and the softmax is over the output vectors. Deviations, because the
/// paper's model is a masked language model and this one a T5: the decoder's states replace the state at
/// `[MASK]`; a label consists of tokens, so there is a vector for each of these and for the end of sequence
/// (one for each class if labels are distinct single tokens); the whole prompt precedes the input, while the
/// paper's may surround its segments; Adafactor instead of AdamW, with one learning rate for both. The source
/// must have labels.
pub(super) struct PromptAndLabels;

impl Delta for PromptAndLabels {
    fn about(&self) -> About {
        About {
            name: "WARP",
            family: Family::Prompts,
            what: "a soft prompt, and output vectors of the labels' tokens (not counted here)",
            paper: "Hambardzumyan et al. 2021, arXiv 2101.00121",
            code: Some("YerevaNN/WARP"),
        }
    }

    fn supports(&self, kind: Kind) -> Result<(), &'static str> {
        match kind {
            Kind::T5 => Ok(()),
            Kind::DecoderOnly | Kind::Bert => {
                Err("not implemented for it (the tuned output vectors are a T5's)")
            }
        }
    }

    fn wants_labels(&self) -> bool {
        true
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("prompt.") || path.starts_with("label_vectors.")
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        (recipe.prompt_length() + recipe.label_ids.len()) * config.width()
    }
}

/// P-tuning (Liu et al. 2021, "GPT Understands, Too", arXiv 2103.10385): a network produces the soft prompt
/// from vectors, and both are tuned. After training only the prompt is kept.
///
/// Reference code: THUDM/P-tuning, `LAMA/p_tuning/prompt_encoder.py` (a bidirectional LSTM of two layers
/// followed by an MLP), and PEFT's `PromptEncoder`, whose widths are used: MLP `D → h → h → D` with relu, or
/// an LSTM `D → h` with an MLP `2h → 2h → D`. Linear layers and the LSTM are initialised as in PyTorch.
/// Deviations: the vectors start like the recipe's soft prompt instead of from N(0, 1); `h` is 512 for every
/// T5 instead of THUDM's `D`; the LSTM has one bias for each gate, while PyTorch adds two, and no dropout;
/// the whole prompt precedes the input, while the paper's may be placed between the pieces of a pattern.
impl Delta for PromptNetworkRecipe {
    fn about(&self) -> About {
        About {
            name: "P-tuning",
            family: Family::Prompts,
            what: match self.form {
                PromptNetworkForm::Mlp => "a soft prompt before the input, made by an MLP",
                PromptNetworkForm::Lstm => {
                    "a soft prompt before the input, made by an LSTM and an MLP"
                }
            },
            paper: "Liu et al. 2021, arXiv 2103.10385",
            code: Some("THUDM/P-tuning; PEFT's PromptEncoder"),
        }
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("hidden units of", self.hidden)]
    }

    fn attach(&self, tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        let network = PromptNetwork::new(self, config.width(), draw);
        Tuned {
            prompt: tuned.prompt.map(|prompt| prompt.through(network)),
            ..tuned
        }
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("prompt.")
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        self.stored(recipe, config) + PromptNetwork::parameters(self, config.width())
    }

    fn stored(&self, recipe: &Recipe, config: &Config) -> usize {
        recipe.prompt_length() * config.width()
    }

    fn leaves(&self) -> Leaves {
        Leaves::Prompt
    }
}

/// Intrinsic prompt tuning (Qin et al. 2021, "Exploring Universal Intrinsic Task Subspace via Prompt Tuning",
/// arXiv 2110.07867): tunes a few coordinates in a frozen subspace of soft prompts, computed from the prompts
/// of several tasks.
///
/// Reference code: thunlp/Intrinsic-Prompt-Tuning. Deviations: the paper learns an auto-encoder over prompts,
/// in which a network with one hidden layer decodes coordinates into a prompt, from reconstruction and the
/// tasks' losses. Here the subspace is linear and minimises only the reconstruction error: the prompts'
/// principal components (the best linear auto-encoder: Baldi & Hornik 1989), which needs only the prompt
/// files. It has fewer dimensions than there are prompts, while the paper has 250 from 100 tasks' prompts.
/// The coordinates are in standard deviations of these prompts and start at 0, the prompts' mean. After
/// training the prompt is stored, as in prompt tuning, while the paper would store the coordinates.
impl Delta for SubspaceRecipe {
    fn about(&self) -> About {
        About {
            name: "intrinsic prompt tuning",
            family: Family::Prompts,
            what: "coordinates in a subspace of earlier prompts (with --subspace FILE)",
            paper: "Qin et al. 2021, arXiv 2110.07867",
            code: Some("thunlp/Intrinsic-Prompt-Tuning"),
        }
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("a prompt's length of", self.length),
            ("coordinates of", self.dimension),
        ]
    }

    /// The backbone with the prompt at the subspace's mean.
    fn start(&self, backbone: Network, start: Start<'_>) -> Result<Tuned, PromptError> {
        let subspace = (start.inputs.subspace.as_ref()).ok_or(PromptError::NoSubspace)?;
        let device = backbone.device();
        let middle = Tensor::zeros([1, subspace.dimension()], &device);
        let prompt = SoftPrompt::of(middle).within(Plane::new(subspace, &device));
        Ok(Tuned {
            prompt: Some(prompt),
            ..Tuned::untuned(backbone)
        })
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path == "prompt.vectors"
    }

    fn trainable(&self, _: &Recipe, _: &Config) -> usize {
        self.dimension
    }

    /// Includes the frozen directions and mean.
    fn added_parameters(&self, _: &Recipe, config: &Config) -> usize {
        self.dimension + (self.dimension + 1) * self.length * config.width()
    }

    fn stored(&self, _: &Recipe, config: &Config) -> usize {
        self.length * config.width()
    }

    fn leaves(&self) -> Leaves {
        Leaves::Prompt
    }
}

/// Prompts of words, without training: a hand-written instruction (Raffel et al. 2020, arXiv 1910.10683,
/// identify each task by one; "prompt design" in Lester et al. 2021), or source examples before the input,
/// "in context" (Brown et al. 2020, arXiv 2005.14165).
///
/// Words enter like soft prompts, as the embeddings of their tokens, so the result is saved as an ordinary
/// prompt. Examples are drawn from the source's training rows with the cell's seed and formatted as
/// `INPUT answer: TARGET`. Such a recipe has no steps.
impl Delta for PreambleRecipe {
    fn about(&self) -> About {
        let (what, paper) = match self {
            PreambleRecipe::Instruction(_) => (
                "nothing: a hand-written instruction before the input",
                "Raffel et al. 2020, arXiv 1910.10683",
            ),
            PreambleRecipe::Examples(_) => (
                "nothing: examples of the source before the input",
                "Brown et al. 2020, arXiv 2005.14165",
            ),
        };
        About {
            name: "words before the input",
            family: Family::None,
            what,
            paper,
            code: None,
        }
    }

    /// The backbone with the embeddings of the words,
    /// [`MethodInputs::preamble`](crate::tuning::MethodInputs::preamble), as its prompt.
    fn start(&self, backbone: Network, start: Start<'_>) -> Result<Tuned, PromptError> {
        let words = &start.inputs.preamble;
        if words.is_empty() {
            return Err(PromptError::EmptyText);
        }
        let table = backbone.embedding();
        let ids: Vec<usize> = words.iter().map(|&id| id as usize).collect();
        Ok(Tuned {
            prompt: Some(SoftPrompt::of(pick(table, &ids))),
            ..Tuned::untuned(backbone)
        })
    }

    fn supports(&self, kind: Kind) -> Result<(), &'static str> {
        match kind {
            Kind::T5 | Kind::DecoderOnly => Ok(()),
            Kind::Bert => {
                Err("nothing is trained, and an untrained head can't follow an instruction")
            }
        }
    }

    fn is_trainable(&self, _: &str, _: &Config) -> bool {
        false
    }

    fn trainable(&self, _: &Recipe, _: &Config) -> usize {
        0
    }

    fn leaves(&self) -> Leaves {
        Leaves::Prompt
    }
}
