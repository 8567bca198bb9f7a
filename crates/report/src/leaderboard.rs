//! All records found, a row for each method, model and source.
//!
//! The rows of one source, suite and set of targets can be ranked; rows of different ones stand
//! side by side only to be found. `leaderboard/schema-1.json` describes the JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::comparison::{self, Comparison, MethodResult};
use super::error::ReportError;
use super::markdown::table::{TextTable, UNDEFINED};
use super::markdown::text::plain;
use super::number::{gap, list, metric_title, spread, whole};
use super::page::{Tables, page};
use super::study::{Study, studies_by_recipe};
use promptshift_numbers::recipe::{Method, Recipe};
use promptshift_numbers::record::difference;
use promptshift_numbers::record::folder::{End, StoredRecord, Unfinished};
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_text::domain::{AnswerForm, Task};

/// The version of the JSON: raised when a key is renamed, removed or means something else.
pub const VERSION: u32 = 1;

/// The JSON Schema of [`Leaderboard::json`].
pub const SCHEMA: &str = include_str!("leaderboard/schema-1.json");

/// The rows, those that can be ranked together and the best first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leaderboard {
    /// `promptshift-leaderboard`.
    pub schema: &'static str,
    /// [`VERSION`].
    pub version: u32,
    /// The rows.
    pub rows: Vec<Row>,
}

/// One method with one model, tuned on one source. Scores are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The domain trained on.
    pub source: String,
    /// The suite of domains.
    pub suite: String,
    /// What is asked.
    pub task: Task,
    /// How right answers were written when predictions were compared with them.
    pub answers: AnswerForm,
    /// How examples were worded and answers read, where that is not the paper's way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wording: Option<String>,
    /// The backbone.
    pub model: String,
    /// What was tuned.
    pub method: Method,
    /// What was tuned elsewhere is called this: `mine (tuned elsewhere)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuned_elsewhere: Option<String>,
    /// What sets its recipe apart from others of the same method here: `prompt.length 5`. Absent where
    /// there is one recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The seeds, ascending.
    pub seeds: Vec<u64>,
    /// Seeds with which training failed: they are in no score.
    pub failed_seeds: Vec<u64>,
    /// The metric of all scores in this row.
    pub metric: &'static str,
    /// The score on the source's test split, with its 95 % interval.
    pub source_score: Estimate,
    /// Its standard deviation over seeds (n - 1).
    pub source_deviation: Option<f64>,
    /// The mean of the targets' scores.
    pub mean_target_score: Option<Estimate>,
    /// The source score minus that.
    pub mean_gap: Option<Estimate>,
    /// Each target's score.
    pub targets: Vec<Target>,
    /// Numbers that the optimiser may move, or that what was tuned elsewhere has; 0 for the untuned backbone.
    pub trainable_parameters: usize,
    /// The size of what tuning left behind; absent for the untuned backbone.
    pub saved_bytes: Option<u64>,
    /// Mean seconds in training steps.
    pub train_seconds: Option<f64>,
    /// The highest number of bytes allocated during training, over seeds.
    pub train_peak_bytes: Option<u64>,
    /// The processors that the records were made on.
    pub processors: Vec<String>,
    /// The folders of the records, as they were found.
    pub records: Vec<String>,
}

/// A score on a domain that was not trained on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Target {
    /// The domain.
    pub domain: String,
    /// Its score.
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
        let comparison = comparison::compare(&study)?;
        for result in &comparison.methods {
            let row = row(&study, &comparison, result);
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
    /// Whether both are of the same untuned backbone, whose record lies in every output folder.
    fn is_untuned_as(&self, other: &Row) -> bool {
        let untuned = [self, other].map(|row| row.method == Method::Untuned);
        untuned == [true; 2]
            && rankable(self) == rankable(other)
            && (&self.model, &self.wording) == (&other.model, &other.wording)
            && (self.source_score, &self.targets) == (other.source_score, &other.targets)
    }
}

/// The fields in which a row's recipe differs from those of rows that are else alike.
fn set_apart(row: usize, rows: &[Row], recipes: &[Option<Recipe>]) -> Option<String> {
    let like = |other: &usize| {
        let key = |row: &Row| (row.method, row.model.clone(), row.wording.clone());
        let (one, two) = (&rows[row], &rows[*other]);
        *other != row && rankable(one) == rankable(two) && key(one) == key(two)
    };
    let fields: BTreeMap<String, String> = (0..rows.len())
        .filter(like)
        .flat_map(|other| difference::all(&recipes[row], &recipes[other]))
        .map(|one| (one.field, one.first))
        .collect();
    let words: Vec<String> = (fields.iter())
        .map(|(field, value)| format!("{field} {}", value.trim_matches('"')))
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// What rows have in common that can be ranked.
fn rankable(row: &Row) -> (&str, &str, &str, Vec<&str>) {
    let targets = row.targets.iter().map(|target| target.domain.as_str());
    (
        &row.source,
        &row.suite,
        row.answers.name(),
        targets.collect(),
    )
}

fn row(study: &Study, comparison: &Comparison, result: &MethodResult) -> Row {
    let records = study.of(result.method);
    let training = result.cost.as_ref().and_then(|cost| cost.training.as_ref());
    let sizes = result.cost.as_ref().and_then(|cost| cost.sizes.as_ref());
    let mut processors: Vec<String> = records
        .iter()
        .map(|stored| stored.record.provenance.processor.clone())
        .collect();
    processors.sort();
    processors.dedup();
    Row {
        source: comparison.source.clone(),
        suite: comparison.suite.clone(),
        task: comparison.task,
        answers: comparison.answers,
        wording: (!comparison.wording.is_default()).then(|| comparison.wording.title()),
        model: comparison.model.clone(),
        method: result.method,
        tuned_elsewhere: (result.method == Method::Elsewhere).then(|| result.title.clone()),
        recipe: None,
        seeds: result.seeds.clone(),
        failed_seeds: (comparison.without_record(result.method))
            .filter(|run| run.end != End::Missing)
            .map(|run| run.seed)
            .collect(),
        metric: comparison.metric,
        source_score: result.source().score,
        source_deviation: result.source().deviation,
        mean_target_score: result.mean_target,
        mean_gap: result.mean_gap,
        targets: comparison
            .targets
            .iter()
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
        processors,
        records: records
            .iter()
            .map(|stored| stored.folder.display().to_string())
            .collect(),
    }
}

/// The method with what sets the row apart.
fn titled(row: &Row) -> String {
    let apart: Vec<String> = [&row.wording, &row.recipe]
        .into_iter()
        .flatten()
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

    /// The rows as a table of text; amounts carry their unit in the header, so that they sort.
    pub fn table(&self) -> TextTable {
        let header = [
            "method",
            "model",
            "source",
            "mean target score [95 %]",
            "mean gap [95 %]",
            "source score",
            "seeds",
            "trainable parameters",
            "training [s]",
            "peak memory, training [MB]",
            "metric",
            "suite",
            "targets",
        ];
        let amount = |amount: Option<f64>| {
            amount.map_or(UNDEFINED.to_owned(), |amount| format!("{amount:.1}"))
        };
        let rows = self
            .rows
            .iter()
            .map(|row| {
                let targets: Vec<String> =
                    row.targets.iter().map(|one| plain(&one.domain)).collect();
                vec![
                    titled(row),
                    plain(&row.model),
                    plain(&row.source),
                    row.mean_target_score.map_or(UNDEFINED.to_owned(), gap),
                    row.mean_gap.map_or(UNDEFINED.to_owned(), gap),
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
                    list(&targets),
                ]
            })
            .collect();
        TextTable {
            words: &[0, 1, 2, 10, 11, 12],
            header: header.map(str::to_owned).to_vec(),
            rows,
        }
    }

    /// The leaderboard as markdown.
    pub fn markdown(&self) -> String {
        format!(
            "# Leaderboard\n\n{}\nScores in percent: source mean ± standard deviation over seeds, \
             means over targets and gaps with their 95 % intervals (seeds and whole passages \
             resampled). Rows can be ranked where source, suite, targets and metric are the same, and \
             an interval that holds another row's score says that the order may be chance. Times \
             compare on one machine only.\n",
            self.table().markdown()
        )
    }

    /// The leaderboard as one HTML page whose columns can be sorted.
    pub fn page(&self) -> String {
        page("Leaderboard", &self.markdown(), &[], Tables::Sortable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use serde_json::Value;
    use std::path::Path;

    fn two_studies() -> Vec<StoredRecord> {
        let mut records = Fixture::one_target().records();
        records.extend(
            Fixture::pairs()
                .records()
                .into_iter()
                .map(|stored| StoredRecord {
                    folder: Path::new("pairs").join(&stored.folder),
                    ..stored
                }),
        );
        records
    }

    #[test]
    fn a_row_for_each_method_the_best_first() {
        let board = leaderboard(&two_studies(), &[]).expect("consistent");
        let rows: Vec<(&str, Method)> = board
            .rows
            .iter()
            .map(|row| (row.source.as_str(), row.method))
            .collect();
        let order = [Method::Model, Method::Prompt, Method::Untuned];
        let wanted = ["qqp", "squad"].map(|source| order.map(|method| (source, method)));
        assert_eq!(rows, wanted.concat());
        assert_eq!(board.rows[3].records.len(), 3);
        let markdown = board.markdown();
        assert!(
            markdown.contains("| 3 | 2,560 | 31.0 | 320.0 | F1 | mini | textbookqa |"),
            "{markdown}"
        );
    }

    #[test]
    fn recipes_of_one_method_are_rows_apart() {
        let mut records = Fixture::one_target().records();
        let prompts: Vec<StoredRecord> = (records.iter())
            .filter(|stored| stored.record.cell.method == Method::Prompt)
            .cloned()
            .collect();
        records.push(StoredRecord {
            folder: Path::new("length-5/untuned").to_owned(),
            ..records[0].clone()
        });
        for mut stored in prompts {
            stored.folder = Path::new("length-5").join(&stored.folder);
            let recipe = stored.record.cell.recipe.as_mut().expect("a tuned run");
            recipe.prompt.as_mut().expect("a prompt").length = 5;
            records.push(stored);
        }
        let board = leaderboard(&records, &[]).expect("an ablation beside a transfer");
        let rows: Vec<(Method, usize, Option<&str>)> = (board.rows.iter())
            .map(|row| (row.method, row.seeds.len(), row.recipe.as_deref()))
            .collect();
        let (prompt, model) = (Method::Prompt, Method::Model);
        assert!(
            rows.contains(&(prompt, 3, Some("prompt.length 20"))),
            "{rows:?}"
        );
        assert!(
            rows.contains(&(prompt, 3, Some("prompt.length 5"))),
            "{rows:?}"
        );
        assert!(rows.contains(&(model, 3, None)), "{rows:?}");
        let untuned = board
            .rows
            .iter()
            .filter(|row| row.method == Method::Untuned);
        let records_of: Vec<usize> = untuned.map(|row| row.records.len()).collect();
        assert_eq!(records_of, [2], "one backbone, found in two folders");
        let markdown = board.markdown();
        assert!(
            markdown.contains("| prompt tuning (prompt.length 5) |"),
            "{markdown}"
        );
        // The same recipe and seed twice is still one record too many.
        records.push(StoredRecord {
            folder: Path::new("copy").to_owned(),
            ..records[1].clone()
        });
        let error = leaderboard(&records, &[]).expect_err("a copy").to_string();
        assert!(error.contains("copy"), "{error}");
    }

    #[test]
    fn the_page_sorts_by_itself() {
        let page = leaderboard(&two_studies(), &[]).expect("consistent").page();
        assert!(page.contains("<script>\nfor (const table"), "{page}");
        assert!(!page.contains("src=") && !page.contains("http"), "{page}");
    }

    /// The keys of an object and of everything below it hold to the schema.
    fn holds(value: &Value, schema: &Value, root: &Value, at: &str) {
        let schema = match schema.get("$ref").and_then(Value::as_str) {
            Some(name) => root
                .pointer(name.trim_start_matches('#'))
                .unwrap_or_else(|| panic!("{name} is not in the schema")),
            None => schema,
        };
        match value {
            Value::Object(fields) => {
                let known = schema["properties"]
                    .as_object()
                    .unwrap_or_else(|| panic!("{at} is no object in the schema"));
                for (key, value) in fields {
                    let schema = known
                        .get(key)
                        .unwrap_or_else(|| panic!("{at}.{key} is not in the schema"));
                    holds(value, schema, root, &format!("{at}.{key}"));
                }
                for key in schema["required"].as_array().expect("a list") {
                    let key = key.as_str().expect("a name");
                    assert!(fields.contains_key(key), "{at}.{key} is missing");
                }
            }
            Value::Array(items) => {
                for item in items {
                    holds(item, &schema["items"], root, &format!("{at}[]"));
                }
            }
            _ => {}
        }
    }

    #[test]
    fn the_json_is_what_its_schema_says() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
        let board = leaderboard(&two_studies(), &[]).expect("consistent");
        let json: Value = serde_json::from_str(&board.json()).expect("JSON");
        assert_eq!(json["version"], schema["properties"]["version"]["const"]);
        assert_eq!(json["schema"], schema["properties"]["schema"]["const"]);
        holds(&json, &schema, &schema, "leaderboard");
    }
}
