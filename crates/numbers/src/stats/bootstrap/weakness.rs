//! Where an interval is not what its 95 % say.

use serde::Serialize;

use super::draws::Draws;
use super::interval::Score;

/// Why an interval may hold the truth less often, or be wider, than it should. `docs/methodology.md` has the
/// measured coverage of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weakness {
    /// One passage: nothing can be said about others.
    OnePassage,
    /// A method has one run, and no other method's runs could lend their spread.
    OneSeed,
    /// A method has one run, and its spread is that of other methods' runs.
    Borrowed,
    /// A method has two runs: their variance has one degree of freedom.
    TwoSeeds,
    /// Fewer than 20 passages, each counted as much as it weighs.
    FewPassages,
    /// A score is exactly 0 or 1, so that nothing varies.
    AtBound,
}

/// As few passages as have been simulated.
pub const FEW: f64 = 20.0;

impl Weakness {
    /// What it means for the interval.
    pub fn meaning(self) -> &'static str {
        match self {
            Weakness::OnePassage => {
                "one passage cannot show how another would turn out: the interval cannot be estimated"
            }
            Weakness::OneSeed => {
                "one run cannot show how another would turn out: the interval speaks of these runs alone, and holds \
                 the mean over seeds in as few as 70 of 100 studies"
            }
            Weakness::Borrowed => {
                "one run cannot show how another would turn out, so its spread is taken from the other methods' runs: \
                 the interval holds the mean over seeds in 95 of 100 studies if the methods are alike in that, and in 79 if \
                 its runs differ ten times as much"
            }
            Weakness::TwoSeeds => {
                "two runs show their spread so badly that the interval is some six times as wide as with many, and \
                 holds the mean over seeds in up to 99 of 100 studies"
            }
            Weakness::FewPassages => {
                "with fewer than 20 passages of like size the interval rests on a normal approximation that has not \
                 been checked"
            }
            Weakness::AtBound => {
                "all answers are right, or all wrong: the interval is Wilson's with one independent answer for each \
                 passage"
            }
        }
    }
}

impl Draws {
    /// What is weak about the interval, the gravest first; empty where simulated studies held the truth in 93 to 97
    /// of 100.
    pub fn weaknesses(&self) -> Vec<Weakness> {
        let runs = || self.strata.iter().map(|stratum| stratum.runs.len());
        let is_lent = || {
            self.strata
                .iter()
                .flat_map(|stratum| &stratum.runs)
                .any(|run| run.lent.is_some())
        };
        let found = [
            (Weakness::OnePassage, self.passages <= 1.0),
            (Weakness::OneSeed, runs().any(|count| count == 1)),
            (Weakness::Borrowed, is_lent()),
            (Weakness::TwoSeeds, runs().any(|count| count == 2)),
            (
                Weakness::FewPassages,
                self.passages > 1.0 && self.passages < FEW,
            ),
            (
                Weakness::AtBound,
                self.scores.iter().any(Score::is_at_bound),
            ),
        ];
        found
            .into_iter()
            .filter(|(_, is_so)| *is_so)
            .map(|(weakness, _)| weakness)
            .collect()
    }
}
