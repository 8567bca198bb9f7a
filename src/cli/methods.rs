//! `promptshift list methods`: all methods with their parameters on a model.

use std::path::PathBuf;

use clap::Args;
use comfy_table::{ColumnConstraint, Table, Width};
use serde::Serialize;

use super::{Failure, print};
use promptshift_numbers::recipe::{HeadForm, Method, Recipe};
use promptshift_report::shares::{Shares, figure};
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_tensors::network::{Config, Writes};
use promptshift_tensors::t5::T5Config;
use promptshift_tensors::tuning::{Family, Parameters, TuningError, about, supports};
use promptshift_text::atomic_file;

/// Flags of `list methods`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The model to count parameters for; only its config.json is needed: 'nano'; a folder with a T5, Llama,
    /// Mistral, Qwen, Gemma, GPT-2, BERT or RoBERTa, …; a .gguf file; OWNER/NAME of a fetched model of
    /// the Hub; or a published T5 v1.1 by size: small, base, large, xl, xxl.
    #[arg(long, default_value = "nano", value_name = "MODEL")]
    model: String,
    /// Print a JSON array of objects instead of a table.
    #[arg(long)]
    json: bool,
    /// Also draw the share of trained parameters, as in the paper's figure 4; for a T5, the published sizes are added.
    #[arg(long, value_name = "FILE.svg")]
    figure: Option<PathBuf>,
}

/// One method on the model.
#[derive(Debug, Serialize)]
struct Line {
    method: &'static str,
    title: &'static str,
    family: Family,
    what: &'static str,
    paper: &'static str,
    code: Option<&'static str>,
    trainable_parameters: usize,
    stored_parameters: usize,
    /// Trainable parameters divided by all (the backbone's and those that the method adds), in [0, 1].
    share: f64,
    /// Why the method does not support this kind of network; `None` if it does. If set, the numbers are 0.
    unfit: Option<&'static str>,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let (choice, config) = model(&arguments.model).map_err(Failure::Usage)?;
    let lines: Vec<Line> = Method::offered()
        .map(|method| line(method, &choice, &config))
        .collect();
    if let Some(file) = &arguments.figure {
        let figure = figure("methods.svg", &shares(&arguments.model, &config)?);
        atomic_file::write(file, figure.svg.as_bytes())?;
    }
    if arguments.json {
        return Ok(print::line(serde_json::to_string_pretty(&lines)?)?);
    }
    Ok(print::line(format_args!(
        "Methods on {} ({} parameters), in their default recipes{}\n{}",
        arguments.model,
        config.parameters(),
        match config.writes() {
            Writes::Tokens => "",
            Writes::Nothing { .. } => ", each with a head of two classes",
        },
        of_lines(&lines)
    ))?)
}

/// The head to count parameters with, for a network without one.
const TWO_CLASSES: HeadForm = HeadForm::Classes(2);

/// A model's choice and configuration. A published size needs no files.
fn model(name: &str) -> anyhow::Result<(BackboneChoice, Config)> {
    if let Some(config) = T5Config::published(name) {
        return Ok((BackboneChoice::Folder(name.into()), config.into()));
    }
    let choice = BackboneChoice::parse(name)?;
    let config = choice.config()?;
    Ok((choice, config))
}

fn line(method: Method, choice: &BackboneChoice, config: &Config) -> Line {
    let about = about(method);
    let none = Parameters {
        trainable: 0,
        total: config.parameters(),
        stored: 0,
    };
    let (parameters, unfit) = match method {
        Method::Untuned => (none, None),
        method => {
            let recipe = Recipe {
                head: (config.writes() != Writes::Tokens).then_some(TWO_CLASSES),
                ..Recipe::default_for(choice.defaults(config), method)
            };
            match supports(&recipe, config.kind()) {
                Err(TuningError::Unfit { why, .. }) => (none, Some(why)),
                Ok(()) | Err(_) => (Parameters::of(&recipe, config), None),
            }
        }
    };
    Line {
        method: method.name(),
        title: method.title(),
        family: about.family,
        what: about.what,
        paper: about.paper,
        code: about.code,
        trainable_parameters: parameters.trainable,
        stored_parameters: parameters.stored,
        share: parameters.trainable as f64 / parameters.total as f64,
        unfit,
    }
}

/// The shares of the model's methods; for a T5, also those of the published sizes.
fn shares(name: &str, config: &Config) -> anyhow::Result<Shares> {
    let mut models = vec![name];
    if config.t5().is_some() {
        models.extend(T5Config::PUBLISHED.iter().filter(|&&size| size != name));
    }
    let known = (models.iter().map(|name| model(name))).collect::<anyhow::Result<Vec<_>>>()?;
    let share = |method| {
        let lines = known
            .iter()
            .map(move |(choice, config)| line(method, choice, config));
        lines.map(|line| Some(line.share).filter(|&share| share > 0.0))
    };
    let trained = Method::offered().map(|method| (method.title(), share(method).collect()));
    let trained = trained.filter(|(_, shares): &(_, Vec<_>)| shares.iter().any(Option::is_some));
    Ok(Shares {
        models: models.into_iter().map(str::to_owned).collect(),
        methods: trained.collect(),
    })
}

fn of_lines(lines: &[Line]) -> Table {
    let mut table = print::table(&[
        "method",
        "family",
        "what is tuned",
        "trainable",
        "stored",
        "share",
        "paper",
    ]);
    for line in lines {
        let numbers = match line.unfit {
            None => [
                line.trainable_parameters.to_string(),
                line.stored_parameters.to_string(),
                format!("{:.3} %", 100.0 * line.share),
            ],
            Some(_) => ["—".to_string(), "—".to_string(), "—".to_string()],
        };
        let what = match line.unfit {
            None => line.what.to_string(),
            Some(why) => format!("not on this kind of model: {why}"),
        };
        let [trainable, stored, share] = numbers;
        table.add_row([
            line.method.to_string(),
            line.family.name().to_string(),
            what,
            trainable,
            stored,
            share,
            line.paper.replace("arXiv ", "arXiv:"),
        ]);
    }
    print::right_align(&mut table, 3..6);
    // Keep identifiers and model families on one line.
    for (column, width) in [(1, 18), (6, 20)] {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
        }
    }
    table
}
