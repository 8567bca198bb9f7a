//! The scores of votes on one domain, for every subset of members.

use promptshift_numbers::record::Score;
use promptshift_numbers::record::ensemble::{EnsembleLine, MemberLine, StoredEnsemble};
use promptshift_numbers::score::Metric;
use promptshift_numbers::score::vote::{Ballot, Vote, majority, mean_probability};
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws};
use promptshift_numbers::stats::panel::{Panel, Sample};

/// How the members' answers are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// [`majority`].
    Vote,
    /// [`mean_probability`].
    MeanProbability,
}

impl Rule {
    pub fn name(self) -> &'static str {
        match self {
            Rule::Vote => "majority vote",
            Rule::MeanProbability => "mean probability",
        }
    }
}

/// The scores on one domain.
pub(super) struct DomainResult {
    /// Each member's score.
    pub singles: Vec<f64>,
    /// For each rule and for 1, 2, … N members: the mean over all subsets of that size.
    pub sizes: Vec<Vec<Draws>>,
    /// The member with the highest score here, which is not known in advance.
    pub best: Draws,
    /// The member with the highest score on source validation.
    pub picked: Draws,
}

/// The score of the combined answer of some members to one example.
fn decided(members: &[&MemberLine], rule: Rule) -> Score {
    let vote = || members[vote(members).winner].score;
    match rule {
        Rule::Vote => vote(),
        Rule::MeanProbability => {
            let given: Vec<&[f64]> = members.iter().map(|one| &*one.label_log_probs).collect();
            let score = members[0].score.answering(mean_probability(&given));
            score.unwrap_or_else(vote)
        }
    }
}

fn vote(members: &[&MemberLine]) -> Vote {
    let ballots = members.iter().map(|member| Ballot {
        text: &member.prediction,
        log_prob: member.log_prob,
    });
    majority(&ballots.collect::<Vec<_>>()).expect("an ensemble has members")
}

pub(super) fn domain_result(
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
    let score = |member: usize| {
        let scores = lines.iter().map(|line| line.members[member].score);
        metric.value(&scores.collect::<Vec<_>>())
    };
    let singles: Vec<f64> = (0..members.len()).map(score).collect();
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
    Sample::new(seed, line.passage.as_str(), metric.contribution(&score))
}

impl DomainResult {
    /// The score of a rule with all members.
    pub fn all(&self, rule: usize) -> &Draws {
        self.sizes[rule].last().expect("at least one member")
    }

    /// The mean of the single members.
    pub fn single(&self) -> &Draws {
        &self.sizes[0][0]
    }

    pub fn gain(&self, rule: usize) -> Draws {
        self.all(rule).minus(self.single())
    }
}

/// The vote on each line, and whether it is right.
pub(super) fn votes(lines: &[EnsembleLine]) -> Vec<(Vote, bool)> {
    let of_line = |line: &EnsembleLine| {
        let members: Vec<&MemberLine> = line.members.iter().collect();
        let vote = vote(&members);
        (vote, members[vote.winner].score.is_right())
    };
    lines.iter().map(of_line).collect()
}

/// All subsets are used up to this number of members; with more, only single members and the first k.
const COUNTED: usize = 8;

/// Every non-empty subset of `count` members, in ascending order; for more than [`COUNTED`] members, every single
/// member and the first two, three, … members.
fn subsets(count: usize) -> Vec<Vec<usize>> {
    if count > COUNTED {
        let singles = (0..count).map(|member| vec![member]);
        let first = (2..=count).map(|size| (0..size).collect());
        return singles.chain(first).collect();
    }
    (1_usize..1 << count)
        .map(|choice| (0..count).filter(|m| (choice >> m) & 1 == 1).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subset_occurs_once() {
        assert_eq!(subsets(2), [vec![0], vec![1], vec![0, 1]]);
        let all = subsets(5);
        let of_size = |size| all.iter().filter(|choice| choice.len() == size).count();
        assert_eq!([1, 2, 3, 4, 5].map(of_size), [5, 10, 10, 5, 1]);
        let many = subsets(9);
        assert_eq!(many.len(), 9 + 8);
        assert_eq!(many[16], (0..9).collect::<Vec<_>>());
    }
}
