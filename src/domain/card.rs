//! A card per domain, `datasets/<name>.toml`, compiled in: what the domain is and how it is read.

use serde::Deserialize;

use super::Task;

/// The columns of a domain's published files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schema {
    /// SQuAD's on the Hub, read by [`squad`](super::squad).
    Squad,
    /// MRQA's on the Hub, read by [`mrqa`](super::mrqa).
    Mrqa,
    /// GLUE's sentence pairs on the Hub, read by [`glue`](super::glue).
    Glue,
}

/// What is known about a domain without opening its files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The name typed and the name of its folder: `textbookqa`.
    pub name: String,
    /// The name printed: `TextbookQA`.
    pub title: String,
    /// What the real domain is and whose, in a line.
    pub about: String,
    /// What is asked of the model.
    pub task: Task,
    /// The columns of its published files.
    pub schema: Schema,
    /// The columns of the two texts; pairs only.
    pub texts: Option<[String; 2]>,
    /// The class strings to generate, in the order of the class index; pairs only.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Names of its metrics, the main one first.
    pub metrics: Vec<String>,
    /// Its template and the public file that this is taken from.
    pub template: String,
    /// What the bundled miniature of this name imitates, where there is one.
    pub miniature: Option<String>,
}

impl Card {
    /// Reads a card; its name is expected to be `name`, that of its file.
    fn parse(name: &str, text: &str) -> Result<Card, String> {
        let card: Card = toml::from_str(text).map_err(|error| format!("{name}: {error}"))?;
        if card.name != name {
            return Err(format!("{name}: the card names itself {}", card.name));
        }
        let pairs = card.task == Task::Paraphrase;
        if pairs != card.texts.is_some() || pairs != (card.labels.len() == 2) {
            return Err(format!(
                "{name}: pairs, and only they, have texts and two labels"
            ));
        }
        if pairs != (card.schema == Schema::Glue) {
            return Err(format!("{name}: its schema does not fit its task"));
        }
        Ok(card)
    }
}

/// Every card, in the order in which `list` shows them and `all` runs them.
pub fn bundled() -> Vec<Card> {
    CARDS
        .into_iter()
        .map(|(name, text)| Card::parse(name, text).expect("the cards are compiled in and tested"))
        .collect()
}

macro_rules! cards {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../datasets/", $name, ".toml")))),*]
    };
}

const CARDS: [(&str, &str); 13] = cards![
    "squad",
    "textbookqa",
    "bioasq",
    "race",
    "relation_extraction",
    "duorc",
    "drop",
    "qqp",
    "mrpc",
    "squadshifts_new_wiki",
    "squadshifts_amazon",
    "squadshifts_nyt",
    "squadshifts_reddit",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_is_read() {
        for (name, text) in CARDS {
            let card = Card::parse(name, text).expect("a card");
            assert!(!card.metrics.is_empty() && !card.title.is_empty(), "{name}");
        }
    }

    #[test]
    fn nine_domains_have_a_miniature() {
        let minis: Vec<String> = bundled()
            .into_iter()
            .filter(|card| card.miniature.is_some())
            .map(|card| card.name)
            .collect();
        assert_eq!(
            minis.join(" "),
            "squad textbookqa bioasq race relation_extraction duorc drop qqp mrpc"
        );
    }

    #[test]
    fn a_card_that_contradicts_itself_is_refused() {
        let text = CARDS[7].1;
        assert!(Card::parse("qqp", text).is_ok());
        assert!(Card::parse("mrpc", text).is_err());
        assert!(Card::parse("qqp", &text.replace("paraphrase", "extractive_qa")).is_err());
        assert!(Card::parse("qqp", &text.replace("title", "titel")).is_err());
    }
}
