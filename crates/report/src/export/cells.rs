//! The table `cells`: a row for each domain that a record was scored on, and one for each few-shot evaluation.

use std::borrow::Cow;

use super::column::Column;
use super::word;
use promptshift_numbers::recipe::Recipe;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Cell, Evaluation, Provenance, Record, Training};
use promptshift_numbers::record::{KShot, TunedElsewhere};

/// One evaluation of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    stored: &'a StoredRecord,
    evaluation: &'a Evaluation,
    /// The few-shot tuning; `None` for zero-shot.
    shot: Option<&'a KShot>,
}

/// A record's rows.
pub(super) fn rows(stored: &StoredRecord) -> Vec<Row<'_>> {
    let zero_shot = stored.record.evaluations.iter().map(|evaluation| Row {
        stored,
        evaluation,
        shot: None,
    });
    let few_shot = stored.record.k_shots.iter().map(|shot| Row {
        stored,
        evaluation: &shot.evaluation,
        shot: Some(shot),
    });
    zero_shot.chain(few_shot).collect()
}

impl<'a> Row<'a> {
    fn record(&self) -> &'a Record {
        &self.stored.record
    }

    fn cell(&self) -> &'a Cell {
        &self.record().cell
    }

    fn elsewhere(&self) -> Option<&'a TunedElsewhere> {
        self.cell().elsewhere.as_ref()
    }

    fn recipe(&self) -> Option<&'a Recipe> {
        self.cell().recipe.as_ref()
    }

    fn training(&self) -> Option<&'a Training> {
        self.record().training.as_ref()
    }

    fn provenance(&self) -> &'a Provenance {
        &self.record().provenance
    }

    fn folder(&self) -> Cow<'a, str> {
        self.stored.folder.to_string_lossy()
    }

    /// The name and value of a metric of the task: 0 for the main metric, 1 for the other.
    fn metric(&self, place: usize) -> (&'static str, Option<f64>) {
        let name = self.evaluation.task.metrics()[place];
        (name, self.evaluation.metrics.get(name).copied())
    }
}

/// The table's columns with the values of these rows.
#[rustfmt::skip] // One column per line.
pub(super) fn columns<'a>(rows: &[Row<'a>]) -> Vec<Column<'a>> {
    let mut columns = identity(rows);
    columns.extend([
        // Scores and the cost of evaluation.
        Column::count("examples", rows, |row| Some(row.evaluation.examples)),
        Column::count("cut_inputs", rows, |row| Some(row.evaluation.cut_inputs)),
        Column::text("metric", rows, |row| Some(row.metric(0).0)),
        Column::number("value", rows, |row| row.metric(0).1),
        Column::text("second_metric", rows, |row| Some(row.metric(1).0)),
        Column::number("second_value", rows, |row| row.metric(1).1),
        Column::number("floor", rows, |row| row.evaluation.floor),
        Column::number("eval_seconds", rows, |row| Some(row.evaluation.seconds)),
        Column::count("eval_peak_bytes", rows, |row| Some(row.evaluation.peak_bytes)),
        Column::count("generated_tokens", rows, |row| Some(row.evaluation.generated_tokens)),
        // Tuning.
        Column::count("trainable_parameters", rows, |row| Some(row.training()?.trainable_parameters)),
        Column::count("total_parameters", rows, |row| Some(row.training()?.total_parameters)),
        Column::count("train_examples", rows, |row| Some(row.training()?.examples)),
        Column::count("train_cut_inputs", rows, |row| Some(row.training()?.cut_inputs)),
        Column::count("steps", rows, |row| Some(row.training()?.steps)),
        Column::count("best_step", rows, |row| Some(row.training()?.best_step)),
        Column::text("stop", rows, |row| Some(word(row.training()?.stop))),
        Column::count("train_tokens", rows, |row| Some(row.training()?.tokens)),
        Column::number("train_seconds", rows, |row| Some(row.training()?.train_seconds)),
        Column::number("validation_seconds", rows, |row| Some(row.training()?.validation_seconds)),
        Column::count("train_peak_bytes", rows, |row| Some(row.training()?.peak_bytes)),
        Column::count("train_reserved_peak_bytes", rows, |row| row.training()?.reserved_peak_bytes),
        Column::count("saved_bytes", rows, |row| Some(row.training()?.saved.bytes)),
        Column::number("learning_rate", rows, |row| Some(row.recipe()?.optimizer.learning_rate())),
        Column::count("batch_size", rows, |row| Some(row.recipe()?.budget.batch_size)),
        Column::count("prompt_length", rows, |row| Some(row.recipe()?.prompt.as_ref()?.length)),
        Column::count("trials", rows, |row| row.cell().trials),
        Column::text("tuned_elsewhere", rows, |row| Some(row.elsewhere()?.name.as_str())),
        Column::text("tuned_elsewhere_sha256", rows, |row| Some(row.elsewhere()?.found.as_ref()?.sha256.as_str())),
        Column::text("recipe_json", rows, |row| Some(json(row.recipe()?))),
        Column::count("few_shot_steps", rows, |row| Some(row.shot?.steps)),
        Column::count("few_shot_batch_size", rows, |row| Some(row.shot?.batch_size)),
        Column::number("few_shot_train_seconds", rows, |row| Some(row.shot?.train_seconds)),
    ]);
    columns.extend(origin(rows));
    columns
}

/// The identity of a row.
#[rustfmt::skip]
fn identity<'a>(rows: &[Row<'a>]) -> Vec<Column<'a>> {
    let setting = |row: &Row<'a>| &row.cell().setting;
    vec![
        Column::text("folder", rows, |row| Some(row.folder())),
        Column::text("source", rows, |row| Some(&setting(row).source)),
        Column::text("domain", rows, |row| Some(&row.evaluation.domain)),
        Column::text("role", rows, |row| Some(word(row.evaluation.role))),
        Column::text("task", rows, |row| Some(word(row.evaluation.task))),
        Column::text("split", rows, |row| Some(row.evaluation.split.name())),
        Column::text("method", rows, |row| Some(row.cell().method.name())),
        Column::key("seed", rows, |row| Some(row.cell().seed)),
        Column::count("few_shot", rows, |row| Some(row.shot?.examples)),
        Column::text("model", rows, |row| Some(&setting(row).model)),
        Column::text("frozen_weights", rows, |row| Some(setting(row).frozen_weights.name())),
        Column::text("suite", rows, |row| Some(&setting(row).suite)),
        Column::text("answers", rows, |row| Some(setting(row).answers.name())),
        Column::text("wording", rows, |row| Some(setting(row).wording.title())),
        Column::text("mixing_json", rows, |row| Some(json(setting(row).mixing?))),
        Column::count("train_rows", rows, |row| setting(row).train_rows),
        Column::count("validation_rows", rows, |row| setting(row).validation_rows),
        Column::count("eval_rows", rows, |row| setting(row).eval_rows),
        Column::count("input_limit_tokens", rows, |row| Some(setting(row).limits.input)),
        Column::count("target_limit_tokens", rows, |row| Some(setting(row).limits.target)),
        Column::count("answer_limit_tokens", rows, |row| Some(setting(row).limits.answer)),
    ]
}

/// The provenance of a row.
#[rustfmt::skip]
fn origin<'a>(rows: &[Row<'a>]) -> Vec<Column<'a>> {
    vec![
        Column::text("texts", rows, |row| Some(word(row.record().texts))),
        Column::text("version", rows, |row| Some(&row.provenance().version)),
        Column::text("revision", rows, |row| Some(&row.provenance().revision)),
        Column::text("command", rows, |row| Some(&row.provenance().command)),
        Column::text("device", rows, |row| Some(&row.provenance().device)),
        Column::text("processor", rows, |row| Some(&row.provenance().processor)),
        Column::text("gpu", rows, |row| row.provenance().gpu.as_deref()),
        Column::text("node", rows, |row| row.provenance().node.as_deref()),
        Column::count("threads", rows, |row| Some(row.provenance().threads)),
        Column::count("side_by_side", rows, |row| Some(row.provenance().side_by_side)),
        Column::count("started_unix_seconds", rows, |row| Some(row.provenance().started_unix_seconds)),
        Column::text("model_sha256", rows, |row| Some(&row.provenance().model_sha256)),
        Column::text("tokenizer_sha256", rows, |row| Some(&row.provenance().tokenizer_sha256)),
        Column::text("data_sha256_json", rows, |row| Some(json(&row.provenance().data_sha256))),
    ]
}

/// A nested value as JSON, as in `record.json`.
fn json(value: impl serde::Serialize) -> String {
    serde_json::to_string(&value).expect("plain data")
}
