//! Provenance: what was read, what ran, and the command that does it again.

use std::collections::{BTreeMap, BTreeSet};

use super::text::plain;
use crate::comparison::Comparison;
use crate::number::{day, list};
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Provenance;

/// All of it folded: the command first.
pub fn section(study: &Study, comparison: &Comparison) -> String {
    let origins: Vec<&Provenance> = study
        .records()
        .iter()
        .map(|stored| &stored.record.provenance)
        .collect();
    // Answers may be another command's than the training is.
    let answered = (study.records().iter()).flat_map(|stored| &stored.record.answered);
    let computed: Vec<&Provenance> = origins.iter().copied().chain(answered).collect();
    let all = |field: fn(&Provenance) -> String| -> Vec<String> {
        let values: BTreeSet<String> = computed.iter().map(|origin| field(origin)).collect();
        values.into_iter().collect()
    };
    let commands = all(|origin| origin.command.clone());
    let mut text =
        "<details><summary>The command, versions, hashes and recipes</summary>\n\n".to_owned();
    text.push_str(&format!("```sh\n{}\n```\n\n", commands.join("\n")));
    let cell = study.cell();
    let rows = |rows: Option<usize>| rows.map_or("all".to_owned(), |rows| rows.to_string());
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
        ("suite", vec![comparison.suite.clone()]),
        (
            "rows",
            vec![format!(
                "training {}, validation {}, scored {}",
                rows(cell.setting.train_rows),
                rows(cell.setting.validation_rows.or(cell.setting.eval_rows)),
                rows(cell.setting.eval_rows)
            )],
        ),
        (
            "longest sequences in tokens",
            vec![format!(
                "input {}, training target {}, answer {}",
                cell.setting.limits.input, cell.setting.limits.target, cell.setting.limits.answer
            )],
        ),
        ("model", vec![comparison.model.clone()]),
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
    text.push_str("| | |\n| --- | --- |\n");
    for (name, values) in facts {
        text.push_str(&format!("| {name} | {} |\n", values.join("; ")));
    }
    let files: BTreeMap<&String, &String> = origins
        .iter()
        .flat_map(|origin| &origin.data_sha256)
        .collect();
    for (file, hash) in files {
        text.push_str(&format!("| {file} SHA-256 | {hash} |\n"));
    }
    text.push('\n');
    for method in Method::ALL {
        let recipe = study
            .of(method)
            .first()
            .and_then(|stored| stored.record.cell.recipe.clone());
        if let Some(recipe) = recipe {
            let json = serde_json::to_string_pretty(&recipe).expect("a recipe is plain data");
            text.push_str(&format!(
                "Recipe of {}:\n\n```json\n{json}\n```\n\n",
                comparison.title(method)
            ));
        }
    }
    for stored in study.of(Method::Elsewhere) {
        if let Some(given) = &stored.record.cell.elsewhere
            && let Some(found) = &given.found
        {
            text.push_str(&format!(
                "{}, run {}: {} in `{}`, SHA-256 {}.\n\n",
                given.title(),
                stored.record.cell.seed,
                found.form.title(),
                plain(&given.path),
                found.sha256
            ));
        }
    }
    text.push_str("</details>\n");
    text
}

/// Where it was computed, and beside how many others.
fn device(origin: &Provenance) -> String {
    let Provenance {
        device, threads, ..
    } = origin;
    match origin.side_by_side {
        1 => format!("{device}, {threads}"),
        runs => format!("{device}, {threads} for each of {runs} runs side by side"),
    }
}

fn software(origin: &Provenance) -> String {
    let parts: Vec<String> = origin
        .software
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    parts.join(", ")
}
