//! The report of an ensemble: many prompts' votes beside the prompts themselves, on source and targets.

mod subsets;

use super::error::ReportError;
use super::figures::places::{self, Axis, Order, Scores, Series};
use super::markdown::table::{TextTable, UNDEFINED};
use super::number::{
    bytes, difference, interval, list, metric_title, percent, share, spread, whole,
};
use super::sheet::{Finding, Population, Section, Sheet, generated};
use promptshift_numbers::record::Score;
use promptshift_numbers::record::ensemble::{EnsembleLine, MemberLine, StoredEnsemble};
use promptshift_numbers::score::Metric;
use promptshift_numbers::score::vote::{Ballot, Vote, majority, mean_probability};
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws};
use promptshift_numbers::stats::calibration::{Outcome, calibration};
use promptshift_numbers::stats::estimate::{mean, standard_deviation};
use promptshift_numbers::stats::panel::{Panel, Sample};
use promptshift_numbers::stats::proportion::wilson;
use subsets::subsets;

/// How members' answers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// [`majority`].
    Vote,
    /// [`mean_probability`].
    MeanProbability,
}

impl Rule {
    fn name(self) -> &'static str {
        match self {
            Rule::Vote => "majority vote",
            Rule::MeanProbability => "mean probability",
        }
    }
}

/// What each rule scores on one domain with so many members.
struct DomainResult {
    /// Each member's score.
    singles: Vec<f64>,
    /// By rule, for 1, 2, … N members: the mean over all choices of so many.
    sizes: Vec<Vec<Draws>>,
    /// The member with the highest score here, which nobody knows beforehand.
    best: Draws,
    /// The member with the highest score on source validation.
    picked: Draws,
}

/// The report.
///
/// # Errors
/// A figure can't be drawn.
pub fn sheet(stored: &StoredEnsemble) -> Result<Sheet, ReportError> {
    let record = &stored.record;
    let metric = Metric::main(record.evaluations.first().ok_or(ReportError::Nothing)?.task);
    let labelled = (stored.lines.iter().flatten())
        .all(|line| line.members.iter().all(|m| !m.label_log_probs.is_empty()));
    let rules = match labelled {
        true => vec![Rule::Vote, Rule::MeanProbability],
        false => vec![Rule::Vote],
    };
    let results: Vec<DomainResult> = stored
        .lines
        .iter()
        .map(|lines| domain_result(stored, lines, metric, &rules))
        .collect();
    let title = metric_title(metric.name());
    let targets: Vec<&str> = (record.evaluations.iter().skip(1))
        .map(|evaluation| evaluation.domain.as_str())
        .collect();
    Ok(Sheet {
        title: format!(
            "Ensemble of {} prompts: {} → {}",
            record.members.len(),
            record.source,
            list(&targets)
        ),
        question: "Do several prompts over one frozen model answer better together than each by \
                   itself, on their source and under shift?"
            .to_owned(),
        note: generated(&record.suite),
        findings: findings(stored, &results),
        figures: vec![figure(stored, &results, &rules, title)?],
        sections: vec![
            scores(stored, &results, &rules, title),
            agreement(stored),
            confidence(stored),
            cost(stored),
        ],
        reading: vec![
            "**Majority vote**: members' answers are normalised as SQuAD's script does, and the one given \
             most often wins; a tie goes to the answer whose voters have the highest mean \
             log-probability. The paper says no more than “simple majority”."
                .to_owned(),
            "**Mean probability**: each member's probabilities of the class labels, made to sum to 1, \
             are averaged; for classes only."
                .to_owned(),
            "**Best member** is the one that scores highest on the very rows that are scored, as in the \
             paper's table; **picked** is the one with the highest score on source validation, which \
             is all that could be known."
                .to_owned(),
            "Intervals are over passages, with these members as they are: another set of seeds is another \
             ensemble."
                .to_owned(),
        ],
        origin: vec![
            format!(
                "promptshift {} ({}), {}, {} threads, {}.",
                record.provenance.version,
                record.provenance.revision,
                record.provenance.device,
                record.provenance.threads,
                record.provenance.processor
            ),
            format!("Suite {}, model {}.", record.suite, record.model),
            format!("`{}`", record.provenance.command),
        ],
    })
}

/// The answer of some members to one example, and what it is worth.
fn decided(members: &[&MemberLine], rule: Rule) -> Score {
    let vote = || members[vote(members).winner].score;
    match rule {
        Rule::Vote => vote(),
        Rule::MeanProbability => {
            let given: Vec<&[f64]> = members
                .iter()
                .map(|member| member.label_log_probs.as_slice())
                .collect();
            match (mean_probability(&given), members[0].score) {
                (class, Score::Label { gold, .. }) => Score::Label {
                    gold,
                    predicted: class,
                },
                (class, Score::Option { question, gold, .. }) => Score::Option {
                    question,
                    gold,
                    predicted: class,
                },
                (_, Score::Span { .. }) => vote(),
            }
        }
    }
}

fn vote(members: &[&MemberLine]) -> Vote {
    let ballots: Vec<Ballot> = members
        .iter()
        .map(|member| Ballot {
            text: &member.prediction,
            log_prob: member.log_prob,
        })
        .collect();
    majority(&ballots).expect("an ensemble has members")
}

fn domain_result(
    stored: &StoredEnsemble,
    lines: &[EnsembleLine],
    metric: Metric,
    rules: &[Rule],
) -> DomainResult {
    let members = &stored.record.members;
    let choices = subsets(members.len());
    let mut runs: Vec<Vec<Sample>> = Vec::new();
    for rule in rules {
        for size in 1..=members.len() {
            let of_size = choices.iter().filter(|choice| choice.len() == size);
            let samples = of_size.enumerate().flat_map(|(run, choice)| {
                lines.iter().map(move |line| {
                    let chosen: Vec<&MemberLine> =
                        choice.iter().map(|&member| &line.members[member]).collect();
                    sample(metric, run as u64, line, decided(&chosen, *rule))
                })
            });
            runs.push(samples.collect());
        }
    }
    let single = |member: usize| -> Vec<Sample> {
        (lines.iter())
            .map(|line| sample(metric, 0, line, line.members[member].score))
            .collect()
    };
    let singles: Vec<f64> = (0..members.len())
        .map(|member| {
            let scores: Vec<Score> = lines.iter().map(|l| l.members[member].score).collect();
            metric.value(&scores)
        })
        .collect();
    let highest = |scores: &[f64]| {
        (0..scores.len())
            .rev()
            .max_by(|&one, &other| scores[one].total_cmp(&scores[other]))
            .expect("an ensemble has members")
    };
    let validation: Vec<f64> = members.iter().map(|m| m.validation_score).collect();
    runs.push(single(highest(&singles)));
    runs.push(single(highest(&validation)));
    let mut scored = Bootstrap::default().scores(&[Panel::new(&runs)]);
    let mut draws: Vec<Draws> = (scored.remove(0).into_iter())
        .map(|draws| draws.expect("every domain has examples"))
        .collect();
    let picked = draws.pop().expect("pushed last");
    let best = draws.pop().expect("pushed before");
    DomainResult {
        singles,
        sizes: draws.chunks(members.len()).map(<[Draws]>::to_vec).collect(),
        best,
        picked,
    }
}

fn sample(metric: Metric, seed: u64, line: &EnsembleLine, score: Score) -> Sample {
    let part = metric.contribution(&score);
    Sample {
        seed,
        cluster: line.passage.clone(),
        numerator: part.numerator,
        denominator: part.denominator,
    }
}

impl DomainResult {
    /// A rule's score with all members.
    fn all(&self, rule: usize) -> &Draws {
        self.sizes[rule].last().expect("at least one member")
    }

    /// The mean of the members by themselves.
    fn single(&self) -> &Draws {
        &self.sizes[0][0]
    }

    fn gain(&self, rule: usize) -> Draws {
        self.all(rule).minus(self.single())
    }
}

fn findings(stored: &StoredEnsemble, results: &[DomainResult]) -> Vec<Finding> {
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
) -> Result<super::figures::Figure, ReportError> {
    let count = stored.record.members.len();
    let axis = Axis {
        name: "prompts that vote (mean of all choices of so many)".to_owned(),
        places: (1..=count).map(|size| size.to_string()).collect(),
        order: Order::Amounts,
    };
    let frame = |name: String, of: &dyn Fn(usize, usize) -> Option<Draws>| Scores {
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
    let mut frames = vec![frame(
        format!("{} (source), {metric}", stored.record.source),
        &|rule, size| Some(results[0].sizes[rule][size].clone()),
    )];
    if results.len() > 1 {
        let targets = match results.len() {
            2 => stored.record.evaluations[1].domain.clone(),
            more => format!("mean of {} targets", more - 1),
        };
        frames.push(frame(format!("{targets}, {metric}"), &|rule, size| {
            let all: Vec<&Draws> = results[1..].iter().map(|r| &r.sizes[rule][size]).collect();
            Draws::mean(&all)
        }));
    }
    places::draw("ensemble.svg", "Prompts voting together", &axis, &frames)
}

fn scores(
    stored: &StoredEnsemble,
    results: &[DomainResult],
    rules: &[Rule],
    metric: &str,
) -> Section {
    let mut header = vec![
        metric.to_owned(),
        "mean of members".to_owned(),
        "best member".to_owned(),
        "picked".to_owned(),
    ];
    for rule in rules {
        header.extend([
            rule.name().to_owned(),
            "gain over the mean [95 %]".to_owned(),
        ]);
    }
    header.push("gain over best [95 %]".to_owned());
    header.push("gain over picked [95 %]".to_owned());
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
    Section {
        heading: "Scores".to_owned(),
        table: TextTable {
            words: &[0],
            rows: rows.collect(),
            header,
        },
        words: format!(
            "In percent, ± standard deviation over members; gains in points, over best and picked those of the \
             vote.{}",
            under_shift(results)
        ),
    }
}

/// The vote's gain on average over targets, of which the paper has none.
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
            " Under shift, where the paper has no ensembles, the vote gains {over_mean} over the mean of the \
             members and {over_best} over the best of each target, on average over targets."
        ),
        _ => String::new(),
    }
}

/// Whether a score is that of a right answer.
fn is_right(score: &Score) -> bool {
    match *score {
        Score::Span { exact_match, .. } => exact_match == 1.0,
        Score::Label { gold, predicted }
        | Score::Option {
            gold, predicted, ..
        } => predicted == Some(gold),
    }
}

/// One vote a line: how many agreed, how sure they are, whether they are right.
fn votes(lines: &[EnsembleLine]) -> Vec<(Vote, bool)> {
    lines
        .iter()
        .map(|line| {
            let members: Vec<&MemberLine> = line.members.iter().collect();
            let vote = vote(&members);
            (vote, is_right(&members[vote.winner].score))
        })
        .collect()
}

fn agreement(stored: &StoredEnsemble) -> Section {
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
            cells.push(
                wilson(right, examples).map_or(UNDEFINED.to_owned(), |range| {
                    format!(
                        "{} {}",
                        percent(right as f64 / examples as f64),
                        interval(range)
                    )
                }),
            );
        }
        cells
    });
    Section {
        heading: "Disagreement as uncertainty".to_owned(),
        table: TextTable {
            words: &[0],
            rows: rows.collect(),
            header,
        },
        words:
            "Right: exactly a right answer, in percent with Wilson's interval over examples. How \
                much less often an answer is right where members disagree is how good a warning \
                disagreement is."
                .to_owned(),
    }
}

fn confidence(stored: &StoredEnsemble) -> Section {
    let header = [
        "risk over coverage",
        "one prompt's probability (mean of members)",
        "the vote's probability",
        "the vote's answers by one prompt's probability",
    ];
    let rows = stored.record.evaluations.iter().zip(&stored.lines);
    let rows = rows.map(|(evaluation, lines)| {
        let area = |outcomes: Vec<Outcome>| calibration(&outcomes).map(|c| c.risk_coverage);
        let members = stored.record.members.len();
        let singles: Vec<f64> = (0..members)
            .filter_map(|member| {
                let of_line = |line: &EnsembleLine| Outcome {
                    log_prob: line.members[member].log_prob,
                    right: is_right(&line.members[member].score),
                };
                area(lines.iter().map(of_line).collect())
            })
            .collect();
        let votes = votes(lines);
        let together = area(
            (votes.iter())
                .map(|(vote, right)| Outcome {
                    log_prob: vote.confidence.max(f64::MIN_POSITIVE).ln(),
                    right: *right,
                })
                .collect(),
        );
        let alone = area(
            (votes.iter().zip(lines))
                .map(|((vote, right), line)| Outcome {
                    log_prob: line.members[vote.winner].log_prob,
                    right: *right,
                })
                .collect(),
        );
        let shown = |area: Option<f64>| area.map_or(UNDEFINED.to_owned(), percent);
        vec![
            evaluation.domain.clone(),
            shown(mean(&singles)),
            shown(together),
            shown(alone),
        ]
    });
    Section {
        heading: "Which confidence ranks best".to_owned(),
        table: TextTable {
            words: &[0],
            rows: rows.collect(),
            header: header.map(str::to_owned).to_vec(),
        },
        words: "Area under the risk-coverage curve in percent, lower is better: the mean share of wrong \
                answers among the surest ones. The vote's probability counts members who answered \
                otherwise as giving none; the last column ranks the same answers by their surest \
                voter alone."
            .to_owned(),
    }
}

fn cost(stored: &StoredEnsemble) -> Section {
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
    let row = |name: &str, cells: [String; 4]| {
        let mut row = vec![name.to_owned()];
        row.extend(cells);
        row
    };
    let none = || UNDEFINED.to_owned();
    Section {
        heading: "What it cost".to_owned(),
        table: TextTable {
            words: &[0],
            header: [
                "way",
                "models loaded",
                "parameters in memory",
                "seconds for all examples",
                "peak memory",
            ]
            .map(str::to_owned)
            .to_vec(),
            rows: vec![
                row(
                    &format!("{count} prompts in one batch"),
                    [
                        "1".to_owned(),
                        whole(total as f64),
                        together.map_or_else(none, |seconds| format!("{seconds:.1}")),
                        peak.map_or_else(none, bytes),
                    ],
                ),
                row(
                    &format!("{count} prompts one after the other"),
                    [
                        "1".to_owned(),
                        whole(total as f64),
                        format!("{apart:.1}"),
                        none(),
                    ],
                ),
                row(
                    &format!("{count} tuned models"),
                    [count.to_string(), whole(models as f64), none(), none()],
                ),
            ],
        },
        words: format!(
            "{} examples. One batch holds {} of the parameters of {count} models. Seconds one after the \
             other are those of the members' own records, which may be of another hour or machine, and \
             leave out the class labels' probabilities; every way computes each example {count} times.",
            whole(examples as f64),
            share(total as f64 / models as f64)
        ),
    }
}

#[cfg(test)]
mod tests;
