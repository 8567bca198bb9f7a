//! The report on a study: its sections in order.

use super::comparison::Comparison;
use super::document::{Block, Document};
use super::sections::{
    calibration, cautions, cost, curves, differences, examples, groups, k_shot, leakage, matched,
    paths, provenance, published, ranking, reading, retention, robustness, runs, scales, scores,
    search, verdict, wording,
};
use super::study::Study;
use promptshift_numbers::recipe::Method;

/// A study's part of a report; `suffix` keeps the names of several studies' figures apart.
pub fn blocks(study: &Study, comparison: &Comparison, suffix: &str) -> Vec<Block> {
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
    blocks.extend(retention::blocks(results, &statistics.retention));
    blocks.extend(robustness::blocks(results, lines));
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

/// The verdict alone, for a screen.
pub fn summary(comparison: &Comparison) -> Document {
    let (results, verdicts) = (&comparison.results, &comparison.verdict);
    let title = format!("{} ({})", results.transfer(), results.model);
    Document {
        title: title.clone(),
        blocks: vec![
            Block::Title(title),
            verdict::table(comparison.evidence(), verdicts).into(),
            Block::Text(comparison.answer.join(" ")),
        ],
    }
}
