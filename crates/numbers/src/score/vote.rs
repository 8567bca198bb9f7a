//! The vote of several members on one example (Lester et al. 2021, §6: a simple majority). The paper does not say how
//! it handles ties and free text: here votes are normalised answers, and a tie goes to the answer whose voters are
//! the most confident.

use super::answer::normalize;

/// One member's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ballot<'a> {
    /// The generated text.
    pub text: &'a str,
    /// The natural log-probability of its tokens.
    pub log_prob: f64,
}

/// The result of a vote.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vote {
    /// The index of the winning ballot: the most confident voter for the winning answer, the first among equals.
    pub winner: usize,
    /// The number of votes for it.
    pub votes: usize,
    /// The mean probability of the answer over all members, with 0 for those who voted otherwise: `Σ exp(log_prob)`
    /// of its voters divided by the number of members, in [0, 1].
    pub confidence: f64,
}

/// The majority of the [normalised](normalize) answers; a tie goes to the answer with the highest mean
/// log-probability over its voters, and then to the earliest one. `None` without ballots.
pub fn majority(ballots: &[Ballot]) -> Option<Vote> {
    let mut answers: Vec<(String, Vec<usize>)> = Vec::new();
    for (voter, ballot) in ballots.iter().enumerate() {
        let answer = normalize(ballot.text, None);
        match answers.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, voters)) => voters.push(voter),
            None => answers.push((answer, vec![voter])),
        }
    }
    let sureness = |voters: &[usize]| {
        let sum: f64 = voters.iter().map(|&voter| ballots[voter].log_prob).sum();
        sum / voters.len() as f64
    };
    // `max_by` takes the last of equals, so the order is reversed.
    let (_, voters) = answers.iter().rev().max_by(|(_, one), (_, other)| {
        let by_votes = one.len().cmp(&other.len());
        by_votes.then(sureness(one).total_cmp(&sureness(other)))
    })?;
    let surest = |one: &&usize, other: &&usize| {
        let [one, other] = [one, other].map(|voter| ballots[**voter].log_prob);
        one.total_cmp(&other)
    };
    let given: f64 = voters.iter().map(|&v| ballots[v].log_prob.exp()).sum();
    Some(Vote {
        winner: *voters.iter().rev().max_by(surest)?,
        votes: voters.len(),
        confidence: given / ballots.len() as f64,
    })
}

/// The class with the highest mean probability over members, after normalising each member's probabilities to sum to
/// 1; the first among equals. `None` without members or classes.
///
/// `members` has the log-probability of each class, in the same order for all members.
pub fn mean_probability(members: &[&[f64]]) -> Option<usize> {
    let classes = members.first()?.len();
    let mut sums = vec![0.0; classes];
    for member in members {
        let highest = member.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = member.iter().map(|log| (log - highest).exp()).collect();
        let total: f64 = weights.iter().sum();
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum += weight / total;
        }
    }
    (0..classes)
        .rev()
        .max_by(|&one, &other| sums[one].total_cmp(&sums[other]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ballots<'a>(given: &[(&'a str, f64)]) -> Vec<Ballot<'a>> {
        (given.iter())
            .map(|&(text, log_prob)| Ballot { text, log_prob })
            .collect()
    }

    #[test]
    fn most_votes_win_after_normalisation_and_the_most_confident_voter_represents_them() {
        let vote = majority(&ballots(&[
            ("red barn", -0.1),
            ("The mill.", -2.0),
            ("mill", -1.0),
        ]));
        let vote = vote.expect("three ballots");
        assert_eq!((vote.winner, vote.votes), (2, 2));
        let given = ((-2.0_f64).exp() + (-1.0_f64).exp()) / 3.0;
        assert!((vote.confidence - given).abs() < 1e-12);
    }

    #[test]
    fn ties_go_to_the_more_confident_then_to_the_first() {
        // Means -1.5 and -1.0; a sum or a maximum would take the first pair.
        let tied = ballots(&[("a b", -0.2), ("a b", -2.8), ("c", -1.0), ("c", -1.0)]);
        assert_eq!(majority(&tied).expect("four").winner, 2);
        let equal = ballots(&[("red", -1.0), ("blue", -1.0)]);
        assert_eq!(majority(&equal).expect("two").winner, 0);
        assert_eq!(majority(&[]), None);
    }

    #[test]
    fn probabilities_are_averaged_rather_than_their_logarithms() {
        // Probabilities of class 1: 0.4, 0.4, 0.9, mean 0.57; votes would take class 0.
        let members = [[0.6, 0.4], [0.6, 0.4], [0.1, 0.9]].map(|p: [f64; 2]| p.map(f64::ln));
        let members: Vec<&[f64]> = members.iter().map(|m| m.as_slice()).collect();
        assert_eq!(mean_probability(&members), Some(1));
        // Probability outside the classes is ignored: 0.02 and 0.01 become 2/3 and 1/3.
        let weak = [[0.02, 0.01], [0.45, 0.55]].map(|p: [f64; 2]| p.map(f64::ln));
        let weak: Vec<&[f64]> = weak.iter().map(|m| m.as_slice()).collect();
        assert_eq!(mean_probability(&weak), Some(0));
        assert_eq!(mean_probability(&[]), None);
        assert_eq!(mean_probability(&[&[]]), None);
    }

    proptest! {
        #[test]
        fn no_answer_has_more_votes_and_order_does_not_matter(
            texts in prop::collection::vec("[bc]", 1..7),
            turn in 0_usize..7,
        ) {
            // Powers of two: no two groups of voters are equally confident.
            let cast: Vec<Ballot> = (texts.iter().enumerate())
                .map(|(i, text)| Ballot { text, log_prob: -f64::from(1 << i) / 64.0 })
                .collect();
            let vote = majority(&cast).expect("at least one");
            let winner = cast[vote.winner].text;
            let votes = |word: &str| texts.iter().filter(|text| *text == word).count();
            prop_assert_eq!(vote.votes, votes(winner));
            prop_assert_eq!(vote.votes, votes("b").max(votes("c")));
            let mut turned = cast.clone();
            turned.rotate_left(turn % cast.len());
            let again = majority(&turned).expect("at least one");
            prop_assert_eq!(turned[again.winner].text, winner);
        }
    }
}
