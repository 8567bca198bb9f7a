//! The inputs that a method may need besides its recipe and a seed (tokenized texts of the source, results of
//! earlier tunings), and the initial values of a soft prompt, which are computed from them.

use burn::tensor::{Tensor, TensorData};
use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::saved::error::SavedError;
use super::soft_prompt::{Subspace, Vectors};
use promptshift_numbers::recipe::{PromptInit, PromptRecipe};

/// The range of ids that [`PromptInit::Vocab`] draws from: SentencePiece ids are ordered by frequency, so
/// these are the 5,000 most common pieces (the reference's `population_size`).
const COMMON_IDS: usize = 5_000;

/// The inputs that a method may need besides its recipe and a seed. Token ids exclude the end of sequence.
#[derive(Debug, Clone, Default)]
pub struct MethodInputs {
    /// The source domain's name, for errors.
    pub domain: String,
    /// The token ids of each label; empty for tasks without labels.
    pub labels: Vec<Vec<u32>>,
    /// The token ids of the text for [`PromptInit::Text`].
    pub text: Vec<u32>,
    /// Token ids before every input: an instruction, or examples in context.
    pub preamble: Vec<u32>,
    /// The prompt of [`PromptInit::File`].
    pub vectors: Option<Vectors>,
    /// The subspace of [`DeltaRecipe::Subspace`](promptshift_numbers::recipe::DeltaRecipe::Subspace).
    pub subspace: Option<Subspace>,
}

/// Why a prompt can't be initialised.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// `P` is 0.
    #[error("prompt length 0: wanted at least one vector")]
    Empty,
    /// There are fewer ids to draw from than vectors.
    #[error(
        "prompt length {length} with --init vocab: wanted at most {population}, the common ids that the vectors are drawn from without replacement"
    )]
    TooLong {
        /// `P`.
        length: usize,
        /// The number of ids to draw from.
        population: usize,
    },
    /// `--init labels` for a task without labels.
    #[error(
        "--init labels: {0} has no class labels; wanted a classification domain, or --init vocab, uniform or text"
    )]
    NoLabels(String),
    /// The method tunes output vectors, but the task has no labels.
    #[error(
        "{0} has no class labels, but the method tunes their output vectors; wanted a classification domain"
    )]
    NoLabelVectors(String),
    /// A token is outside the backbone's vocabulary.
    #[error("token {id}: wanted one of the backbone's {vocabulary}")]
    NoToken {
        /// The token.
        id: u32,
        /// `V`.
        vocabulary: usize,
    },
    /// `--init text` with a text without tokens.
    #[error("--init text: the text has no tokens")]
    EmptyText,
    /// `--init file` with an unreadable file, or one for another backbone.
    #[error("--init file: {0}")]
    File(#[from] Box<SavedError>),
    /// `--init file` with vectors that differ from those named in the recipe.
    #[error("--init file: {path} has changed: wanted vectors with SHA-256 {wanted}, found {found}")]
    FileChanged {
        /// The file.
        path: String,
        /// The hash in the recipe.
        wanted: String,
        /// The hash of the file now.
        found: String,
    },
    /// Intrinsic prompt tuning without a subspace.
    #[error(
        "--methods intrinsic: wanted --subspace FILE, which `promptshift prompt subspace` makes from prompts \
         that were tuned before"
    )]
    NoSubspace,
    /// `--subspace` with an unreadable file, or one for another backbone.
    #[error("--subspace: {0}")]
    Subspace(Box<SavedError>),
    /// `--subspace` with a file that differs from the one named in the recipe.
    #[error("--subspace: {path} has changed: wanted SHA-256 {wanted}, found {found}")]
    SubspaceChanged {
        /// The file.
        path: String,
        /// The hash in the recipe.
        wanted: String,
        /// The hash of the file now.
        found: String,
    },
    /// `--init file` with a prompt of another length.
    #[error("--init file: wanted a prompt of {wanted} vectors, found {found}")]
    FileLength {
        /// The recipe's length.
        wanted: usize,
        /// The file's length; 0 without a file.
        found: usize,
    },
}

/// Checks that the recipe's prompt can be initialised from an embedding of `vocab` rows.
///
/// # Errors
/// It can't be: see [`PromptError`].
pub fn check(recipe: &PromptRecipe, words: &MethodInputs, vocab: usize) -> Result<(), PromptError> {
    let PromptRecipe { length, init } = recipe;
    let population = COMMON_IDS.min(vocab);
    match init {
        _ if *length == 0 => Err(PromptError::Empty),
        PromptInit::Uniform | PromptInit::UniformOneSided => Ok(()),
        PromptInit::File(_) => match words.vectors.as_ref().map_or(0, Vectors::length) {
            found if found == *length => Ok(()),
            found => Err(PromptError::FileLength {
                wanted: *length,
                found,
            }),
        },
        _ if *length > population => Err(PromptError::TooLong {
            length: *length,
            population,
        }),
        PromptInit::Labels if words.labels.is_empty() => {
            Err(PromptError::NoLabels(words.domain.clone()))
        }
        PromptInit::Text(_) if words.text.is_empty() => Err(PromptError::EmptyText),
        PromptInit::Vocab | PromptInit::Labels | PromptInit::Text(_) => Ok(()),
    }
}

/// The prompt's initial values, `[P, D]`.
pub(super) fn start(
    embedding: &Tensor<2>,
    recipe: &PromptRecipe,
    words: &MethodInputs,
    seed: u64,
) -> Result<TensorData, PromptError> {
    let length = recipe.length;
    let [vocab, width] = embedding.dims();
    check(recipe, words, vocab)?;
    if let (PromptInit::File(_), Some(vectors)) = (&recipe.init, &words.vectors) {
        return Ok(TensorData::new(vectors.values().to_vec(), [length, width]));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    if let PromptInit::Uniform | PromptInit::UniformOneSided = recipe.init {
        let low = if recipe.init == PromptInit::Uniform {
            -0.5
        } else {
            0.0
        };
        let values: Vec<f32> = (0..length * width)
            .map(|_| rng.random_range(low..0.5f32))
            .collect();
        return Ok(TensorData::new(values, [length, width]));
    }
    let table: Vec<f32> = embedding
        .clone()
        .into_data()
        .try_to_vec()
        .expect("embeddings are f32");
    let row = |id: usize| &table[id * width..(id + 1) * width];
    let mut rows: Vec<Vec<f32>> = index::sample(&mut rng, COMMON_IDS.min(vocab), length)
        .iter()
        .map(|id| row(id).to_vec())
        .collect();
    match &recipe.init {
        PromptInit::Labels => {
            for (position, tokens) in rows.iter_mut().zip(&words.labels) {
                *position = mean(tokens.iter().map(|&id| row(id as usize)), width);
            }
        }
        PromptInit::Text(_) => {
            for (position, &id) in rows.iter_mut().zip(&words.text) {
                *position = row(id as usize).to_vec();
            }
        }
        PromptInit::Vocab
        | PromptInit::Uniform
        | PromptInit::UniformOneSided
        | PromptInit::File(_) => {}
    }
    Ok(TensorData::new(rows.concat(), [length, width]))
}

/// The mean of some rows of width `width`.
fn mean<'a>(rows: impl ExactSizeIterator<Item = &'a [f32]>, width: usize) -> Vec<f32> {
    let count = rows.len() as f32;
    let mut total = vec![0.0; width];
    for row in rows {
        total.iter_mut().zip(row).for_each(|(t, v)| *t += v);
    }
    total.into_iter().map(|t| t / count).collect()
}
