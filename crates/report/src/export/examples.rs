//! The table `examples`: a row for each prediction of a record, zero-shot, after few-shot tuning, and on source
//! validation.

use std::borrow::Cow;

use super::column::Column;
use super::word;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Cell, Evaluation, Prediction, Score, Traits};
use promptshift_text::domain::Split;

/// Predictions of one evaluation, with the values that they share.
#[derive(Debug)]
pub(super) struct Part<'a> {
    folder: Cow<'a, str>,
    cell: &'a Cell,
    domain: &'a str,
    role: String,
    task: String,
    split: &'static str,
    /// The number of few-shot examples; `None` for zero-shot.
    few_shot: Option<usize>,
    predictions: &'a [Prediction],
}

/// One prediction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    part: &'a Part<'a>,
    prediction: &'a Prediction,
}

/// A record's predictions: zero-shot evaluations, few-shot evaluations, source validation.
pub(super) fn parts(stored: &StoredRecord) -> Vec<Part<'_>> {
    let record = &stored.record;
    let part = |evaluation, few_shot, predictions| part(stored, evaluation, few_shot, predictions);
    let zero_shot = (record.evaluations.iter().zip(&stored.predictions))
        .map(|(evaluation, predictions)| part(evaluation, None, predictions));
    let few_shot = (record.k_shots.iter().zip(&stored.k_shots))
        .map(|(shot, predictions)| part(&shot.evaluation, Some(shot.examples), predictions));
    let mut parts: Vec<Part> = zero_shot.chain(few_shot).collect();
    // Source validation has the source's task.
    let source = record.evaluations.first();
    if let (Some(source), false) = (source, stored.validation.is_empty()) {
        parts.push(Part {
            split: Split::Validation.name(),
            ..part(source, None, &stored.validation)
        });
    }
    parts
}

fn part<'a>(
    stored: &'a StoredRecord,
    evaluation: &'a Evaluation,
    few_shot: Option<usize>,
    predictions: &'a [Prediction],
) -> Part<'a> {
    Part {
        folder: stored.folder.to_string_lossy(),
        cell: &stored.record.cell,
        domain: &evaluation.domain,
        role: word(evaluation.role),
        task: word(evaluation.task),
        split: evaluation.split.name(),
        few_shot,
        predictions,
    }
}

impl Part<'_> {
    /// A row for each prediction.
    pub fn rows(&self) -> Vec<Row<'_>> {
        let row = |prediction| Row {
            part: self,
            prediction,
        };
        self.predictions.iter().map(row).collect()
    }
}

impl<'a> Row<'a> {
    fn traits(&self) -> Option<&'a Traits> {
        self.prediction.traits.as_ref()
    }

    /// Exact match and F1 of a generated answer.
    fn span(&self) -> Option<(f64, f64)> {
        match self.prediction.score {
            Score::Span { exact_match, f1 } => Some((exact_match, f1)),
            Score::Label { .. } | Score::Option { .. } => None,
        }
    }

    fn question(&self) -> Option<u64> {
        match self.prediction.score {
            Score::Option { question, .. } => Some(question),
            Score::Span { .. } | Score::Label { .. } => None,
        }
    }
}

/// The table's columns with the values of these rows.
#[rustfmt::skip] // One column per line.
pub(super) fn columns<'a>(rows: &[Row<'a>]) -> Vec<Column<'a>> {
    let setting = |row: &Row<'a>| &row.part.cell.setting;
    vec![
        // The cell of the prediction.
        Column::text("folder", rows, |row| Some(row.part.folder.as_ref())),
        Column::text("source", rows, |row| Some(&setting(row).source)),
        Column::text("domain", rows, |row| Some(row.part.domain)),
        Column::text("role", rows, |row| Some(row.part.role.as_str())),
        Column::text("task", rows, |row| Some(row.part.task.as_str())),
        Column::text("split", rows, |row| Some(row.part.split)),
        Column::text("method", rows, |row| Some(row.part.cell.method.name())),
        Column::key("seed", rows, |row| Some(row.part.cell.seed)),
        Column::count("few_shot", rows, |row| row.part.few_shot),
        Column::text("model", rows, |row| Some(&setting(row).model)),
        // The example, the prediction and its score.
        Column::text("id", rows, |row| Some(&row.prediction.id)),
        Column::text("passage", rows, |row| Some(&row.prediction.passage)),
        Column::text("prediction", rows, |row| Some(&row.prediction.prediction)),
        Column::texts("answers", rows, |row| Some(&row.prediction.answers)),
        Column::flag("right", rows, |row| Some(row.prediction.score.is_right())),
        Column::number("exact_match", rows, |row| Some(row.span()?.0)),
        Column::number("f1", rows, |row| Some(row.span()?.1)),
        Column::count("gold", rows, |row| Some(row.prediction.score.classes()?.0)),
        Column::count("predicted", rows, |row| row.prediction.score.classes()?.1),
        Column::key("question", rows, |row| row.question()),
        Column::number("log_prob", rows, |row| Some(row.prediction.log_prob)),
        Column::numbers("class_log_probs", rows, |row| row.prediction.class_log_probs.as_deref()),
        Column::count("input_tokens", rows, |row| Some(row.prediction.input_tokens)),
        Column::count("output_tokens", rows, |row| Some(row.prediction.output_tokens)),
        Column::flag("cut", rows, |row| Some(row.prediction.cut)),
        // Properties of the example.
        Column::text("question_word", rows, |row| row.traits()?.question_word.as_deref()),
        Column::number("answer_position", rows, |row| row.traits()?.answer_position),
        Column::text("member_domain", rows, |row| row.traits()?.domain.as_deref()),
    ]
}
