//! Checks the documents against the program: every command is parsed, and run if it needs nothing that a test does
//! not have; every flag, link and page exists; the README's numbers are those of a committed report.
//!
//! A command is in a block, indented or fenced as `sh`. A comment before the block says what else it needs: `<!--
//! needs: network -->`, `GPU`, `files` (of the reader), `time`, or several of these. Such commands are only parsed.
//! Of all others, those of docs/tutorial.md are run unchanged, one after another in one folder; elsewhere `transfer`
//! and `ablate` are run with `--dry-run`, and read-only commands are run unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use promptshift::cli::Cli;
use serde_json::Value;

use crate::parity::golden;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A document by its path in the repository.
struct Document {
    path: String,
    text: String,
}

impl Document {
    fn read(path: &str) -> Document {
        let text = fs::read_to_string(repository().join(path));
        Document {
            text: text.unwrap_or_else(|error| panic!("{path}: {error}")),
            path: path.to_owned(),
        }
    }
}

/// The pages of docs/, without mdBook's own files.
fn pages() -> Vec<Document> {
    let files = fs::read_dir(repository().join("docs")).expect("readable");
    let names = files.map(|entry| entry.expect("listed").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.retain(|name| name.ends_with(".md") && name != "SUMMARY.md");
    names.sort();
    let page = |name: &String| Document::read(&format!("docs/{name}"));
    names.iter().map(page).collect()
}

/// All documents with commands.
fn documents() -> Vec<Document> {
    let others = [
        "README.md",
        "CONTRIBUTING.md",
        "docs/SUMMARY.md",
        "reports/README.md",
        "models/ablation/README.md",
        "models/nano/README.md",
    ];
    let mut all: Vec<Document> = others.map(Document::read).into();
    all.extend(pages());
    all
}

/// A block of commands: what it needs, and its lines with their numbers.
struct Block {
    needs: BTreeSet<String>,
    lines: Vec<(usize, String)>,
}

/// What a block may need besides the program.
const NEEDS: [&str; 4] = ["network", "GPU", "files", "time"];

/// The blocks of shell commands: indented ones, and fenced ones with the language `sh`.
fn blocks(document: &Document) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    // The last non-empty line outside blocks, and the fence of the open block.
    let (mut before, mut fence) = (String::new(), None);
    let mut is_open = false;
    for (index, line) in document.text.lines().enumerate() {
        let number = index + 1;
        let mut add = |begins: bool, line: &str| {
            if begins {
                found.push(Block {
                    needs: needs(document, number, &before),
                    lines: Vec::new(),
                });
            }
            let block = found.last_mut().expect("it was begun");
            block.lines.push((number, line.to_owned()));
        };
        match (&fence, line.trim().strip_prefix("```")) {
            (Some(_), Some(_)) => {
                (fence, is_open, before) = (None, false, String::new());
            }
            (Some(language), None) if language == "sh" => {
                add(!is_open, line);
                is_open = true;
            }
            (Some(_), None) => {}
            (None, Some(language)) => (fence, is_open) = (Some(language.to_owned()), false),
            (None, None) if line.trim().is_empty() => {}
            (None, None) if line.starts_with("    ") => {
                add(!is_open, &line[4..]);
                is_open = true;
            }
            (None, None) => (before, is_open) = (line.to_owned(), false),
        }
    }
    found
}

/// `<!-- needs: network, files -->`.
fn needs(document: &Document, line: usize, comment: &str) -> BTreeSet<String> {
    let inside = comment.trim().strip_prefix("<!--");
    let needs = inside.and_then(|it| it.trim_end_matches("-->").trim().strip_prefix("needs:"));
    let words = needs.into_iter().flat_map(|needs| needs.split(','));
    let words: BTreeSet<String> = words.map(|word| word.trim().to_owned()).collect();
    for word in &words {
        assert!(
            NEEDS.contains(&word.as_str()),
            "{}:{line}: '{word}' is none of {NEEDS:?}",
            document.path
        );
    }
    words
}

/// A command of the program as a shell reads it.
#[derive(Debug, Clone)]
struct Command {
    /// `docs/store.md:12`.
    place: String,
    /// As written, on one line.
    line: String,
    /// The words after the program's name, without redirections.
    words: Vec<String>,
    is_free: bool,
}

/// The commands of the program in a block, including each command of a chain.
fn commands(document: &Document, block: &Block) -> Vec<Command> {
    let mut found = Vec::new();
    let mut lines = block.lines.iter();
    while let Some((number, line)) = lines.next() {
        let mut whole = line.trim().to_owned();
        while whole.ends_with('\\') {
            whole.pop();
            let (_, next) = lines.next().expect("a line after a line that goes on");
            whole.push_str(next.trim());
        }
        for words in split(&whole) {
            if let Some(words) = of_the_program(&words) {
                found.push(Command {
                    place: format!("{}:{number}", document.path),
                    line: whole.clone(),
                    words: words.to_vec(),
                    is_free: block.needs.is_empty(),
                });
            }
        }
    }
    found
}

/// Splits a line like a shell: words without quotes; `&&`, `;` and `|` begin another command; redirections and
/// comments are dropped.
fn split(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut is_target = false;
    let mut signs = line.chars();
    let end = |word: &mut Option<String>, is_target: &mut bool, commands: &mut Vec<Vec<String>>| {
        if let Some(word) = word.take()
            && !std::mem::take(is_target)
        {
            commands.last_mut().expect("one").push(word);
        }
    };
    while let Some(sign) = signs.next() {
        match sign {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                word.extend(signs.by_ref().take_while(|inside| *inside != sign));
            }
            ' ' => end(&mut word, &mut is_target, &mut commands),
            '#' if word.is_none() => break,
            '>' | '<' => {
                end(&mut word, &mut is_target, &mut commands);
                is_target = true;
            }
            '&' | ';' | '|' => {
                end(&mut word, &mut is_target, &mut commands);
                commands.push(Vec::new());
            }
            sign => word.get_or_insert_default().push(sign),
        }
    }
    end(&mut word, &mut is_target, &mut commands);
    commands.retain(|words| !words.is_empty());
    commands
}

/// The words after `promptshift` or `cargo run … --`.
fn of_the_program(words: &[String]) -> Option<&[String]> {
    let is_variable = |word: &&String| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty()
                && name
                    .chars()
                    .all(|sign| sign.is_ascii_uppercase() || sign == '_')
        })
    };
    let words = &words[words.iter().take_while(is_variable).count()..];
    match words {
        [program, rest @ ..] if program == "promptshift" => Some(rest),
        // `-p` means another package: an example.
        [cargo, run, rest @ ..]
            if cargo == "cargo" && run == "run" && !rest.contains(&"-p".to_owned()) =>
        {
            let end = rest.iter().position(|word| word == "--")?;
            Some(&rest[end + 1..])
        }
        _ => None,
    }
}

/// The command with existing files in place of those that the program opens while parsing.
fn with_files(words: &[String]) -> Vec<String> {
    let prompt = golden("peft_tiny/trained").display().to_string();
    let mut words = words.to_vec();
    for at in 0..words.len() {
        if words[at].starts_with("file:") {
            words[at] = format!("file:{prompt}");
        }
        if words[at] == "--tuned" && at + 1 < words.len() {
            let name = words[at + 1].split('=').next().expect("a first part");
            words[at + 1] = format!("{name}={prompt}");
        }
    }
    words
}

#[test]
fn every_command_is_valid() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for document in documents() {
        for block in blocks(&document) {
            for command in commands(&document, &block) {
                count += 1;
                let words = with_files(&command.words);
                let line = ["promptshift".to_owned()].into_iter().chain(words);
                if let Err(error) = Cli::try_parse_from(line) {
                    let Command { place, line, .. } = command;
                    wrong.push(format!("{place}: {line}\n{error}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 100, "{count} commands: are blocks found?");
}

#[cfg(unix)]
mod run {
    use std::process::{Command as Process, Output};

    use super::*;

    /// Commands that only read, or write only to standard output.
    const LOOKS: [&str; 4] = ["list", "verify", "completions", "propose verbalizer"];

    /// Commands that support `--dry-run`.
    const PLANS: [&str; 3] = ["transfer", "ablate", "probe"];

    /// A folder like a reader's: the bundled domains and models in their places, and nothing else.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["datasets", "models"] {
            let from = repository().join(name);
            std::os::unix::fs::symlink(from, folder.path().join(name)).expect("linked");
        }
        folder
    }

    /// The output of a shell script, with the program in its path.
    fn shell(folder: &Path, script: &str) -> Output {
        let program = assert_cmd::cargo::cargo_bin("promptshift");
        let home = program.parent().expect("a folder").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        Process::new("sh")
            .args(["-e", "-c", script])
            .current_dir(folder)
            .env("PATH", format!("{home}:{path}"))
            .env_remove("PROMPTSHIFT_STORE")
            .env_remove("PROMPTSHIFT_DEVICE")
            .output()
            .expect("a shell")
    }

    /// The command as a script, limited to its plan.
    fn script(command: &Command) -> String {
        let line = match command.line.split_once("cargo run -- ") {
            Some((before, rest)) => format!("{before}promptshift {rest}"),
            None => command.line.clone(),
        };
        match PLANS.contains(&command.words[0].as_str()) && !line.contains("--dry-run") {
            true => {
                let line = line.split(" #").next().expect("a first part");
                format!("{} --dry-run", line.trim_end())
            }
            false => line,
        }
    }

    #[test]
    fn every_command_without_special_needs_runs() {
        let mut scripts: BTreeMap<String, String> = BTreeMap::new();
        let readme = [Document::read("README.md")];
        for document in readme.iter().chain(&pages()) {
            if document.path.ends_with("tutorial.md") {
                continue;
            }
            let all = blocks(document);
            let all = all.iter().flat_map(|block| commands(document, block));
            for command in all.filter(|command| command.is_free) {
                let (verb, words) = (command.words[0].as_str(), command.words.join(" "));
                assert!(
                    LOOKS.iter().any(|look| words.starts_with(look)) || PLANS.contains(&verb),
                    "{}: {}\nsay what it needs: <!-- needs: files -->",
                    command.place,
                    command.line
                );
                scripts.insert(script(&command), command.place);
            }
        }
        assert!(scripts.len() > 15, "{scripts:?}");
        let folder = folder();
        for (script, place) in scripts {
            let ended = shell(folder.path(), &script);
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success(), "{place}: {script}\n{said}");
        }
    }

    /// From installation to a report on the reader's data.
    #[test]
    fn the_tutorial_runs() {
        let tutorial = Document::read("docs/tutorial.md");
        let free = blocks(&tutorial);
        let free = free.iter().filter(|block| block.needs.is_empty());
        let lines = free.flat_map(|block| block.lines.iter().map(|(_, line)| line.as_str()));
        let script = lines.collect::<Vec<&str>>().join("\n");
        let folder = folder();
        let ended = shell(folder.path(), &script);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{said}");
        for file in [
            "runs/first/report.md",
            "runs/first/report.html",
            "tables/examples.parquet",
        ] {
            assert!(folder.path().join(file).is_file(), "{file}: {said}");
        }
        let report = fs::read_to_string(folder.path().join("runs/first/report.md"));
        let report = report.expect("written");
        assert!(report.contains("handbook → tickets"), "{report}");
    }
}

/// The fenced blocks of a language.
fn fenced(page: &str, language: &str) -> Vec<String> {
    let text = Document::read(page).text;
    let begins = format!("```{language}\n");
    let rests = text.split(&begins).skip(1);
    let blocks = rests.filter_map(|rest| rest.split("```").next());
    blocks.map(str::to_owned).collect()
}

/// Runs the program in a folder.
fn succeeds(folder: &Path, words: &[&str]) {
    assert_cmd::Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .current_dir(folder)
        .args(words)
        .assert()
        .success();
}

#[test]
fn every_file_that_a_page_shows_is_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let cards = fenced("docs/data.md", "toml");
    assert_eq!(cards.len(), 3);
    for card in cards {
        fs::write(folder.join("card.toml"), card).expect("written");
        succeeds(folder, &["list", "--domains", "card.toml"]);
    }
    for words in fenced("docs/wording.md", "toml") {
        fs::write(folder.join("words.toml"), words).expect("written");
        let words = ["--verbalizer", "words.toml", "--dry-run"];
        succeeds(folder, &[&["transfer", "qqp->mrpc"], &words[..]].concat());
    }
    let lines = fenced("docs/tutorial.md", "json");
    fs::create_dir_all(folder.join("data/handbook")).expect("made");
    fs::write(folder.join("data/handbook/train.jsonl"), &lines[0]).expect("written");
    let card = "name = \"handbook\"\ntask = \"qa\"\n";
    fs::write(folder.join("card.toml"), card).expect("written");
    let words = ["--data", "data", "--domains", "card.toml"];
    succeeds(folder, &[&["verify", "handbook"], &words[..]].concat());
}

/// Long flags of a command and its subcommands.
fn flags(command: &clap::Command, found: &mut BTreeSet<String>) {
    for argument in command.get_arguments() {
        let names = argument.get_long_and_visible_aliases().unwrap_or_default();
        found.extend(names.into_iter().map(|name| format!("--{name}")));
    }
    for below in command.get_subcommands() {
        flags(below, found);
    }
}

/// Flags of other programs, and those that clap adds.
const OTHERS: [&str; 16] = [
    "--help",
    "--features",
    "--profile",
    "--release",
    "--local-dir",
    // Of TensorBoard.
    "--logdir",
    // Of sbatch.
    "--array",
    "--constraint",
    "--dependency",
    "--mem",
    "--mem-per-cpu",
    "--output",
    "--requeue",
    "--signal",
    // Of GNU parallel.
    "--sshlogin",
    "--workdir",
];

/// Commands and flags in sentences must exist as well.
#[test]
fn every_command_and_flag_in_a_sentence_exists() {
    let root = Cli::command();
    let (mut all, mut by_verb) = (BTreeSet::new(), BTreeMap::new());
    for verb in root.get_subcommands() {
        let mut of_verb = BTreeSet::new();
        flags(verb, &mut of_verb);
        all.extend(of_verb.clone());
        by_verb.insert(verb.get_name().to_owned(), of_verb);
    }
    let mut wrong = Vec::new();
    for document in documents() {
        let prose: String = prose(&document);
        for span in prose.split('`').skip(1).step_by(2) {
            let words: Vec<&str> = span.split_whitespace().collect();
            let known = match words.as_slice() {
                ["promptshift", verb, ..] if by_verb.contains_key(*verb) => &by_verb[*verb],
                ["promptshift", verb, ..] if verb.starts_with(char::is_lowercase) => {
                    wrong.push(format!("{}: `{span}`: no such verb", document.path));
                    continue;
                }
                ["promptshift", ..] => &all,
                [first, ..] if first.starts_with("--") => &all,
                _ => continue,
            };
            for word in words.iter().filter(|word| word.starts_with("--")) {
                let flag = word.split(['=', ',']).next().expect("a first part");
                if !known.contains(flag) && !OTHERS.contains(&flag) && flag != "--" {
                    wrong.push(format!("{}: `{span}`: no such flag {flag}", document.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A document without its blocks.
fn prose(document: &Document) -> String {
    let mut is_fenced = false;
    let mut text = String::new();
    for line in document.text.lines() {
        if line.trim().starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced && !line.starts_with("    ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The targets of a document's links, except links to other sites.
fn links(document: &Document) -> Vec<String> {
    let prose = prose(document);
    let targets = prose.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    let inside = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    inside
        .map(|target| target.split('#').next().expect("a first part").to_owned())
        .collect()
}

#[test]
fn every_link_leads_to_a_file() {
    for document in documents() {
        let file = repository().join(&document.path);
        let folder = file.parent().expect("a folder");
        for link in links(&document) {
            let there = folder.join(&link).exists();
            assert!(there, "{}: no {link}", document.path);
        }
    }
}

#[test]
fn every_page_is_in_the_summary_once() {
    let mut listed = links(&Document::read("docs/SUMMARY.md"));
    let mut there: Vec<String> = pages()
        .into_iter()
        .map(|page| page.path["docs/".len()..].to_owned())
        .collect();
    listed.sort();
    there.sort();
    assert_eq!(listed, there);
}

/// The numbers of a committed report, from `report --json`.
fn numbers(report: &str) -> Value {
    let out = tempfile::tempdir().expect("a folder");
    let ended = assert_cmd::Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .args(["report", "--json", "--out"])
        .arg(out.path())
        .arg(repository().join(report))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    let all: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    all[0].clone()
}

/// A share of 1 in percent, with the printed minus sign.
fn percent(value: &Value) -> String {
    let value = 100.0 * value.as_f64().expect("a number");
    format!("{value:.1}")
        .replace('-', "−")
        .replace("−0.0", "0.0")
}

fn interval(estimate: &Value) -> String {
    let ends = &estimate["interval"];
    format!("[{}, {}]", percent(&ends["low"]), percent(&ends["high"]))
}

/// The README's table is that of reports/minilm-squad.
#[test]
fn the_readme_has_the_numbers_of_the_committed_report() {
    let report = numbers("reports/minilm-squad");
    let mut rows = Vec::new();
    for method in report["methods"].as_array().expect("methods") {
        let source = &method["scores"][0];
        let deviation = match &source["deviation"] {
            Value::Null => String::new(),
            deviation => format!(" ± {}", percent(deviation)),
        };
        let gap = &method["mean_gap"];
        let gap = format!("{} {}", percent(&gap["value"]), interval(gap));
        let tests = report["statistics"]["against_model"].as_array();
        let against = tests.expect("tests").iter();
        let mut against = against.filter(|one| one["method"] == method["method"]);
        let against = against.next().map_or("–".to_owned(), |one| {
            let mean = &one["mean"]["gap_difference"];
            format!("+{} {}", percent(&mean["value"]), interval(mean)).replace("+−", "−")
        });
        rows.push(format!(
            "| {} | {}{deviation} | {} | {gap} | {against} |",
            method["title"].as_str().expect("a title"),
            percent(&source["score"]["value"]),
            percent(&method["mean_target"]["value"]),
        ));
    }
    // The baseline last.
    rows.sort_by_key(|row| row.starts_with("| untuned"));
    let readme = Document::read("README.md").text;
    let table = readme
        .split("<!-- README-TABLE -->")
        .nth(1)
        .expect("a mark");
    let table = table
        .split("<!-- /README-TABLE -->")
        .next()
        .expect("a mark");
    let found: Vec<&str> = table.trim().lines().skip(2).collect();
    assert_eq!(found, rows, "README.md");

    let gap = &report["statistics"]["against_model"][0]["mean"]["gap_difference"];
    let ends = &gap["interval"];
    let sentence = format!(
        "LoRA's gap minus model tuning's is {} points, with an interval of {} to {}",
        percent(&gap["value"]),
        percent(&ends["low"]),
        percent(&ends["high"])
    );
    let readme: Vec<&str> = readme.split_whitespace().collect();
    assert!(
        readme.join(" ").contains(&sentence),
        "README.md: {sentence}"
    );
}

/// Every ratio to another program was printed by a benchmark.
#[test]
fn the_ratios_of_the_benchmarks_were_printed() {
    let printed = Document::read("reports/against-peft.md").text;
    let printed: BTreeSet<&str> = printed.split(['|', ' ', '\n']).collect();
    let page = Document::read("docs/benchmarks.md").text;
    let ratios: Vec<&str> = page
        .split('|')
        .filter_map(|cell| cell.trim().strip_suffix(" ×"))
        .collect();
    assert_eq!(ratios.len(), 28);
    for ratio in ratios {
        assert!(printed.contains(ratio), "docs/benchmarks.md: {ratio}");
    }
}

#[test]
fn every_committed_report_is_listed() {
    let listed: Vec<PathBuf> = links(&Document::read("reports/README.md"))
        .into_iter()
        .map(PathBuf::from)
        .collect();
    let folders = fs::read_dir(repository().join("reports")).expect("readable");
    for entry in folders {
        let entry = entry.expect("listed");
        if entry.path().is_dir() {
            let name = PathBuf::from(entry.file_name());
            let is_listed = listed.iter().any(|link| link.starts_with(&name));
            assert!(
                is_listed,
                "reports/README.md: no link to {}",
                name.display()
            );
        }
    }
}
