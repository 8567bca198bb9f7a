//! The nine domains of the miniature suite, one file each.

mod bioasq;
mod drop;
mod duorc;
mod lists;
mod mrpc;
mod qqp;
mod race;
mod relation_extraction;
mod squad;
mod textbookqa;

use super::grammar::Reading;
use super::pairs::Pairing;

/// One domain of the miniature suite.
#[derive(Debug)]
pub struct Domain {
    /// The name of the data set that the domain imitates.
    pub name: &'static str,
    /// How the domain differs from the others, for a reader.
    pub about: &'static str,
    pub(super) task: Task,
}

/// What the examples of a domain are.
#[derive(Debug)]
pub(super) enum Task {
    /// Questions about a passage.
    Reading(Reading),
    /// Pairs of sentences with a label.
    Pairs(Pairing),
}

impl Domain {
    /// The least and the most facts of a passage; `None` for the pairs of sentences.
    pub fn facts(&self) -> Option<(usize, usize)> {
        match &self.task {
            Task::Reading(reading) => Some(reading.facts),
            Task::Pairs(_) => None,
        }
    }
}

static DOMAINS: [Domain; 9] = [
    squad::DOMAIN,
    textbookqa::DOMAIN,
    bioasq::DOMAIN,
    race::DOMAIN,
    relation_extraction::DOMAIN,
    duorc::DOMAIN,
    drop::DOMAIN,
    qqp::DOMAIN,
    mrpc::DOMAIN,
];

/// Every domain: the source `squad` first, then the reading targets, then the pairs.
pub fn domains() -> &'static [Domain] {
    &DOMAINS
}
