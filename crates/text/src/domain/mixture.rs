//! A mixture: several source domains as one, sharing whatever is tuned.
//!
//! Domains are mixed as T5 mixes tasks (Raffel et al. 2020, arXiv 1910.10683, §3.5.2; seqio's
//! `mixing_rate_num_examples`): examples of domain m are drawn at the rate `min(e_m, K) / Σ min(e_n, K)`, where `e` is
//! the number of training rows and K a cap, or at equal rates.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::card::Card;
use crate::transfer::JOIN;

/// The rates at which the domains of a mixture are sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mixing {
    /// Proportional to their training rows, capped.
    Proportional {
        /// `K`, at least 1.
        cap: usize,
    },
    /// The same for all.
    Equal,
}

/// Proportional with a cap of 65,536: sets below the cap count in full, and one of several hundred thousand
/// rows does not dominate.
impl Default for Mixing {
    fn default() -> Self {
        Mixing::Proportional { cap: 1 << 16 }
    }
}

impl Mixing {
    /// The number of examples of each domain in an epoch, given the domains' training rows. No example is
    /// repeated within an epoch; the rest of a larger domain follows in later epochs.
    pub fn shares(self, rows: &[usize]) -> Vec<usize> {
        let cap = match self {
            Mixing::Proportional { cap } => cap,
            Mixing::Equal => rows.iter().copied().min().unwrap_or(0),
        };
        rows.iter().map(|&rows| rows.min(cap)).collect()
    }
}

impl fmt::Display for Mixing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mixing::Proportional { cap } => write!(f, "proportional:{cap}"),
            Mixing::Equal => f.write_str("equal"),
        }
    }
}

impl FromStr for Mixing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("wanted proportional, proportional:CAP or equal, found '{text}'");
        match (text, text.strip_prefix("proportional:")) {
            ("equal", _) => Ok(Mixing::Equal),
            ("proportional", _) => Ok(Mixing::default()),
            (_, Some(cap)) => match cap.replace('_', "").parse() {
                Ok(cap) if cap > 0 => Ok(Mixing::Proportional { cap }),
                _ => Err(wanted()),
            },
            _ => Err(wanted()),
        }
    }
}

/// The card of a mixture; for a single domain, its own card. All members have the same task and metrics;
/// where label strings differ, the first domain's are used.
///
/// # Panics
/// `members` is empty.
pub fn card(members: &[&Card]) -> Card {
    let (first, others) = members.split_first().expect("a source has a domain");
    if others.is_empty() {
        return (*first).clone();
    }
    let joined = |field: fn(&Card) -> &str, by: &str| {
        let fields: Vec<&str> = members.iter().map(|card| field(card)).collect();
        fields.join(by)
    };
    Card {
        name: joined(|card| &card.name, &JOIN.to_string()),
        title: joined(|card| &card.title, " + "),
        about: joined(|card| &card.about, " "),
        licence: joined(|card| &card.licence, "; "),
        miniature: None,
        suites: Vec::new(),
        source: None,
        sha256: None,
        ..(*first).clone()
    }
}

/// A member of a mixture, with the mixture's label strings.
pub fn member(card: &Card, mixture: &Card) -> Card {
    Card {
        labels: mixture.labels.clone(),
        ..card.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::card::bundled;
    use proptest::prelude::*;

    #[test]
    fn rates_follow_rows_up_to_the_cap() {
        let rows = [300, 50, 1_000];
        let capped = Mixing::Proportional { cap: 400 };
        assert_eq!(capped.shares(&rows), [300, 50, 400]);
        assert_eq!(Mixing::Equal.shares(&rows), [50, 50, 50]);
        assert_eq!(Mixing::default().shares(&[87_599, 674]), [65_536, 674]);
    }

    #[test]
    fn invalid_mixings_are_refused() {
        for text in ["", "evenly", "proportional:", "proportional:0", "equal:3"] {
            let error = text.parse::<Mixing>().expect_err(text);
            assert!(error.contains("wanted proportional"), "{error}");
        }
    }

    #[test]
    fn a_mixture_uses_the_first_domain_s_labels() {
        let cards = bundled();
        let of = |name: &str| cards.iter().find(|card| card.name == name).expect("a card");
        let mixture = card(&[of("qqp"), of("mrpc")]);
        assert_eq!(mixture.name, "qqp+mrpc");
        assert_eq!(mixture.labels, of("qqp").labels);
        let mrpc = member(of("mrpc"), &mixture);
        assert_eq!(mrpc.labels, of("qqp").labels);
        assert_eq!(mrpc.texts, of("mrpc").texts);
        assert_eq!(&card(&[of("mrpc")]), of("mrpc"));
    }

    proptest! {
        #[test]
        fn parse_of_display_is_the_identity(cap in 1usize..10_000_000, equal: bool) {
            let mixing = if equal { Mixing::Equal } else { Mixing::Proportional { cap } };
            prop_assert_eq!(mixing.to_string().parse(), Ok(mixing));
        }
    }
}
