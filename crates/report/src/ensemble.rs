//! The report on an ensemble: the votes of several prompts compared with the single prompts, on source and targets.

mod votes;

use crate::document::{Block, Document, Figure, Table, or_dash};
use crate::error::ReportError;
use crate::findings::{self, Finding, Population, generated};
use crate::number::{
    bytes, difference, interval, list, metric_title, percent, share, spread, whole,
};
use crate::settings::{self, Order, Scores, Series, Varied};
use promptshift_numbers::record::ensemble::{EnsembleLine, StoredEnsemble};
use promptshift_numbers::score::Metric;
use promptshift_numbers::score::vote::Vote;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::calibration::{Outcome, calibration};
use promptshift_numbers::stats::estimate::{mean, standard_deviation};
use promptshift_numbers::stats::intervals::wilson;
use votes::{DomainResult, Rule, domain_result, votes};

/// The report.
///
/// # Errors
/// The record has no evaluation.
pub fn document(stored: &StoredEnsemble) -> Result<Document, ReportError> {
    let record = &stored.record;
    let metric = Metric::main(record.evaluations.first().ok_or(ReportError::Nothing)?.task);
    let labelled = (stored.lines.iter().flatten())
        .all(|line| line.members.iter().all(|m| !m.label_log_probs.is_empty()));
    let rules = match labelled {
        true => vec![Rule::Vote, Rule::MeanProbability],
        false => vec![Rule::Vote],
    };
    let results: Vec<DomainResult> = (stored.lines.iter())
        .map(|lines| domain_result(stored, lines, metric, &rules))
        .collect();
    let name = metric_title(metric.name());
    let targets = (record.evaluations.iter().skip(1)).map(|evaluation| evaluation.domain.as_str());
    let (count, source) = (record.members.len(), &record.source);
    let title = format!("Ensemble of {count} prompts: {source} → {}", list(targets));
    let mut blocks = vec![Block::Title(title.clone())];
    blocks.extend(generated(&record.suite));
    blocks.push(Block::text(
        "**Does an ensemble of prompts for one frozen model score higher than each prompt alone, on the \
         source and under shift?**",
    ));
    blocks.extend(findings::blocks(&findings_of(stored, &results)));
    blocks.push(figure(stored, &results, &rules, name).into());
    blocks.extend(scores(stored, &results, &rules, name));
    blocks.extend(agreement(stored));
    blocks.extend(confidence(stored));
    blocks.extend(cost(stored));
    let mut reading = vec![
        "**Majority vote**: members' answers are normalised as in SQuAD's script, and the most frequent one wins; a \
         tie goes to the answer whose voters have the highest mean log-probability. The paper only says “simple \
         majority”.",
        "**Best member** scores highest on the evaluated rows themselves, as in the paper's table; **picked** scores \
         highest on source validation and could have been selected in advance.",
        "Intervals are over passages with these members held fixed; they do not cover ensembles of other seeds.",
    ];
    if rules.contains(&Rule::MeanProbability) {
        reading.insert(
            1,
            "**Mean probability**: the mean over members of the classes' probabilities, normalised to sum to 1, if \
             classes were ranked.",
        );
    }
    let reading = reading.into_iter().map(str::to_owned);
    let origin = &record.provenance;
    blocks.extend([
        Block::heading("How to read it"),
        Block::List(reading.collect()),
        Block::heading("Provenance"),
        Block::List(vec![
            format!(
                "promptshift {} ({}), {}, {} threads, {}.",
                origin.version, origin.revision, origin.device, origin.threads, origin.processor
            ),
            format!("Suite {}, model {}.", record.suite, record.model),
            format!("`{}`", origin.command),
        ]),
    ]);
    Ok(Document { title, blocks })
}

fn findings_of(stored: &StoredEnsemble, results: &[DomainResult]) -> Vec<Finding> {
    let source = &results[0];
    let claim = |paper, what: &str, draws: Option<Draws>| {
        Finding::positive(paper, what, draws.as_ref(), Population::Passages)
    };
    vec![
        claim(
            "Five prompts of one model, voting, score above their mean: 91.3 against 90.5 on SuperGLUE \
             with XXL [MEM].",
            &format!("vote − mean of single prompts, on {}", stored.record.source),
            Some(source.gain(0)),
        ),
        claim(
            "They score above the best of them, too: 91.3 against 91.0 [MEM].",
            &format!("vote − best member, on {}", stored.record.source),
            Some(source.all(0).minus(&source.best)),
        ),
    ]
}

fn figure(
    stored: &StoredEnsemble,
    results: &[DomainResult],
    rules: &[Rule],
    metric: &str,
) -> Figure {
    let count = stored.record.members.len();
    let varied = Varied {
        name: "prompts in the ensemble (mean over all choices)".to_owned(),
        places: (1..=count).map(|size| size.to_string()).collect(),
        order: Order::Amounts,
    };
    let panel = |name: String, of: &dyn Fn(usize, usize) -> Option<Draws>| Scores {
        name,
        series: (rules.iter().enumerate())
            .map(|(rule, named)| Series {
                runs: Vec::new(),
                name: named.name().to_owned(),
                points: (0..count)
                    .map(|size| of(rule, size).map(|draws| draws.estimate_of_these_runs()))
                    .collect(),
            })
            .collect(),
        floor: None,
    };
    let mut panels = vec![panel(
        format!("{} (source), {metric}", stored.record.source),
        &|rule, size| Some(results[0].sizes[rule][size].clone()),
    )];
    if results.len() > 1 {
        let targets = match results.len() {
            2 => stored.record.evaluations[1].domain.clone(),
            more => format!("mean of {} targets", more - 1),
        };
        panels.push(panel(format!("{targets}, {metric}"), &|rule, size| {
            let all: Vec<&Draws> = results[1..].iter().map(|r| &r.sizes[rule][size]).collect();
            Draws::mean(&all)
        }));
    }
    settings::figure("ensemble.svg", "Ensembles of prompts", &varied, &panels)
}

fn scores(
    stored: &StoredEnsemble,
    results: &[DomainResult],
    rules: &[Rule],
    metric: &str,
) -> [Block; 3] {
    let gains: Vec<String> = (rules.iter())
        .map(|rule| format!("{} | gain over the mean [95 %]", rule.name()))
        .collect();
    let header = format!(
        "{metric} | mean of members | best member | picked | {} | gain over best [95 %] | gain over picked [95 %]",
        gains.join(" | ")
    );
    let rows = stored.record.evaluations.iter().zip(results);
    let rows = rows.enumerate().map(|(at, (evaluation, result))| {
        let name = match at {
            0 => format!("{} (source)", evaluation.domain),
            _ => evaluation.domain.clone(),
        };
        let centre = mean(&result.singles).unwrap_or(0.0);
        let mut cells = vec![
            name,
            spread(centre, standard_deviation(&result.singles)),
            percent(result.best.value()),
            percent(result.picked.value()),
        ];
        for rule in 0..rules.len() {
            cells.push(percent(result.all(rule).value()));
            cells.push(difference(result.gain(rule).estimate_of_these_runs()));
        }
        for single in [&result.best, &result.picked] {
            let over = result.all(0).minus(single);
            cells.push(difference(over.estimate_of_these_runs()));
        }
        cells
    });
    Block::section(
        "Scores",
        Table::of(&header).rows(rows),
        format!(
            "In percent, ± standard deviation over members; gains in points. Gains over best and picked are \
             those of the majority vote.{}",
            under_shift(results)
        ),
    )
}

/// The vote's gain averaged over targets, which the paper does not report.
fn under_shift(results: &[DomainResult]) -> String {
    let mean_gain = |gain: &dyn Fn(&DomainResult) -> Draws| {
        let gains: Vec<Draws> = results[1..].iter().map(gain).collect();
        let mean = Draws::mean(&gains.iter().collect::<Vec<_>>())?;
        Some(difference(mean.estimate_of_these_runs()))
    };
    let over_mean = mean_gain(&|result| result.gain(0));
    let over_best = mean_gain(&|result| result.all(0).minus(&result.best));
    match (over_mean, over_best) {
        (Some(over_mean), Some(over_best)) => format!(
            " Under shift, which the paper does not test with ensembles, the vote gains {over_mean} over the mean of \
             the members and {over_best} over the best member on each target, averaged over targets."
        ),
        _ => String::new(),
    }
}

fn agreement(stored: &StoredEnsemble) -> [Block; 3] {
    let count = stored.record.members.len();
    let mut header = vec!["members that agree".to_owned()];
    for evaluation in &stored.record.evaluations {
        header.push(format!("{}: examples", evaluation.domain));
        header.push("right [95 %]".to_owned());
    }
    let all: Vec<Vec<(Vote, bool)>> = stored.lines.iter().map(|lines| votes(lines)).collect();
    let rows = (1..=count).rev().map(|agreeing| {
        let mut cells = vec![format!("{agreeing} of {count}")];
        for votes in &all {
            let here = votes.iter().filter(|(vote, _)| vote.votes == agreeing);
            let right = here.clone().filter(|(_, right)| *right).count();
            let examples = here.count();
            cells.push(examples.to_string());
            cells.push(or_dash(wilson(right, examples), |range| {
                let right = percent(right as f64 / examples as f64);
                format!("{right} {}", interval(range))
            }));
        }
        cells
    });
    Block::section(
        "Disagreement as uncertainty",
        Table::new(header).rows(rows),
        "Right: exact matches in percent, with Wilson's interval over examples. The more accuracy falls with \
         disagreement, the better disagreement indicates errors.",
    )
}

fn confidence(stored: &StoredEnsemble) -> [Block; 3] {
    let header = "risk over coverage | one prompt's probability (mean of members) | \
        the vote's probability | the vote's answers by one prompt's probability";
    let rows = stored.record.evaluations.iter().zip(&stored.lines);
    let rows = rows.map(|(evaluation, lines)| {
        let area = |outcomes: Vec<Outcome>| calibration(&outcomes).map(|c| c.risk_coverage);
        let members = stored.record.members.len();
        let singles: Vec<f64> = (0..members)
            .filter_map(|member| {
                let of_line = |line: &EnsembleLine| Outcome {
                    log_prob: line.members[member].log_prob,
                    right: line.members[member].score.is_right(),
                };
                area(lines.iter().map(of_line).collect())
            })
            .collect();
        let votes = votes(lines);
        let voted = |(vote, right): &(Vote, bool)| Outcome {
            log_prob: vote.confidence.max(f64::MIN_POSITIVE).ln(),
            right: *right,
        };
        let together = area(votes.iter().map(voted).collect());
        let most_sure = |((vote, right), line): (&(Vote, bool), &EnsembleLine)| Outcome {
            log_prob: line.members[vote.winner].log_prob,
            right: *right,
        };
        let alone = area(votes.iter().zip(lines).map(most_sure).collect());
        let shown = |area: Option<f64>| or_dash(area, percent);
        vec![
            evaluation.domain.clone(),
            shown(mean(&singles)),
            shown(together),
            shown(alone),
        ]
    });
    Block::section(
        "Which confidence ranks best?",
        Table::of(header).rows(rows),
        "Area under the risk–coverage curve in percent, lower is better: the mean share of wrong answers among the \
         most confident ones. The vote's probability is the mean over members, with 0 for members that answered \
         differently; the last column ranks the same answers by their most confident voter.",
    )
}

fn cost(stored: &StoredEnsemble) -> [Block; 3] {
    let record = &stored.record;
    let count = record.members.len();
    let parameters: usize = record.members.iter().map(|member| member.parameters).sum();
    let together: Option<f64> = record.evaluations.iter().map(|e| e.seconds).sum();
    let apart: f64 = record.members.iter().map(|member| member.seconds).sum();
    let peak = record.evaluations.iter().filter_map(|e| e.peak_bytes).max();
    let backbone = record.backbone_parameters;
    let total = backbone + parameters;
    let largest = record.members.iter().map(|member| member.parameters).max();
    let models = count * backbone.max(largest.unwrap_or(0));
    let examples: usize = record.evaluations.iter().map(|e| e.examples).sum();
    let header =
        "way | models loaded | parameters in memory | seconds for all examples | peak host memory";
    let row = |way: String, models: usize, parameters: usize, seconds: Option<f64>, peak| {
        vec![
            way,
            models.to_string(),
            whole(parameters as f64),
            or_dash(seconds, |seconds| format!("{seconds:.1}")),
            or_dash(peak, bytes),
        ]
    };
    // Ensembles have had no joint batch since version 2.
    let batch = together.map(|seconds| {
        let way = format!("{count} prompts in one batch");
        row(way, 1, total, Some(seconds), peak)
    });
    let one_by_one = format!("{count} prompts one after the other");
    let rows = batch.into_iter().chain([
        row(one_by_one, 1, total, Some(apart), None),
        row(format!("{count} tuned models"), count, models, None, None),
    ]);
    Block::section(
        "Cost",
        Table::of(header).rows(rows),
        format!(
            "{} examples. One model with all prompts has {} of the parameters of {count} models. Seconds one after \
             the other are from the members' own records, which may be from another time or machine, and exclude the \
             probabilities of class labels; every way computes each example {count} times.",
            whole(examples as f64),
            share(total as f64 / models as f64)
        ),
    )
}

#[cfg(test)]
mod tests;
