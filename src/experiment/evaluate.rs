//! Asking what was tuned, and scoring what it answers.

use std::ops::ControlFlow;
use std::time::Instant;

use super::run::Run;
use super::{Event, ExperimentError, unanswered};
use crate::material::{Part, Pool, Test};
use promptshift_numbers::excerpt;
use promptshift_numbers::record::store::Draft;
use promptshift_numbers::record::{Evaluation, Prediction, Score, Traits};
use promptshift_numbers::score::{self, score};
use promptshift_tensors::batch::{Encoding, encode};
use promptshift_tensors::eval::EvalError;
use promptshift_tensors::eval::ask::Asker;
use promptshift_tensors::eval::predict::Answer;
use promptshift_tensors::memory::peak_of;
use promptshift_tensors::tuning::Tuned;
use promptshift_text::domain::card::Card;
use promptshift_text::domain::{Example, Gold, Split};
use promptshift_text::domain::{label, traits};

impl Run<'_> {
    /// Answers one domain's test rows, scores them and writes the predictions as `name`.
    pub fn evaluate(
        &self,
        tuned: &Tuned,
        test: &Test,
        name: &str,
        draft: &Draft,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Evaluation, ExperimentError> {
        let examples = &test.rows.examples;
        let domain = &test.card.name;
        let source = self.source();
        let started = Instant::now();
        let (found, peak_bytes) = peak_of(|| {
            let encodings = encode(examples, &self.backbone.tokenizer, &self.cell.limits);
            answers(&self.asker(), tuned, &test.rows, &encodings, &mut |done| {
                watch(Event::Predicting {
                    domain,
                    done,
                    total: examples.len(),
                })
            })
        });
        let found = found.map_err(|error| unanswered(error, self.cell, domain))?;
        let seconds = started.elapsed().as_secs_f64();
        let predictions = predictions(&test.rows, &found, &source.card, &test.card);
        let scores: Vec<Score> = predictions.iter().map(|p| p.score).collect();
        let file = draft.write_predictions(name, &predictions)?;
        Ok(Evaluation {
            domain: domain.clone(),
            role: test.role,
            task: test.card.task,
            split: Split::Test,
            examples: predictions.len(),
            cut_inputs: predictions.iter().filter(|p| p.cut).count(),
            metrics: score::metrics(test.card.task, &scores),
            floor: score::floor(&source.train.examples, examples),
            seconds,
            generated_tokens: predictions.iter().map(|p| p.output_tokens as u64).sum(),
            peak_bytes,
            predictions: file.file,
            predictions_sha256: file.sha256,
            excerpts: excerpt::of(examples),
        })
    }
}

/// Answers to all of a pool, domain by domain.
pub(super) fn answers(
    asker: &Asker,
    tuned: &Tuned,
    pool: &Pool,
    encodings: &[Encoding],
    watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Answer>, EvalError> {
    let mut answers = Vec::with_capacity(encodings.len());
    for part in &pool.parts {
        let before = answers.len();
        answers.extend(asker.answers(
            tuned,
            &part.card,
            &encodings[part.rows.clone()],
            &mut |done| watch(before + done),
        )?);
    }
    Ok(answers)
}

/// What answers to all of a pool are worth.
pub(super) fn predictions(
    pool: &Pool,
    answers: &[Answer],
    source: &Card,
    asked: &Card,
) -> Vec<Prediction> {
    let of_part = |part: &Part| {
        let member = (pool.parts.len() > 1).then(|| part.card.name.clone());
        let pairs = pool.examples[part.rows.clone()]
            .iter()
            .zip(&answers[part.rows.clone()]);
        pairs
            .map(|(example, answer)| {
                let mut prediction = prediction(example, answer, source, asked);
                if let Some(traits) = &mut prediction.traits {
                    traits.domain.clone_from(&member);
                }
                prediction
            })
            .collect::<Vec<_>>()
    };
    pool.parts.iter().flat_map(of_part).collect()
}

/// One answer and what it is worth.
pub fn prediction(example: &Example, answer: &Answer, source: &Card, target: &Card) -> Prediction {
    Prediction {
        id: example.id.clone(),
        passage: example.passage.clone(),
        score: score_answer(&answer.text, &example.gold, source, target),
        answers: match &example.gold {
            Gold::Answers(golds) => golds.clone(),
            Gold::Label(label) | Gold::Option { label, .. } => vec![target.labels[*label].clone()],
            Gold::Referent { text, .. } => vec![text.clone()],
        },
        prediction: answer.text.clone(),
        log_prob: answer.log_prob,
        class_log_probs: answer.class_log_probs.clone(),
        input_tokens: answer.input_tokens,
        output_tokens: answer.token_ids.len(),
        cut: answer.cut,
        traits: Some(Traits {
            domain: None,
            question_word: traits::question_word(&example.input).map(str::to_owned),
            answer_position: traits::answer_position(example),
        }),
    }
}

/// A model tuned on one labelled domain says its labels; they are read as the target's.
pub fn score_answer(text: &str, gold: &Gold, source: &Card, target: &Card) -> Score {
    let text = label::rewrite(text, &source.labels, &target.labels);
    score(&text, gold, &target.labels)
}
