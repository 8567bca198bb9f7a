//! Many prompts over one backbone: every domain's test rows answered by all of them in one pass.

use std::time::Instant;

use super::{Interrupted, score_answer};
use crate::material::{Material, Test};
use promptshift_numbers::provenance::{self, Origin};
use promptshift_numbers::recipe::Limits;
use promptshift_numbers::record::ensemble::{
    ENSEMBLE_VERSION, EnsembleEvaluation, EnsembleLine, EnsembleRecord, Member, MemberLine, to_file,
};
use promptshift_numbers::record::folder::{StoreError, StoredRecord};
use promptshift_numbers::record::{Evaluation, difference};
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::batch::encode;
use promptshift_tensors::eval;
use promptshift_tensors::eval::ensemble::{MemberAnswer, answering};
use promptshift_tensors::memory::peak_of;
use promptshift_tensors::tuning::bank::{BankError, PromptBank};
use promptshift_tensors::tuning::saved::{PromptFile, SavedError, Vectors};
use promptshift_text::domain::{Example, Split};

/// An ensemble that could not be run.
#[derive(Debug, thiserror::Error)]
pub enum EnsembleRunError {
    /// A prompt can't be read or belongs to another backbone.
    #[error(transparent)]
    Prompt(#[from] SavedError),
    /// Prompts of different shapes.
    #[error(transparent)]
    Bank(#[from] BankError),
    /// A record is of another model or other data.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Records that are not one method's with several seeds.
    #[error("{first} and {second} are no ensemble: their {field} differs")]
    Mixed {
        /// A record's folder.
        first: String,
        /// Another's.
        second: String,
        /// What differs besides the seed.
        field: String,
    },
    /// A prompt that was tuned in a wording of its own.
    #[error(
        "{folder}: tuned in a wording of its own ({wording}), in which no ensemble is asked; wanted a \
         prompt tuned without --template, --verbalizer and --score-by"
    )]
    Worded {
        /// The record's folder.
        folder: String,
        /// The wording's title.
        wording: String,
    },
    /// The watcher broke it off.
    #[error("interrupted")]
    Interrupted(#[from] Interrupted),
    /// The prompts give no answers.
    #[error("{domain}: {source}")]
    Unanswered {
        /// The domain whose rows were asked.
        domain: String,
        /// Why.
        source: eval::NotFinite,
    },
}

/// An ensemble's record, and its answers' files by name.
pub type Written = (EnsembleRecord, Vec<(String, Vec<u8>)>);

/// Runs the prompts that `records` left behind on the material that they were scored on. `watch` is
/// told of the domain, and how many of how many of its examples are answered.
///
/// # Errors
/// The records differ in more than the seed, have a wording of their own, or are of another model or
/// other data; a prompt is not there; or `watch` breaks it off.
pub fn run(
    records: &[StoredRecord],
    material: &Material,
    backbone: &Backbone,
    origin: &Origin,
    watch: &mut dyn FnMut(&str, usize, usize) -> Result<(), Interrupted>,
) -> Result<Written, EnsembleRunError> {
    let first = records.first().ok_or(BankError::Empty)?;
    let provenance = provenance::collect(origin.clone());
    let mut members = Vec::new();
    let mut prompts: Vec<Vectors> = Vec::new();
    for stored in records {
        alike(first, stored)?;
        default_wording(stored)?;
        stored.check_inputs(&provenance)?;
        let (member, vectors) = member(stored, backbone)?;
        members.push(member);
        prompts.push(vectors);
    }
    let bank = PromptBank::new(backbone.model.clone(), &prompts.iter().collect::<Vec<_>>())?;
    let limits = first.record.cell.setting.limits;
    let mut evaluations = Vec::new();
    let mut files = Vec::new();
    for test in &material.tests {
        let (evaluation, file) = evaluate(&bank, test, material, backbone, &limits, watch)?;
        evaluations.push(evaluation);
        files.push(file);
    }
    let cell = &first.record.cell;
    let record = EnsembleRecord {
        version: ENSEMBLE_VERSION,
        source: cell.setting.source.clone(),
        model: cell.setting.model.clone(),
        suite: cell.setting.suite.clone(),
        backbone_parameters: backbone.config.parameters(),
        members,
        provenance,
        evaluations,
    };
    Ok((record, files))
}

/// That two records differ in nothing but their seed.
fn alike(first: &StoredRecord, second: &StoredRecord) -> Result<(), EnsembleRunError> {
    let mut cell = second.record.cell.clone();
    cell.seed = first.record.cell.seed;
    match difference::first(&first.record.cell, &cell) {
        None => Ok(()),
        Some(difference) => Err(EnsembleRunError::Mixed {
            first: first.folder.display().to_string(),
            second: second.folder.display().to_string(),
            field: difference.field,
        }),
    }
}

/// That a record's prompt was tuned in the default wording.
fn default_wording(stored: &StoredRecord) -> Result<(), EnsembleRunError> {
    let wording = &stored.record.cell.setting.wording;
    if wording.is_default() {
        return Ok(());
    }
    Err(EnsembleRunError::Worded {
        folder: stored.folder.display().to_string(),
        wording: wording.title(),
    })
}

fn member(
    stored: &StoredRecord,
    backbone: &Backbone,
) -> Result<(Member, Vectors), EnsembleRunError> {
    let prompt = PromptFile::open(&stored.folder)?;
    // Refuses the prompt of another backbone.
    prompt.onto(backbone)?;
    let training = stored.record.training.as_ref();
    let kept = training.and_then(|training| {
        let mut points = training.curve.iter();
        points.find(|point| point.step == training.best_step)
    });
    let seconds = |evaluation: &Evaluation| evaluation.seconds;
    let member = Member {
        seed: stored.record.cell.seed,
        parameters: prompt.vectors.values().len(),
        sha256: training.map_or(String::new(), |training| training.saved.sha256.clone()),
        validation_score: kept.map_or(0.0, |point| point.validation_score),
        seconds: stored.record.evaluations.iter().map(seconds).sum(),
    };
    Ok((member, prompt.vectors))
}

fn evaluate(
    bank: &PromptBank,
    test: &Test,
    material: &Material,
    backbone: &Backbone,
    limits: &Limits,
    watch: &mut dyn FnMut(&str, usize, usize) -> Result<(), Interrupted>,
) -> Result<(EnsembleEvaluation, (String, Vec<u8>)), EnsembleRunError> {
    let examples = &test.rows.examples;
    let domain = &test.card.name;
    let source = &material.source.card;
    let labels: Vec<Vec<u32>> = (source.labels.iter())
        .map(|label| backbone.tokenizer.encode(label))
        .collect();
    let encodings = encode(examples, &backbone.tokenizer, limits);
    let started = Instant::now();
    let unanswered = |source| EnsembleRunError::Unanswered {
        domain: domain.clone(),
        source,
    };
    let (found, peak_bytes) = peak_of(|| -> Result<_, EnsembleRunError> {
        let mut answering = answering(bank, &encodings, &labels, &backbone.tokenizer, limits);
        for done in &mut answering {
            watch(domain, done.map_err(unanswered)?, examples.len())?;
        }
        answering.finish().map_err(unanswered)
    });
    let found = found?;
    let seconds = started.elapsed().as_secs_f64();
    let line = |(example, members): (&Example, Vec<MemberAnswer>)| EnsembleLine {
        id: example.id.clone(),
        passage: example.passage.clone(),
        members: members
            .into_iter()
            .map(|member| MemberLine {
                score: score_answer(&member.answer.text, &example.gold, source, &test.card),
                prediction: member.answer.text,
                log_prob: member.answer.log_prob,
                label_log_probs: member.label_log_probs,
            })
            .collect(),
    };
    let lines: Vec<EnsembleLine> = examples.iter().zip(found).map(line).collect();
    let (name, bytes, answers_sha256) = to_file(domain, &lines);
    let evaluation = EnsembleEvaluation {
        domain: domain.clone(),
        role: test.role,
        task: test.card.task,
        split: Split::Test,
        examples: lines.len(),
        seconds,
        peak_bytes,
        answers: name.clone(),
        answers_sha256,
    };
    Ok((evaluation, (name, bytes)))
}
