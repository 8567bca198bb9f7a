//! Output heads that tuning adds: a head for a network that does not generate, and output vectors of labels.
//!
//! Initialised as in google-research/bert (`run_classifier.py`, `run_squad.py`) and Transformers: weights
//! from N(0, 0.02²) (`initializer_range` in config.json), bias 0. A head is drawn from a seed before the
//! method's own parameters, so it is the same for every method. A head of words starts with the words'
//! vectors in the checkpoint's masked-word head, and is trained like any other head.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::draw::Draw;
use crate::bert::Head;
use crate::layers::{HeadForm, LabelHead};
use crate::network::{Config, Kind, Network, Writes};
use promptshift_text::domain::Task;
use promptshift_text::domain::wording::ScoreBy;

/// Why no head supports a task.
#[derive(Debug, thiserror::Error)]
#[error(
    "{kind} with {task}: its answer is a referent, which is neither a class nor a span of a second text; \
     wanted texts with classes or questions on a passage, or a T5"
)]
pub struct NoHead {
    kind: Kind,
    task: &'static str,
}

/// The head that a task with this many classes needs on this network; `None` if the network generates. If
/// classes are ranked, they are words at a mask.
///
/// # Errors
/// No head supports the task.
pub fn head_form(
    config: &Config,
    task: Task,
    classes: usize,
    score_by: ScoreBy,
) -> Result<Option<HeadForm>, NoHead> {
    if config.writes() == Writes::Tokens {
        return Ok(None);
    }
    match task {
        Task::ExtractiveQa | Task::ClozeQa => Ok(Some(HeadForm::Span)),
        Task::Paraphrase
        | Task::YesNoQa
        | Task::Entailment
        | Task::CauseOrEffect
        | Task::AnswerJudging
        | Task::WordSense
        | Task::Sentiment
        | Task::Toxicity => Ok(Some(match score_by.ranks() {
            true => HeadForm::Words(classes),
            false => HeadForm::Classes(classes),
        })),
        Task::Coreference => Err(NoHead {
            kind: config.kind(),
            task: "coreference",
        }),
    }
}

/// Adds a new head of this form, if given; a head of words comes from the checkpoint.
pub(super) fn with_head(
    model: Network,
    form: Option<HeadForm>,
    config: &Config,
    draw: &mut Draw,
) -> Network {
    if let (Some(HeadForm::Words(_)), Network::Bert(bert)) = (form, &model) {
        let head = bert.head_of_words();
        return model.with_head(head.expect("callers check that the backbone has words"));
    }
    match (form, config.writes()) {
        (Some(form), Writes::Nothing { head_deviation }) => {
            let (d, outputs) = (config.width(), form.outputs());
            let weight = draw.normal([d, outputs], head_deviation);
            let head = Head::new(form, weight, draw.filled([outputs], 0.0));
            model.with_head(match config.head_parameters(form) > form.parameters(d) {
                true => head.behind(draw.normal([d, d], head_deviation), draw.filled([d], 0.0)),
                false => head,
            })
        }
        _ => model,
    }
}

/// Whether the parameter at this path in [`Tuned`](super::Tuned) belongs to an added head.
pub(super) fn is_of_head(path: &str) -> bool {
    path.starts_with("backbone.head.map.") || path.starts_with("backbone.head.dense.")
}

/// A vector `[D]` for each of these tokens; no other tokens are generated.
#[derive(Module, Debug)]
pub struct LabelVectors {
    /// `[C, D]`.
    vectors: Param<Tensor<2>>,
    #[module(skip)]
    ids: Vec<u32>,
}

impl LabelVectors {
    /// The head's own vectors of these tokens; `None` if the network has no head over the vocabulary.
    pub(super) fn of_head(backbone: &Network, ids: &[u32]) -> Option<Self> {
        let vectors = backbone.clone().into_t5()?.output_vectors(ids);
        Some(LabelVectors {
            vectors: Param::from_tensor(vectors),
            ids: ids.to_vec(),
        })
    }

    /// The tensors to inject.
    pub(super) fn words(&self) -> LabelHead {
        LabelHead {
            ids: self.ids.clone(),
            vectors: self.vectors.val(),
        }
    }
}
