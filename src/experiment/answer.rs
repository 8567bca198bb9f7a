//! Computes a model's answers and scores them. Stored answers are reused.

use std::time::Instant;

use super::context::{CellContext, ToAnswer};
use super::runner::{Claimed, Runner};
use super::{Event, ExperimentError, Watch};
use crate::datasets::{DomainRows, Rows};
use promptshift_numbers::provenance;
use promptshift_numbers::record::{Prediction, Score, Traits};
use promptshift_numbers::score::score;
use promptshift_numbers::store::{Asked, Batch, StoredAnswer, Work};
use promptshift_tensors::batch::encode;
use promptshift_tensors::eval::NotFinite;
use promptshift_tensors::eval::predict::Answer;
use promptshift_tensors::memory::peak_of;
use promptshift_tensors::tuning::Tuned;
use promptshift_text::domain::labels::LabelMap;
use promptshift_text::domain::{Example, Gold};

/// The indices of rows that have no answer yet, and the claim to answer them.
pub(super) type Unanswered = (Vec<usize>, Box<Work>);

impl Runner<'_> {
    /// The indices of a test set's rows that have no stored answer yet.
    pub(super) fn unanswered(
        &self,
        asked: &Asked,
        rows: &Rows,
    ) -> Result<Vec<usize>, ExperimentError> {
        let answered = self.store.answers(asked, &self.environment, self.reuse)?;
        Ok(answered.missing(rows.inputs()))
    }

    /// Claims the unanswered rows of a test set, to answer them; `None` if there are none. Waits while
    /// another process answers them.
    pub(super) fn to_answer(
        &self,
        asked: &Asked,
        rows: &Rows,
        watch: &mut Watch,
    ) -> Result<Option<Unanswered>, ExperimentError> {
        let done = || Ok(self.unanswered(asked, rows)?.is_empty().then_some(()));
        let name = format!("answers-{}-{}", asked.of.folder(), asked.name());
        match self.claimed(&name, &done, watch)? {
            Claimed::Done(()) => Ok(None),
            Claimed::Work(work) => Ok(Some((self.unanswered(asked, rows)?, work))),
        }
    }

    /// Answers a domain's rows at these indices, without gradients, and stores the answers.
    pub(super) fn answer(
        &self,
        context: CellContext,
        tuned: &Tuned,
        to_answer: ToAnswer,
        watch: &mut Watch,
    ) -> Result<(), ExperimentError> {
        let ToAnswer {
            asked,
            rows,
            places,
            few_shot_seconds,
        } = to_answer;
        let domain = &asked.domain;
        let unanswered = |source: NotFinite| ExperimentError::Unanswered {
            method: context.cell.method.title(),
            seed: context.cell.seed,
            domain: domain.clone(),
            source,
        };
        let provenance = provenance::collect(self.origin.clone());
        let rows = rows.at(places);
        let total = rows.examples.len();
        let started = Instant::now();
        let (found, peak_bytes) = peak_of(|| -> Result<Vec<Answer>, ExperimentError> {
            let limits = &context.cell.setting.limits;
            let encodings = encode(&rows.examples, &context.backbone.tokenizer, limits);
            let asker = CellContext { ..context }.asker(&asked.wording);
            let mut answers = Vec::with_capacity(total);
            for part in &rows.parts {
                let encodings = &encodings[part.rows.clone()];
                let answering = asker.answering(tuned, &part.card, encodings);
                let mut answering = answering.map_err(unanswered)?;
                for done in &mut answering {
                    watch(Event::Predicting {
                        domain,
                        done: answers.len() + done.map_err(unanswered)?,
                        total,
                    })?;
                }
                answers.extend(answering.finish().map_err(unanswered)?);
            }
            Ok(answers)
        });
        let found = found?;
        self.store.keep_answers(&Batch {
            asked,
            environment: self.environment.clone(),
            provenance,
            seconds: started.elapsed().as_secs_f64(),
            few_shot_seconds,
            peak_bytes,
            answers: (rows.inputs().iter().zip(&found))
                .map(|(row, found)| stored(row.clone(), found))
                .collect(),
        })?;
        Ok(())
    }
}

/// The stored form of an answer to the row with this hash.
pub fn stored(row: String, answer: &Answer) -> StoredAnswer {
    StoredAnswer {
        row,
        text: answer.text.clone(),
        log_prob: answer.log_prob,
        class_log_probs: answer.class_log_probs.clone(),
        input_tokens: answer.input_tokens,
        output_tokens: answer.token_ids.len(),
        cut: answer.cut,
    }
}

/// The scored predictions for all rows, from their answers.
pub(super) fn predictions(
    pool: &Rows,
    answers: &[&StoredAnswer],
    labels: &LabelMap,
) -> Vec<Prediction> {
    let of_part = |part: &DomainRows| {
        let member = (pool.parts.len() > 1).then(|| part.card.name.clone());
        let pairs = pool.examples[part.rows.clone()]
            .iter()
            .zip(&answers[part.rows.clone()]);
        pairs
            .map(|(example, answer)| {
                let mut prediction = prediction(example, answer, labels);
                if let Some(traits) = &mut prediction.traits {
                    traits.domain.clone_from(&member);
                }
                prediction
            })
            .collect::<Vec<_>>()
    };
    pool.parts.iter().flat_map(of_part).collect()
}

/// One answer with its score.
pub fn prediction(example: &Example, answer: &StoredAnswer, labels: &LabelMap) -> Prediction {
    let own = &labels.target().labels;
    Prediction {
        id: example.id.clone(),
        passage: example.passage.clone(),
        score: score_answer(&answer.text, &example.gold, labels),
        answers: match &example.gold {
            Gold::Answers(golds) => golds.clone(),
            Gold::Label(label) | Gold::Option { label, .. } => vec![own[*label].clone()],
            Gold::Referent { text, .. } => vec![text.clone()],
        },
        prediction: answer.text.clone(),
        log_prob: answer.log_prob,
        class_log_probs: (answer.class_log_probs.as_ref()).map(|logs| labels.log_shares(logs)),
        input_tokens: answer.input_tokens,
        output_tokens: answer.output_tokens,
        cut: answer.cut,
        traits: Some(Traits {
            group: example.group.clone(),
            domain: None,
            question_word: example.question_word().map(str::to_owned),
            answer_position: example.answer_position(),
        }),
    }
}

/// Scores an answer. A model tuned on one labelled domain answers with that domain's labels, which are mapped
/// to the target's.
pub fn score_answer(text: &str, gold: &Gold, labels: &LabelMap) -> Score {
    score(&labels.read(text), gold, labels.target())
}
