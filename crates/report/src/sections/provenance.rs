//! Where do the numbers come from? The files and programs, and the command that repeats the study.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::{Block, Table, plain};
use crate::number::{day, joined, list};
use crate::results::Results;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Provenance;

/// The collapsed section, the command first.
pub fn blocks(study: &Study, results: &Results) -> Vec<Block> {
    let origins: Vec<&Provenance> = (study.records().iter())
        .map(|stored| &stored.record.provenance)
        .collect();
    // Answers and training may come from different commands.
    let answered = (study.records().iter()).flat_map(|stored| &stored.record.answered);
    let computed: Vec<&Provenance> = origins.iter().copied().chain(answered).collect();
    let all = |field: fn(&Provenance) -> String| -> Vec<String> {
        let values: BTreeSet<String> = computed.iter().map(|origin| field(origin)).collect();
        values.into_iter().collect()
    };
    let commands = all(|origin| origin.command.clone());
    let cell = study.cell();
    let limit = |rows: Option<usize>| rows.map_or("all".to_owned(), |rows| rows.to_string());
    let seeds: Vec<String> = study.seeds().iter().map(u64::to_string).collect();
    let mut facts = vec![
        (
            "promptshift",
            all(|origin| format!("{} ({})", origin.version, origin.revision)),
        ),
        ("started", all(|origin| day(origin.started_unix_seconds))),
        ("processor", all(|origin| origin.processor.clone())),
        ("device, threads", all(device)),
        ("software", all(software)),
        ("seeds", vec![list(&seeds)]),
        ("suite", vec![results.suite.clone()]),
        (
            "rows",
            vec![format!(
                "training {}, validation {}, scored {}",
                limit(cell.setting.train_rows),
                limit(cell.setting.validation_rows.or(cell.setting.eval_rows)),
                limit(cell.setting.eval_rows)
            )],
        ),
        (
            "longest sequences in tokens",
            vec![format!(
                "input {}, training target {}, answer {}",
                cell.setting.limits.input, cell.setting.limits.target, cell.setting.limits.answer
            )],
        ),
        ("model", vec![results.model_title.clone()]),
    ];
    if let Some(template) = &cell.setting.wording.template {
        let hash = format!("{}: {}", plain(&template.name), template.sha256);
        facts.push(("template SHA-256", vec![hash]));
    }
    if let Some(verbalizer) = &cell.setting.wording.verbalizer {
        let hash = format!("{}: {}", plain(&verbalizer.name), verbalizer.sha256);
        facts.push(("verbalizer SHA-256", vec![hash]));
    }
    facts.push(("model SHA-256", all(|origin| origin.model_sha256.clone())));
    facts.push((
        "tokenizer SHA-256",
        all(|origin| origin.tokenizer_sha256.clone()),
    ));
    let mut rows: Vec<Vec<String>> = (facts.into_iter())
        .map(|(name, values)| vec![name.to_owned(), values.join("; ")])
        .collect();
    let files = origins.iter().flat_map(|origin| &origin.data_sha256);
    let files: BTreeMap<&String, &String> = files.collect();
    let hash = |(file, hash): (&String, &String)| vec![format!("{file} SHA-256"), hash.clone()];
    rows.extend(files.into_iter().map(|(file, of)| hash((file, of))));
    let mut inside = vec![
        Block::Text(format!("```sh\n{}\n```", commands.join("\n"))),
        Table::new(["", ""]).words(&[0, 1]).rows(rows).into(),
    ];
    for method in Method::ALL {
        let records = study.of(method);
        let recipe = records
            .first()
            .and_then(|stored| stored.record.cell.recipe.as_ref());
        if let Some(recipe) = recipe {
            let json = serde_json::to_string_pretty(recipe).expect("a recipe is plain data");
            inside.push(Block::Text(format!(
                "Recipe of {}:\n\n```json\n{json}\n```",
                results.title(method)
            )));
        }
    }
    for stored in study.of(Method::Elsewhere) {
        if let Some(given) = &stored.record.cell.elsewhere
            && let Some(found) = &given.found
        {
            inside.push(Block::Text(format!(
                "{}, run {}: {} in `{}`, SHA-256 {}.",
                given.title(),
                stored.record.cell.seed,
                found.form.title(),
                plain(&given.path),
                found.sha256
            )));
        }
    }
    vec![
        Block::heading("Provenance"),
        Block::Details("Command, versions, hashes and recipes".to_owned(), inside),
    ]
}

/// The device, and the number of concurrent runs.
fn device(origin: &Provenance) -> String {
    let Provenance {
        device, threads, ..
    } = origin;
    match origin.side_by_side {
        1 => format!("{device}, {threads}"),
        runs => format!("{device}, {threads} for each of {runs} concurrent runs"),
    }
}

fn software(origin: &Provenance) -> String {
    let parts = (origin.software.iter()).map(|(name, version)| format!("{name} {version}"));
    joined(", ", parts)
}
