//! Assembles a cell's record from the store. Nothing here needs a model.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::ExperimentError;
use super::answer::predictions;
use super::context::CellContext;
use super::runner::{Keep, Runner, Searched};
use crate::datasets::TestSet;
use promptshift_numbers::record::folder::{
    Draft, RunFolder, StoreError, StoredRecord, write_predictions,
};
use promptshift_numbers::record::{
    Cell, Evaluation, KShot, Provenance, RECORD_VERSION, Record, Score, Texts, Training,
    ValidationAnswers, excerpts,
};
use promptshift_numbers::store::{Asked, Given, Reuse, StoredTraining};
use promptshift_numbers::{provenance, score};
use promptshift_text::atomic_file;
use promptshift_text::domain::Split;
use promptshift_text::domain::labels::LabelMap;

impl Runner<'_> {
    /// The record of a cell in a folder, if it exists and has the same inputs.
    ///
    /// # Errors
    /// It can't be read, or has other inputs.
    pub fn found(
        &self,
        cell: &Cell,
        folder: &RunFolder,
    ) -> Result<Option<StoredRecord>, ExperimentError> {
        let found = folder.existing(cell)?;
        if let Some(found) = &found {
            found.check_inputs(&provenance::collect(self.origin.clone()))?;
            self.check_training(cell, found)?;
            // The folder may have been moved since it was written.
            self.refer(&found.record, folder)?;
        }
        Ok(found)
    }

    /// Checks that a record belongs to the cell's current training: the same files may have been trained with
    /// another configuration. Records from before the store existed do not name their training.
    fn check_training(&self, cell: &Cell, found: &StoredRecord) -> Result<(), ExperimentError> {
        let stored_as =
            (found.record.training.as_ref()).and_then(|training| training.stored_as.as_ref());
        let (Some(stored_as), Some(subject)) = (stored_as, self.context(cell).subject()) else {
            return Ok(());
        };
        let name = match self.reuse {
            Reuse::Same => self.environment.name(&subject),
            Reuse::Any => subject.name(),
        };
        match stored_as.starts_with(&name) {
            true => Ok(()),
            false => Err(StoreError::OtherCell {
                path: found.folder.clone(),
                field: "training".to_owned(),
                wanted: name,
                found: stored_as.clone(),
            }
            .into()),
        }
    }

    /// Records why a cell has no record.
    ///
    /// # Errors
    /// It can't be written.
    pub fn record_failure(
        &self,
        cell: &Cell,
        reason: &str,
        folder: &RunFolder,
    ) -> Result<(), ExperimentError> {
        let provenance = provenance::collect(self.origin.clone());
        Ok(folder.begin(cell)?.fail(reason, &provenance)?)
    }

    /// Writes the record of a cell that was [computed](Runner::compute).
    ///
    /// # Errors
    /// Part of it is missing, or a file can't be read or written.
    pub fn record(
        &self,
        (cell, search): Searched,
        folder: &RunFolder,
    ) -> Result<StoredRecord, ExperimentError> {
        let context = self.context(&cell);
        let draft = folder.begin(&cell)?;
        let lost = || ExperimentError::Lost {
            name: draft.name().to_owned(),
        };
        let subject = context.subject();
        let training = match &subject {
            Some(subject) => Some(self.training(subject)?.ok_or_else(lost)?),
            None => None,
        };
        let of = context.of(training.as_ref().map(|training| training.name.clone()))?;
        let mut sources = Sources::default();
        let mut evaluations = Vec::new();
        for test in &self.datasets.tests {
            let asked = context.asked(of.clone(), test);
            let file = PredictionsFile {
                draft: &draft,
                name: &test.card.name,
            };
            let found = self.evaluation(context, &asked, test, file, &mut sources)?;
            evaluations.push(found.ok_or_else(lost)?.0);
        }
        let mut k_shots = Vec::new();
        for shot in context.shots(&of) {
            let file = PredictionsFile {
                draft: &draft,
                name: &format!("{}@{}-shot", shot.test.card.name, shot.examples.len()),
            };
            let found = self.evaluation(context, &shot.asked, shot.test, file, &mut sources)?;
            let (evaluation, train_seconds) = found.ok_or_else(lost)?;
            k_shots.push(KShot {
                examples: shot.examples.len(),
                ids: shot
                    .examples
                    .into_iter()
                    .map(|example| example.id)
                    .collect(),
                steps: shot.recipe.budget.steps,
                batch_size: shot.recipe.budget.batch_size,
                train_seconds,
                evaluation,
            });
        }
        let (trained, validation) = match &training {
            Some(training) => {
                let (trained, validation) = self.copied(context, training, &draft)?;
                (Some(trained), Some(validation))
            }
            None => (None, None),
        };
        // Cost measurements are those of the training or, without one, of the first answers.
        let measured = (training
            .as_ref()
            .map(|training| &training.record.provenance))
        .or(sources.all.first());
        let measured = measured.ok_or_else(lost)?.clone();
        let mut notes = self.datasets.notes.clone();
        notes.extend(
            training
                .as_ref()
                .and_then(|training| self.elsewhere(training)),
        );
        let record = Record {
            version: RECORD_VERSION,
            notes,
            model_notes: context.model_notes(),
            leakage: (self.datasets).leakage(self.backbone, &context.cell.setting.limits),
            training: trained,
            search,
            evaluations,
            k_shots,
            validation,
            answered: sources.besides(&measured),
            provenance: Provenance {
                data_sha256: self.origin.data_sha256.clone(),
                ..measured
            },
            texts: Texts::Kept,
            cell: cell.clone(),
        };
        // Before the record is written, so that a killed process leaves no record that the store does not
        // know about.
        self.refer(&record, folder)?;
        let stored = draft.finish(&record)?;
        // Only now: the record's folder has a copy of the weights. Weights that another command trained are
        // kept.
        if let (Some(training), Keep::None) = (&training, self.keep)
            && training.record.provenance.command == self.origin.command
        {
            training.forget_weights()?;
        }
        Ok(stored)
    }

    /// Registers in the store that a folder's record uses a training.
    fn refer(&self, record: &Record, folder: &RunFolder) -> Result<(), ExperimentError> {
        let context = self.context(&record.cell);
        let of = match record.training.as_ref().map(|training| &training.stored_as) {
            Some(Some(name)) => name.clone(),
            // A record from before the store existed.
            Some(None) => return Ok(()),
            None => context.of(None)?.folder(),
        };
        Ok(self.store.refer(folder.path(), BTreeSet::from([of]))?)
    }

    /// One domain's evaluation, with its predictions written to a file, and the seconds of few-shot tuning
    /// before it; `None` if some rows have no answer.
    fn evaluation(
        &self,
        context: CellContext,
        asked: &Asked,
        test: &TestSet,
        file: PredictionsFile,
        sources: &mut Sources,
    ) -> Result<Option<(Evaluation, f64)>, ExperimentError> {
        let examples = &test.rows.examples;
        let source = context.source();
        let answered = self.store.answers(asked, &self.environment, self.reuse)?;
        let Some(given) = answered.give(test.rows.inputs()) else {
            return Ok(None);
        };
        sources.add(&given);
        let labels = LabelMap::between(&source.card, &test.card)?;
        let predictions = predictions(&test.rows, &given.answers, &labels);
        let scores: Vec<Score> = predictions.iter().map(|p| p.score).collect();
        let file = write_predictions(file.draft.path(), file.name, &predictions)?;
        let evaluation = Evaluation {
            domain: test.card.name.clone(),
            role: test.role,
            task: test.card.task,
            split: Split::Test,
            examples: predictions.len(),
            cut_inputs: predictions.iter().filter(|p| p.cut).count(),
            metrics: score::metrics(test.card.task, &scores),
            floor: score::floor(&source.train.examples, examples, &labels),
            seconds: given.seconds,
            generated_tokens: predictions.iter().map(|p| p.output_tokens as u64).sum(),
            peak_bytes: given.peak_bytes,
            predictions: file.file,
            predictions_sha256: file.sha256,
            excerpts: excerpts(examples),
        };
        Ok(Some((evaluation, given.few_shot_seconds)))
    }

    /// A training as its record states it, with its files copied beside it. Weights are hard-linked if
    /// possible, since they may be large; predictions are copied and may be compressed.
    fn copied(
        &self,
        context: CellContext,
        training: &StoredTraining,
        draft: &Draft,
    ) -> Result<(Training, ValidationAnswers), ExperimentError> {
        let record = &training.record;
        let path = |file: &str| (training.folder.join(file), draft.path().join(file));
        let copy = |from: &Path, to: &Path| fs::copy(from, to).map(|_| ());
        let (answers, copied) = path(&record.validation.predictions);
        let (weights, linked) = path(&record.training.saved.file);
        let mut done = copy(&answers, &copied);
        // The weights may have been discarded.
        if done.is_ok() && weights.exists() {
            done = atomic_file::link(&weights, &linked);
        }
        done.map_err(|source| StoreError::Io {
            action: "copy from",
            path: training.folder.clone(),
            source,
        })?;
        let trained = Training {
            checkpoints: self.checkpoints(context, training, draft)?,
            ..record.training.clone()
        };
        Ok((trained, record.validation.clone()))
    }

    /// A note on a training that was computed in another environment.
    fn elsewhere(&self, training: &StoredTraining) -> Option<String> {
        let (there, here) = (&training.record.environment, &self.environment);
        (self.reuse == Reuse::Any && there != here).then(|| {
            format!(
                "{} was trained with arithmetic {} on {} ({}), and this is arithmetic {} on {} ({}): used because \
                 of --reuse any",
                training.record.subject.name(),
                there.arithmetic,
                there.processor,
                there.device,
                here.arithmetic,
                here.processor,
                here.device
            )
        })
    }
}

/// The file of an evaluation's predictions in the draft of a record.
struct PredictionsFile<'a> {
    draft: &'a Draft<'a>,
    name: &'a str,
}

/// Where a record's answers come from.
#[derive(Default)]
struct Sources {
    all: Vec<Provenance>,
}

impl Sources {
    fn add(&mut self, given: &Given) {
        for batch in &given.batches {
            let is_known = |known: &Provenance| is_same_run(known, &batch.provenance);
            if !self.all.iter().any(is_known) {
                self.all.push(batch.provenance.clone());
            }
        }
    }

    /// The sources other than this command.
    fn besides(self, provenance: &Provenance) -> Vec<Provenance> {
        let mut all = self.all;
        all.retain(|other| !is_same_run(other, provenance));
        all
    }
}

/// Whether two results were computed by the same command on the same machine.
fn is_same_run(one: &Provenance, other: &Provenance) -> bool {
    let run = |of: &Provenance| {
        let Provenance {
            revision,
            command,
            node,
            ..
        } = of;
        // Which of several equal GPUs does not matter.
        (
            revision.clone(),
            command.clone(),
            node.clone(),
            of.hardware(),
        )
    };
    run(one) == run(other)
}
