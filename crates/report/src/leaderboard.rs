//! The leaderboard: all records, with a row for each method, model and source.
//!
//! Only rows with the same source, suite and targets can be ranked. `leaderboard/schema-1.json` describes the JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cost;
use crate::document::html::{Tables, page};
use crate::document::{Block, Document, Table, UNDEFINED, or_dash, plain};
use crate::error::ReportError;
use crate::number::{gap, list, metric_title, spread, whole};
use crate::resamples::Resamples;
use crate::results::{MethodResult, Results};
use crate::study::{Study, studies_by_recipe};
use promptshift_numbers::recipe::{Method, Recipe};
use promptshift_numbers::record::difference;
use promptshift_numbers::record::folder::{End, StoredRecord, Unfinished};
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_text::domain::{AnswerForm, Task};

/// The version of the JSON, incremented when a key is renamed, removed or changes its meaning.
pub const VERSION: u32 = 1;

/// The JSON Schema of [`Leaderboard::json`].
pub const SCHEMA: &str = include_str!("leaderboard/schema-1.json");

/// The rows, grouped by what can be ranked together, the best first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leaderboard {
    /// `promptshift-leaderboard`.
    pub schema: &'static str,
    /// [`VERSION`].
    pub version: u32,
    pub rows: Vec<Row>,
}

/// One method with one model, tuned on one source. Scores are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The domain that was trained on.
    pub source: String,
    /// The suite of domains.
    pub suite: String,
    pub task: Task,
    /// How right answers were written when predictions were compared with them.
    pub answers: AnswerForm,
    /// How examples were worded and answers read, if not as in the paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wording: Option<String>,
    /// The backbone.
    pub model: String,
    pub method: Method,
    /// The name of a method tuned elsewhere: `mine (tuned elsewhere)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuned_elsewhere: Option<String>,
    /// How its recipe differs from others of the same method here: `prompt.length 5`. Absent if there is only one
    /// recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The seeds, ascending.
    pub seeds: Vec<u64>,
    /// Seeds with which training failed; scores do not include them.
    pub failed_seeds: Vec<u64>,
    /// The metric of all scores in this row.
    pub metric: &'static str,
    /// The score on the source's test split, with its 95 % interval.
    pub source_score: Estimate,
    /// Its standard deviation over seeds (n - 1).
    pub source_deviation: Option<f64>,
    pub mean_target_score: Option<Estimate>,
    /// The source score minus the mean of the targets' scores.
    pub mean_gap: Option<Estimate>,
    /// Each target's score.
    pub targets: Vec<Target>,
    /// Trainable parameters, or the parameters of a method tuned elsewhere; 0 for the untuned backbone.
    pub trainable_parameters: usize,
    /// The size of the saved file; absent for the untuned backbone.
    pub saved_bytes: Option<u64>,
    /// Mean seconds spent in training steps.
    pub train_seconds: Option<f64>,
    /// The highest number of bytes allocated on the host during training, over seeds.
    pub train_peak_bytes: Option<u64>,
    /// The highest number of bytes that the device's memory pools had reserved during training, over seeds; absent if
    /// tensors were in host memory or a record does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_reserved_peak_bytes: Option<u64>,
    /// The processors of the records.
    pub processors: Vec<String>,
    /// The hardware of times and memory, in words: processor and device, or GPU and processor.
    pub hardware: Vec<String>,
    /// The folders of the records, as they were found.
    pub records: Vec<String>,
}

/// The score on a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Target {
    pub domain: String,
    pub score: Estimate,
}

/// The leaderboard of records.
///
/// # Errors
/// There are none, some contradict their predictions, or two are of the same cell.
pub fn leaderboard(
    records: &[StoredRecord],
    unfinished: &[Unfinished],
) -> Result<Leaderboard, ReportError> {
    let mut rows: Vec<Row> = Vec::new();
    let mut recipes: Vec<Option<Recipe>> = Vec::new();
    for study in studies_by_recipe(records, unfinished)? {
        // Only the scores of a report's analysis are needed.
        let results = Results::of(&Resamples::of_kept(&study));
        for result in &results.methods {
            let row = row(&study, &results, result);
            if let Some(same) = rows.iter_mut().find(|one| one.is_untuned_as(&row)) {
                same.records.extend(row.records);
                continue;
            }
            rows.push(row);
            let first = study.of(result.method).first().copied();
            recipes.push(first.and_then(|stored| stored.record.cell.recipe.clone()));
        }
    }
    let apart: Vec<Option<String>> = (0..rows.len())
        .map(|row| set_apart(row, &rows, &recipes))
        .collect();
    for (row, apart) in rows.iter_mut().zip(apart) {
        row.recipe = apart;
    }
    rows.sort_by(|one: &Row, other: &Row| {
        let score = |row: &Row| row.mean_target_score.map_or(0.0, |score| score.value);
        rankable(one)
            .cmp(&rankable(other))
            .then(score(other).total_cmp(&score(one)))
            .then_with(|| one.model.cmp(&other.model))
    });
    Ok(Leaderboard {
        schema: "promptshift-leaderboard",
        version: VERSION,
        rows,
    })
}

impl Row {
    /// Whether both are the same untuned backbone, which has a record in every output folder.
    fn is_untuned_as(&self, other: &Row) -> bool {
        let untuned = [self, other].map(|row| row.method == Method::Untuned);
        untuned == [true; 2]
            && rankable(self) == rankable(other)
            && (&self.model, &self.wording) == (&other.model, &other.wording)
            && (self.source_score, &self.targets) == (other.source_score, &other.targets)
    }
}

/// The fields in which a row's recipe differs from those of otherwise equal rows.
fn set_apart(row: usize, rows: &[Row], recipes: &[Option<Recipe>]) -> Option<String> {
    let like = |other: &usize| {
        let key = |row: &Row| (row.method, row.model.clone(), row.wording.clone());
        let (one, two) = (&rows[row], &rows[*other]);
        *other != row && rankable(one) == rankable(two) && key(one) == key(two)
    };
    let others = (0..rows.len()).filter(like);
    let all = others.flat_map(|other| difference::all(&recipes[row], &recipes[other]));
    let fields: BTreeMap<String, String> = all.map(|one| (one.field, one.first)).collect();
    let words: Vec<String> = (fields.iter())
        .map(|(field, value)| format!("{field} {}", value.trim_matches('"')))
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The key of rows that can be ranked together.
fn rankable(row: &Row) -> (&str, &str, &str, Vec<&str>) {
    let targets = row.targets.iter().map(|target| target.domain.as_str());
    let answers = row.answers.name();
    (&row.source, &row.suite, answers, targets.collect())
}

fn row(study: &Study, results: &Results, result: &MethodResult) -> Row {
    let records = study.of(result.method);
    let training = result.cost.as_ref().and_then(|cost| cost.training.as_ref());
    let sizes = result.cost.as_ref().and_then(|cost| cost.sizes.as_ref());
    let processors = (records.iter()).map(|stored| &stored.record.provenance.processor);
    let processors: BTreeSet<String> = processors.cloned().collect();
    Row {
        source: results.source.clone(),
        suite: results.suite.clone(),
        task: results.task,
        answers: results.answers,
        wording: (!results.wording.is_default()).then(|| results.wording.title()),
        model: results.model_title.clone(),
        method: result.method,
        tuned_elsewhere: (result.method == Method::Elsewhere).then(|| result.title.clone()),
        recipe: None,
        seeds: result.seeds.clone(),
        failed_seeds: (results.without_record(result.method))
            .filter(|run| run.end != End::Missing)
            .map(|run| run.seed)
            .collect(),
        metric: results.metric,
        source_score: result.source().score,
        source_deviation: result.source().deviation,
        mean_target_score: result.mean_target,
        mean_gap: result.mean_gap,
        targets: (results.targets.iter())
            .zip(result.targets())
            .map(|(domain, scores)| Target {
                domain: domain.clone(),
                score: scores.score,
            })
            .collect(),
        trainable_parameters: result.trainable(),
        saved_bytes: sizes.map(|sizes| sizes.saved_bytes),
        train_seconds: training.map(|cost| cost.train_seconds),
        train_peak_bytes: training.map(|cost| cost.peak_bytes),
        train_reserved_peak_bytes: training.and_then(|cost| cost.reserved_peak_bytes),
        processors: processors.into_iter().collect(),
        hardware: cost::hardware(records.iter().copied()),
        records: (records.iter())
            .map(|stored| stored.folder.display().to_string())
            .collect(),
    }
}

/// The method's name, with what distinguishes the row.
fn titled(row: &Row) -> String {
    let apart: Vec<String> = ([&row.wording, &row.recipe].into_iter().flatten())
        .map(|words| plain(words))
        .collect();
    let title = (row.tuned_elsewhere.as_deref()).unwrap_or(row.method.title());
    match apart.is_empty() {
        true => title.to_owned(),
        false => format!("{title} ({})", apart.join("; ")),
    }
}

impl Leaderboard {
    /// The rows as pretty JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a leaderboard is plain data") + "\n"
    }

    /// The rows as a table of text. Units are in the header, so that columns can be sorted.
    fn table(&self) -> Table {
        let hardware = self.rows.iter().flat_map(|row| &row.hardware);
        let is_unlike = hardware.collect::<BTreeSet<_>>().len() > 1;
        let columns = "method | model | source | mean target score [95 %] | mean gap [95 %] | source score | \
            seeds | trainable parameters | training [s] | peak host memory, training [MB] | metric | suite | targets";
        let mut header: Vec<&str> = columns.split(" | ").collect();
        let on_device = (self.rows.iter()).any(|row| row.train_reserved_peak_bytes.is_some());
        if on_device {
            header.push("reserved peak of the device, training [MB]");
        }
        if is_unlike {
            header.push("computed on");
        }
        let amount = |amount| or_dash(amount, |amount: f64| format!("{amount:.1}"));
        let rows = self.rows.iter().map(|row| {
            let targets = row.targets.iter().map(|one| plain(&one.domain));
            let mut cells = vec![
                titled(row),
                plain(&row.model),
                plain(&row.source),
                or_dash(row.mean_target_score, gap),
                or_dash(row.mean_gap, gap),
                spread(row.source_score.value, row.source_deviation),
                match row.method {
                    Method::Untuned => UNDEFINED.to_owned(),
                    _ if row.failed_seeds.is_empty() => row.seeds.len().to_string(),
                    _ => format!("{} ({} failed)", row.seeds.len(), row.failed_seeds.len()),
                },
                whole(row.trainable_parameters as f64),
                amount(row.train_seconds),
                amount(row.train_peak_bytes.map(|bytes| bytes as f64 / 1e6)),
                metric_title(row.metric).to_owned(),
                plain(&row.suite),
                list(targets),
            ];
            if on_device {
                let reserved = row.train_reserved_peak_bytes;
                cells.push(amount(reserved.map(|bytes| bytes as f64 / 1e6)));
            }
            if is_unlike {
                cells.push(plain(&row.hardware.join("; ")));
            }
            cells
        });
        // The last is where the hardware is.
        let words: &'static [usize] = match on_device {
            true => &[0, 1, 2, 10, 11, 12, 14],
            false => &[0, 1, 2, 10, 11, 12, 13],
        };
        Table::new(header).words(words).rows(rows)
    }

    /// The leaderboard.
    pub fn document(&self) -> Document {
        let title = "Leaderboard".to_owned();
        let words = "Scores in percent: source mean ± standard deviation over seeds; means over targets and gaps \
                     with 95 % intervals over seeds and passages. Rows with the same source, suite, targets and \
                     metric can be ranked; if an interval includes another row's score, the order may be due to \
                     chance. Times and memory are comparable only between rows with the same kind of hardware.";
        Document {
            title: title.clone(),
            blocks: vec![Block::Title(title), self.table().into(), Block::text(words)],
        }
    }

    /// The leaderboard as one HTML page whose columns can be sorted.
    pub fn page(&self) -> String {
        page(&self.document(), Tables::Sortable)
    }
}

#[cfg(test)]
mod tests;
