//! The report on an ablation: settings that differ in one respect, scored on the same examples.

mod kinds;
mod table;

pub use kinds::{ADAPTED, LABELS, SENTINEL, SPANS, UNIFORM, VOCAB};

use crate::baselines::Standing;
use crate::document::{Block, Document, plain};
use crate::error::ReportError;
use crate::findings::{self, generated};
use crate::number::{joined, list, metric_title, whole};
use crate::settings;
use crate::study::{Study, studies};
use kinds::{question, title, varied};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Cell;
use promptshift_numbers::record::ablation::{Kind, StoredAblation, Variant};
use promptshift_numbers::record::folder::{End, StoredRecord, Unfinished};
use promptshift_numbers::stats::bootstrap::Bootstrap;
use table::{Row, Settings};

/// The report.
///
/// # Errors
/// No setting has records, or the records of a setting contradict each other.
pub fn document(stored: &StoredAblation) -> Result<Document, ReportError> {
    let settings = &stored.ablation.settings;
    let kind = stored.ablation.kind;
    let mut rows = Vec::new();
    let mut first: Option<Study> = None;
    for (setting, records) in settings.iter().zip(&stored.records) {
        if records.is_empty() {
            continue;
        }
        for study in studies(records, &[])? {
            if let Some(first) = &first {
                same_examples(first, &study)?;
            }
            for method in Method::ALL {
                let records = study.of(method);
                if !records.is_empty() {
                    rows.push(Row {
                        setting,
                        method,
                        records,
                    });
                }
            }
            first.get_or_insert(study);
        }
    }
    let first = first.ok_or(ReportError::Nothing)?;
    let table = Settings::of(rows, &first);
    let varied = varied(kind, settings);
    let (cell, metric) = (first.cell(), metric_title(table.metric.name()));
    let figure = settings::figure(
        &format!("{}.svg", kind.name()),
        title(kind),
        &varied,
        &table.panels_shown(&varied, metric),
    );
    let missing: Vec<&str> = (settings.iter().zip(&stored.records).zip(&stored.unfinished))
        .filter(|((_, records), unfinished)| records.is_empty() && unfinished.is_empty())
        .map(|((setting, _), _)| setting.folder.as_str())
        .collect();
    let unfinished: Vec<String> = (settings.iter().zip(&stored.unfinished))
        .flat_map(|(setting, cells)| cells.iter().map(|cell| without_record(setting, cell)))
        .collect();
    let mut reading = vec![
        format!(
            "**{metric}** is in percent, mean ± standard deviation over seeds. Intervals are over seeds and \
             passages: Student's t with the variance over {} resamples of whole passages, the same for every \
             setting, plus the variance between seeds.",
            whole(Bootstrap::default().resamples as f64)
        ),
        "**Verdicts** depend on the interval of the named difference on the source: agreement if the whole interval \
         is on the paper's side of zero (or of the margin that counts as small), disagreement if it is on the other \
         side, inconclusive otherwise."
            .to_owned(),
        "Every setting is tuned on the source's training rows, and its best step is chosen on source validation; \
         targets are only scored."
            .to_owned(),
    ];
    if kind == Kind::Scale {
        reading.push(
            "**Models** may differ in more than their size, for instance in pre-training text or duration."
                .to_owned(),
        );
    }
    for (standing, name, state) in [
        (
            Standing::NotAbove,
            "Not learned",
            "shown not to have learned the source: less than 2 points above the highest baseline",
        ),
        (
            Standing::Open,
            "Learning inconclusive",
            "neither shown to have learned the source nor shown not to have",
        ),
    ] {
        let settings = table.standing(standing);
        if !settings.is_empty() {
            reading.push(format!(
                "**{name}**: {} ({state}). Gaps of these settings, and differences among them, are not informative.",
                list(&settings)
            ));
        }
    }
    if !missing.is_empty() {
        reading.push(format!("**Not run yet**: {}.", list(&missing)));
    }
    if !unfinished.is_empty() {
        reading.push(format!("**Without a record**: {}.", list(&unfinished)));
    }
    let (source, targets) = (&cell.setting.source, list(&cell.setting.targets));
    let title = format!("{}: {source} → {targets}", title(kind));
    let mut blocks = vec![Block::Title(title.clone())];
    blocks.extend(generated(&cell.setting.suite));
    blocks.push(Block::text(format!("**{}**", question(kind))));
    blocks.extend(findings::blocks(&kinds::findings(kind, &table, &varied)));
    blocks.push(figure.into());
    blocks.extend(table.scores(metric));
    blocks.extend(table.costs());
    blocks.extend([
        Block::heading("How to read it"),
        Block::List(reading),
        Block::heading("Provenance"),
        Block::List(origin(&first)),
    ]);
    Ok(Document { title, blocks })
}

/// A run without a record, and why.
fn without_record(setting: &Variant, unfinished: &Unfinished) -> String {
    let Cell { method, seed, .. } = &unfinished.cell;
    let end = match &unfinished.end {
        End::Failed { reason } => format!("failed ({})", plain(reason)),
        End::Missing => "unfinished".to_owned(),
    };
    let (folder, method) = (&setting.folder, method.title());
    format!("{folder}, {method}, seed {seed}: {end}")
}

/// Checks that two studies scored the same examples.
fn same_examples(first: &Study, second: &Study) -> Result<(), ReportError> {
    let [one, other] = [first, second].map(|study| study.records()[0]);
    let ids = |stored: &StoredRecord| -> Vec<(String, Vec<String>)> {
        (stored.record.evaluations.iter().zip(&stored.predictions))
            .map(|(evaluation, predictions)| {
                let ids = predictions.iter().map(|p| p.id.clone()).collect();
                (evaluation.domain.clone(), ids)
            })
            .collect()
    };
    if ids(one) == ids(other) {
        return Ok(());
    }
    let described = |stored: &StoredRecord| {
        let sizes = (stored.record.evaluations.iter())
            .map(|evaluation| format!("{} of {}", evaluation.examples, evaluation.domain));
        joined(", ", sizes)
    };
    let field = "the list of examples".to_owned();
    Err(ReportError::mixed(
        [one, other],
        field,
        [described(one), described(other)],
    ))
}

fn origin(study: &Study) -> Vec<String> {
    let record = &study.records()[0].record;
    let (cell, from) = (&record.cell, &record.provenance);
    let rows = |limit: Option<usize>| limit.map_or("all".to_owned(), |rows| rows.to_string());
    vec![
        format!(
            "promptshift {} ({}), {}, {} threads, {}.",
            from.version, from.revision, from.device, from.threads, from.processor
        ),
        format!(
            "Suite {}, model {}; training rows: {}, rows of each evaluated split: {}.",
            cell.setting.suite,
            cell.setting.model,
            rows(cell.setting.train_rows),
            rows(cell.setting.eval_rows)
        ),
        format!("`{}`", from.command),
    ]
}
