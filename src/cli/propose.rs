//! `promptshift propose`: a model proposes wordings, written to files for the user to select from. Templates
//! come from a T5's span filling and are scored on the domain's validation rows; words for classes come from
//! a model's embeddings.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use comfy_table::Table;

use super::progress::Verbosity;
use super::selection::{Data, On};
use super::{Failure, help, interrupt, print, selection, values};
use promptshift_numbers::recipe::Limits;
use promptshift_numbers::record::Score;
use promptshift_numbers::score::{Metric, score};
use promptshift_tensors::backbone::{Backbone, BackboneChoice};
use promptshift_tensors::batch::encode;
use promptshift_tensors::eval::NotFinite;
use promptshift_tensors::eval::answerer::Answerer;
use promptshift_tensors::eval::propose::{Neighbour, Proposal, Proposer, embedding_neighbours};
use promptshift_tensors::tuning::{self, Tuned};
use promptshift_text::atomic_file;
use promptshift_text::domain::card::Card;
use promptshift_text::domain::catalogue::Catalogue;
use promptshift_text::domain::sampling::Limit;
use promptshift_text::domain::wording::{
    Aggregate, Spelling, Template, Verbalizer, Wording, proposed, skeleton,
};
use promptshift_text::domain::{AnswerForm, Example};

/// Flags of `propose`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Template(TemplateArguments),
    /// More words for a domain's classes, from a model's embeddings, for --verbalizer.
    Verbalizer(VerbalizerArguments),
}

/// The old spelling of `propose template`.
#[derive(Debug, Args)]
pub struct OldTemplate {
    #[command(subcommand)]
    verb: OldVerb,
}

#[derive(Debug, Subcommand)]
enum OldVerb {
    Propose(TemplateArguments),
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.what {
        What::Template(arguments) => propose_template(arguments),
        What::Verbalizer(arguments) => propose_verbalizer(arguments),
    }
}

/// Runs the old spelling.
pub fn run_old(arguments: &OldTemplate) -> Result<(), Failure> {
    let OldVerb::Propose(arguments) = &arguments.verb;
    propose_template(arguments)
}

/// Templates from a T5's span filling, for --template.
///
/// A T5 fills in the words around a domain's fields (after LM-BFF, Gao et al. 2021), and the results are scored on the
/// domain's validation rows with the untuned model. Each template is written as a file for `--template`; nothing is
/// overwritten.
#[derive(Debug, Args)]
pub struct TemplateArguments {
    /// The domain to tune on; words are proposed for its training rows.
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// 'nano' (the bundled miniature), a folder with a T5, or OWNER/NAME of a fetched model of the Hub; pre-trained by
    /// span corruption.
    #[arg(long, default_value = "nano", value_name = "MODEL", help_heading = help::MODEL)]
    model: String,
    #[command(flatten)]
    data: Data,
    /// Training rows to fill in, drawn from all of them.
    #[arg(long, default_value = "64", value_name = "N", value_parser = values::at_least_one)]
    rows: usize,
    /// Templates to keep: the most probable over all of these rows.
    #[arg(long, default_value = "5", value_name = "N", value_parser = values::at_least_one)]
    keep: usize,
    /// Maximum number of validation rows.
    #[arg(long, value_name = "N", value_parser = values::at_least_one)]
    eval_rows: Option<usize>,
    /// The folder for the templates, DOMAIN-1.toml and so on.
    #[arg(long, default_value = "templates", value_name = "DIR", help_heading = help::OUTPUT)]
    out: PathBuf,
    #[command(flatten)]
    on: On,
    /// Print only errors on standard error.
    #[arg(long, short, help_heading = help::OUTPUT)]
    quiet: bool,
}

/// A template with its score.
struct Scored {
    template: Template,
    proposal: Option<Proposal>,
    /// The main metric on source validation, in [0, 1].
    score: f64,
}

/// Runs the command.
pub fn propose_template(arguments: &TemplateArguments) -> Result<(), Failure> {
    let verbosity = match arguments.quiet {
        true => Verbosity::Quiet,
        false => Verbosity::of_terminal(),
    };
    let catalogue = arguments.data.catalogue()?;
    let card = &(catalogue.get(&arguments.domain)).map_err(Failure::usage)?;
    let suite = arguments.data.suite(&catalogue).map_err(Failure::Usage)?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(Failure::usage)?;
    let config = choice.config()?;
    if config.t5().is_none() {
        return Err(Failure::Usage(anyhow!(
            "propose template: only a T5 fills in missing spans, and '{}' is {}",
            arguments.model,
            config.kind()
        )));
    }
    let device = arguments.on.find_one()?;
    let splits = suite.source(card).map_err(Failure::usage)?;
    let (missing, spans) = skeleton(card);
    let load = |portion, rows, template: Option<&Template>| {
        let wording = Wording {
            template: template.cloned(),
            ..Wording::default()
        };
        let rows = suite.load(
            card,
            portion,
            Limit::at_most(rows),
            AnswerForm::Padded,
            &wording,
        );
        rows.map(|rows| rows.examples)
    };
    let examples =
        load(&splits.train, Some(arguments.rows), Some(&missing)).map_err(Failure::usage)?;
    let backbone = selection::load_backbone(&choice, &device, verbosity)?;
    let tuned = Tuned::untuned(backbone.model.clone());
    let limits = tuning::within(Limits::default_for(card.task), 0, &backbone.config)?;
    interrupt::listen()?;
    let mut found = proposals(&tuned, &examples, spans, &backbone, &limits)?;
    if found.is_empty() {
        return Err(Failure::from(anyhow!(
            "'{}' fills in no missing spans in {} rows of {}: wanted a T5 that was pre-trained by span corruption",
            backbone.name,
            examples.len(),
            card.name
        )));
    }
    found.truncate(arguments.keep);
    let mut rows = Vec::new();
    for (place, proposal) in std::iter::once(None)
        .chain(found.into_iter().map(Some))
        .enumerate()
    {
        let template = match &proposal {
            None => Template::of_t5(card),
            Some(proposal) => {
                let name = format!("{}-{place}", card.name);
                let about = format!(
                    "{}: filling in words around the fields of {} rows of {}",
                    backbone.name, arguments.rows, card.name
                );
                let (template, toml) = proposed(card, &proposal.spans, &name, &about)
                    .map_err(|e| Failure::from(anyhow::Error::from(e)))?;
                std::fs::create_dir_all(&arguments.out).map_err(anyhow::Error::from)?;
                atomic_file::write(&arguments.out.join(format!("{name}.toml")), toml.as_bytes())?;
                template
            }
        };
        let validation = load(&splits.validation, arguments.eval_rows, Some(&template))
            .map_err(Failure::usage)?;
        let wording = Wording {
            template: Some(template.clone()),
            ..Wording::default()
        };
        let answerer = Answerer {
            source: card,
            wording: &wording,
            tokenizer: &backbone.tokenizer,
            limits: &limits,
        };
        rows.push(Scored {
            score: scored(&tuned, &answerer, &validation)?,
            template,
            proposal,
        });
    }
    print::line(of_rows(&rows, card))?;
    verbosity.say(&format!(
        "{}: one file each, for --template; scores are those of {} untuned on {} validation",
        arguments.out.display(),
        backbone.name,
        card.name
    ));
    Ok(())
}

/// The backbone's proposals for the missing spans of the examples, the most probable first.
fn proposals(
    tuned: &Tuned,
    examples: &[Example],
    spans: usize,
    backbone: &Backbone,
    limits: &Limits,
) -> Result<Vec<Proposal>, Failure> {
    let Some(proposer) = Proposer::new(tuned, examples, spans, &backbone.tokenizer, limits) else {
        return Ok(Vec::new());
    };
    let mut filling = proposer.filling();
    go_through(&mut filling)?;
    let mut ranking = proposer.ranking(&filling.finish()?);
    go_through(&mut ranking)?;
    Ok(ranking.finish()?)
}

/// Consumes all batches; stops at a signal.
fn go_through(batches: &mut impl Iterator<Item = Result<usize, NotFinite>>) -> Result<(), Failure> {
    for done in batches {
        done?;
        interrupt::check()?;
    }
    Ok(())
}

/// The main metric of the untuned backbone on validation rows, in [0, 1].
fn scored(tuned: &Tuned, answerer: &Answerer, examples: &[Example]) -> Result<f64, Failure> {
    let card = answerer.source;
    let encodings = encode(examples, answerer.tokenizer, answerer.limits);
    let mut answering = answerer.answering(tuned, card, &encodings)?;
    go_through(&mut answering)?;
    let answers = answering.finish()?;
    let scores: Vec<Score> = (examples.iter().zip(&answers))
        .map(|(example, answer)| score(&answer.text, &example.gold, card))
        .collect();
    Ok(Metric::main(card.task).value(&scores))
}

fn of_rows(rows: &[Scored], card: &Card) -> Table {
    let metric = Metric::main(card.task).name();
    let mut table = print::table(&[
        "template",
        "text",
        "log-likelihood per example",
        "examples that produced it",
        &format!("validation {metric} [%], untuned"),
    ]);
    for row in rows {
        let of = |show: &dyn Fn(&Proposal) -> String| {
            row.proposal.as_ref().map_or("–".to_string(), show)
        };
        table.add_row([
            row.template.name.clone(),
            row.template.text.clone(),
            of(&|proposal| format!("{:.2}", proposal.log_likelihood)),
            of(&|proposal| proposal.examples.to_string()),
            format!("{:.1}", 100.0 * row.score),
        ]);
    }
    print::right_align(&mut table, 2..5);
    table
}

/// Flags of `propose verbalizer`.
#[derive(Debug, Args)]
pub struct VerbalizerArguments {
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
pub fn propose_verbalizer(arguments: &VerbalizerArguments) -> Result<(), Failure> {
    let catalogue = Catalogue::with(&arguments.domains).map_err(Failure::usage)?;
    let card = &(catalogue.get(&arguments.domain)).map_err(Failure::usage)?;
    let verbalizer = arguments.verbalizer.as_deref();
    let verbalizer = verbalizer
        .map(|text| Verbalizer::find(text, card))
        .transpose();
    let wording = Wording {
        verbalizer: verbalizer.map_err(Failure::usage)?,
        ..Wording::default()
    };
    let words = wording.words(card);
    if words.is_empty() {
        return Err(Failure::Usage(anyhow::anyhow!(
            "{} has no classes; wanted a domain with labels",
            card.name
        )));
    }
    let device = arguments.on.find_one()?;
    let choice = BackboneChoice::parse(&arguments.model).map_err(Failure::usage)?;
    let backbone = selection::load_backbone(&choice, &device, Verbosity::of_terminal())?;
    let found = embedding_neighbours(&backbone, &words, arguments.nearest);
    let about = format!(
        "words of {} and the {} nearest embeddings of {}",
        card.name, arguments.nearest, backbone.name
    );
    Ok(print::text(verbalizer_file(
        &card.labels,
        &words,
        &found,
        about,
    )?)?)
}

/// The file's text; a comment gives each word's cosine.
fn verbalizer_file(
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
