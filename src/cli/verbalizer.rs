//! `promptshift propose verbalizer DOMAIN`: more words for a domain's classes, proposed by a backbone.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;

use super::help;
use super::on::On;
use super::progress::Verbosity;
use super::{Failure, model, print, values};
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_tensors::embedding_neighbours::{Neighbour, embedding_neighbours};
use promptshift_text::domain::catalogue::Catalogue;
use promptshift_text::domain::wording::{Aggregate, Spelling, Verbalizer, Wording};

/// Flags of `propose verbalizer`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The domain whose classes need words.
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// The model whose embeddings are used: 'nano', a folder with a model, or OWNER/NAME of the Hub.
    #[arg(long, default_value = "nano", value_name = "MODEL", help_heading = help::MODEL)]
    model: String,
    /// The words to start from, instead of the domain's labels: a name in its card, or a file.
    #[arg(long, value_name = "NAME|FILE")]
    verbalizer: Option<String>,
    /// How many words to add to each class.
    #[arg(long, default_value = "5", value_name = "N", value_parser = values::at_least_one)]
    nearest: usize,
    /// The card of your own domain, like datasets/*.toml; may be repeated.
    #[arg(long, value_name = "CARD", help_heading = help::DATA)]
    domains: Vec<PathBuf>,
    #[command(flatten)]
    on: On,
}

/// Runs the command: prints a verbalizer file, for the user to select from.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let catalogue = Catalogue::with(&arguments.domains).map_err(|e| Failure::Usage(e.into()))?;
    let card = &(catalogue.get(&arguments.domain)).map_err(|e| Failure::Usage(e.into()))?;
    let verbalizer = arguments.verbalizer.as_deref();
    let verbalizer = verbalizer
        .map(|text| Verbalizer::find(text, card))
        .transpose();
    let wording = Wording {
        verbalizer: verbalizer.map_err(|e| Failure::Usage(e.into()))?,
        ..Wording::default()
    };
    let words = wording.words(card);
    if words.is_empty() {
        return Err(Failure::Usage(anyhow::anyhow!(
            "{} has no classes; wanted a domain with labels",
            card.name
        )));
    }
    let device = arguments.on.find()?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(|e| Failure::Usage(e.into()))?;
    let backbone = model::load(&choice, &device, Verbosity::of_terminal())?;
    let found = embedding_neighbours(&backbone, &words, arguments.nearest);
    let about = format!(
        "words of {} and the {} nearest embeddings of {}",
        card.name, arguments.nearest, backbone.name
    );
    Ok(print::text(file(&card.labels, &words, &found, about)?)?)
}

/// The file's text; a comment gives each word's cosine.
fn file(
    labels: &[String],
    words: &[Vec<&str>],
    found: &[Vec<Neighbour>],
    about: String,
) -> anyhow::Result<String> {
    let mut text = String::new();
    for (label, near) in labels.iter().zip(found) {
        let near: Vec<String> = (near.iter())
            .map(|near| format!("{} {:.2}", near.word, near.cosine))
            .collect();
        writeln!(text, "# {label}: {}", near.join(", "))?;
    }
    let of_class = |(label, (words, near)): (&String, (&Vec<&str>, &Vec<Neighbour>))| {
        let own = words.iter().map(|word| word.to_string());
        let all = own
            .chain(near.iter().map(|near| near.word.clone()))
            .collect();
        (label.clone(), all)
    };
    let words: BTreeMap<String, Vec<String>> = (labels.iter().zip(words.iter().zip(found)))
        .map(of_class)
        .collect();
    let spelling = Spelling {
        about,
        aggregate: Aggregate::Mean,
        words,
    };
    text.push_str(&toml::to_string(&spelling)?);
    Ok(text)
}
