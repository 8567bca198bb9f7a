//! The report on records: one part for each study, its sections in order.

use crate::comparison::{Comparison, compare};
use crate::document::{Block, Document};
use crate::error::ReportError;
use crate::sections::{
    calibration, cautions, cost, curves, differences, examples, groups, k_shot, leakage, matched,
    paths, provenance, published, ranking, reading, robustness, runs, scales, scores, search,
    verdict, wording,
};
use crate::study::{Study, studies};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::{StoredRecord, Unfinished};

/// The analysis of records, which takes most of a report's time, and the report.
pub struct Analysis {
    /// The analysis of each study.
    pub comparisons: Vec<Comparison>,
    /// The report on all studies.
    pub document: Document,
}

/// Analyses records and writes the report. Unfinished cells, which were started and have no record, are listed in it.
///
/// # Errors
/// There are no records, or some contradict each other.
pub fn analyse(
    records: &[StoredRecord],
    unfinished: &[Unfinished],
) -> Result<Analysis, ReportError> {
    let studies = studies(records, unfinished)?;
    let comparisons = studies.iter().map(compare).collect::<Result<Vec<_>, _>>()?;
    let worded = comparisons.iter();
    let worded = worded.map(|one| (&one.results, one.statistics.calibration.as_slice()));
    let mut blocks = wording::side_by_side(&worded.collect::<Vec<_>>());
    for (number, (study, comparison)) in studies.iter().zip(&comparisons).enumerate() {
        let suffix = match studies.len() {
            1 => String::new(),
            _ => format!("-{}", number + 1),
        };
        blocks.extend(part(study, comparison, &suffix));
    }
    let title = match comparisons.as_slice() {
        [one] => one.results.transfer(),
        many => format!("{} transfers", many.len()),
    };
    Ok(Analysis {
        comparisons,
        document: Document { title, blocks },
    })
}

/// Comparisons as pretty JSON: scores in [0, 1], units in the keys.
pub fn json(comparisons: &[Comparison]) -> String {
    serde_json::to_string_pretty(comparisons).expect("a comparison is plain data")
}

/// The part of a report on one study; `suffix` distinguishes the names of its figures from those of other studies.
fn part(study: &Study, comparison: &Comparison, suffix: &str) -> Vec<Block> {
    let Comparison {
        results,
        statistics,
        ..
    } = comparison;
    let mut blocks = vec![Block::Title(results.transfer())];
    blocks.extend(reading::generated(results));
    let answer = &comparison.answer;
    let evidence = comparison.evidence();
    let verdicts = &comparison.verdict;
    blocks.extend(verdict::blocks(evidence, verdicts, answer));
    blocks.extend(wording::caption(results).map(Block::Text));
    let lines = &statistics.robustness;
    blocks.extend(matched::blocks(
        results,
        &statistics.matched,
        &statistics.unmatched,
        |method| verdict::says(results, verdicts, method, |one| one.same_source),
    ));
    blocks.extend(paths::blocks(results, &statistics.paths, lines, suffix));
    blocks.extend(scores::blocks(results, suffix));
    blocks.extend(differences::blocks(results, &statistics.against_model));
    let compared = statistics.against_model.iter().map(|tests| tests.method);
    let compared: Vec<Method> = compared.collect();
    blocks.extend(scales::blocks(
        results,
        &compared,
        &statistics.scales,
        |method| verdict::says(results, verdicts, method, |one| one.finished),
    ));
    blocks.extend(published::blocks(results));
    let k_shots = comparison.k_shots.iter();
    blocks.extend(k_shots.flat_map(|found| k_shot::blocks(results, found, suffix)));
    blocks.extend(robustness::blocks(results, &statistics.retention, lines));
    blocks.extend(published::models::blocks(
        results,
        &statistics.published,
        suffix,
    ));
    blocks.extend(groups::blocks(results, &statistics.groups));
    blocks.extend(calibration::blocks(
        results,
        &statistics.calibration,
        suffix,
    ));
    blocks.extend(ranking::blocks(results, &statistics.ranking));
    let right = &statistics.runs;
    blocks.extend(runs::blocks(study, results, right, &statistics.spreads));
    blocks.extend(curves::blocks(study, results, suffix));
    blocks.extend(search::blocks(results, &statistics.searches, suffix));
    blocks.extend(cost::blocks(study, results, suffix));
    blocks.extend(leakage::blocks(study));
    blocks.extend(examples::blocks(study, results));
    blocks.extend(reading::blocks(results, &statistics.searches));
    blocks.extend(cautions::blocks(&comparison.cautions));
    blocks.extend(provenance::blocks(study, results));
    blocks
}

/// The verdict only, for the terminal.
pub fn summary(comparison: &Comparison) -> Document {
    let (results, verdicts) = (&comparison.results, &comparison.verdict);
    let title = format!("{} ({})", results.transfer(), results.model_title);
    Document {
        title: title.clone(),
        blocks: vec![
            Block::Title(title),
            verdict::table(comparison.evidence(), verdicts).into(),
            Block::Text(comparison.answer.join(" ")),
        ],
    }
}
