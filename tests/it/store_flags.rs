//! Checks what docs/store.md says about every flag of `transfer` and about the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use promptshift::record::folder::{StoredRecord, find};
use promptshift::record::{Checkpoint, Prediction};

use crate::parity::golden;

const TABLE: &str = include_str!("../../docs/store.md");

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn promptshift(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command
        .current_dir(folder)
        .env_remove("PROMPTSHIFT_STORE")
        .env_remove("PROMPTSHIFT_DEVICE");
    command
}

/// The stage that a flag affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Training,
    Evaluation,
    Report,
    None,
}

/// The table of docs/store.md by flag, with the two sides of the transfer as `SOURCE` and `TARGETS`.
fn table() -> BTreeMap<String, Of> {
    let mut found = BTreeMap::new();
    let rows = TABLE
        .lines()
        .skip_while(|line| !line.starts_with("| flag | belongs to |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        let of = match cells[1].trim() {
            "training" => Of::Training,
            "evaluation" => Of::Evaluation,
            "report" => Of::Report,
            "none" => Of::None,
            other => panic!("docs/store.md: a flag belongs to '{other}'"),
        };
        for flag in cells[0].split('`').skip(1).step_by(2) {
            let before = found.insert(flag.to_owned(), of);
            assert_eq!(before, None, "docs/store.md has {flag} twice");
        }
    }
    found
}

/// The long flags in the help of `transfer`, except `--help`.
fn flags_of_help() -> BTreeSet<String> {
    let help = promptshift(repository())
        .args(["transfer", "--help"])
        .output()
        .expect("it runs");
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    let mut found = BTreeSet::new();
    for line in help.lines() {
        let line = line.trim_start();
        let line = match line.split_once(", ") {
            Some((short, long)) if short.len() == 2 && short.starts_with('-') => long,
            _ => line,
        };
        if line.starts_with("--") {
            let end = line.find([' ', '=']).unwrap_or(line.len());
            found.insert(line[..end].to_owned());
        }
    }
    assert!(found.remove("--help"), "{help}");
    found
}

#[test]
fn the_table_has_exactly_the_flags_of_the_command() {
    let documented: BTreeSet<String> = table().into_keys().collect();
    let mut wanted = flags_of_help();
    wanted.extend(["SOURCE", "TARGETS"].map(str::to_owned));
    assert_eq!(documented, wanted);
}

/// A command line: flags with their values.
#[derive(Debug, Clone)]
struct Line {
    transfer: String,
    flags: Vec<(String, Option<String>)>,
}

impl Line {
    /// A tiny run.
    fn tiny(transfer: &str, methods: &str) -> Self {
        Line {
            transfer: transfer.to_owned(),
            flags: Vec::new(),
        }
        .with("--methods", methods)
        .with("--seeds", "1")
        .with("--steps", "2")
        .with("--batch-size", "2")
        .with("--train-rows", "8")
        .with("--validation-rows", "4")
        .with("--eval-rows", "4")
        .with("--jobs", "1")
    }

    fn to(&self, transfer: &str) -> Self {
        Line {
            transfer: transfer.to_owned(),
            ..self.clone()
        }
    }

    /// With another value for a flag.
    fn with(&self, flag: &str, value: &str) -> Self {
        let mut line = self.clone();
        line.flags.retain(|(known, _)| known != flag);
        line.flags.push((flag.to_owned(), Some(value.to_owned())));
        line
    }

    fn without(&self, flag: &str) -> Self {
        let mut line = self.clone();
        line.flags.retain(|(known, _)| known != flag);
        line
    }

    /// With a flag without a value.
    fn flag(&self, flag: &str) -> Self {
        let mut line = self.clone();
        line.flags.push((flag.to_owned(), None));
        line
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = promptshift(folder);
        command.args(["transfer", &self.transfer]);
        for (flag, value) in &self.flags {
            command.arg(flag);
            command.args(value);
        }
        command
    }

    /// Runs it and returns the printed counts.
    fn run(&self, folder: &Path, out: &str) -> Option<Counts> {
        let ended = self
            .command(folder)
            .args(["--out", out])
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{self:?}: {said}");
        said.lines().find_map(Counts::read)
    }

    /// The numbers found and to do.
    fn dry_run(&self, folder: &Path) -> Counts {
        let ended = self
            .command(folder)
            .arg("--dry-run")
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&ended.stdout);
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{self:?}: {errors}");
        let counts = said.lines().find_map(Counts::read);
        counts.unwrap_or_else(|| panic!("{self:?}: no counts in {said}"))
    }
}

/// Found and to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counts {
    trainings: (usize, usize),
    evaluations: (usize, usize),
}

impl Counts {
    /// From `1 training found, 0 to do; 4 evaluations found, 2 to do`.
    fn read(line: &str) -> Option<Self> {
        let (trainings, evaluations) = line.split_once("; ")?;
        let of = |text: &str, what: &str| {
            let (found, rest) = text.split_once(' ')?;
            let (named, rest) = rest.split_once(" found, ")?;
            let to_do = rest.split(' ').next()?;
            let pair = (found.parse().ok()?, to_do.parse().ok()?);
            named.starts_with(what).then_some(pair)
        };
        Some(Counts {
            trainings: of(trainings, "training")?,
            evaluations: of(evaluations, "evaluation")?,
        })
    }

    /// The stage of the change that led to these counts.
    fn of(self) -> Of {
        match (self.trainings.1, self.evaluations.1) {
            (0, 0) => Of::None,
            (0, _) => Of::Evaluation,
            _ => Of::Training,
        }
    }
}

fn counts(trainings: (usize, usize), evaluations: (usize, usize)) -> Counts {
    Counts {
        trainings,
        evaluations,
    }
}

/// A folder of domains with the miniature's files, some in place of others.
fn data(folder: &Path, name: &str, instead: &[(&str, &str)]) -> String {
    let mini = repository().join("datasets/mini");
    for domain in ["squad", "race"] {
        fs::create_dir_all(folder.join(name).join(domain)).expect("made");
        for entry in fs::read_dir(mini.join(domain)).expect("committed") {
            let file = entry.expect("listed").file_name();
            let file = format!("{domain}/{}", file.to_string_lossy());
            let taken = instead.iter().find(|(place, _)| *place == file);
            let from = taken.map_or(file.as_str(), |(_, from)| from);
            let to = folder.join(name).join(&file);
            fs::copy(mini.join(from), to).expect("copied");
        }
    }
    name.to_owned()
}

/// A model of the miniature's size with one weight changed.
fn other_model(folder: &Path) -> String {
    let to = folder.join("other-model");
    fs::create_dir(&to).expect("made");
    for entry in fs::read_dir(repository().join("models/nano")).expect("committed") {
        let entry = entry.expect("listed");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
    let weights = to.join("model.safetensors");
    let mut bytes = fs::read(&weights).expect("copied");
    let last = bytes.len() - 4;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).expect("written");
    to.display().to_string()
}

/// Computes a subspace of tuned prompts.
fn subspace(folder: &Path, prompts: &[&str], out: &str) -> String {
    let prompts = (prompts.iter()).map(|run| format!("{run}/prompt.safetensors"));
    promptshift(folder)
        .args(["prompt", "subspace", "--dim", "1", "--out", out])
        .args(prompts)
        .assert()
        .success();
    out.to_owned()
}

#[test]
fn every_flag_affects_the_stage_in_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let prompt = Line::tiny("squad->race", "prompt");
    prompt.run(folder, "prompt");
    prompt
        .with("--seeds", "1,2")
        .with("--eval-rows", "1")
        .run(folder, "seeds");
    let seeds = ["seeds/prompt-seed1", "seeds/prompt-seed2"];
    let own = ["prompt/prompt-seed0", seeds[0]];
    let spaces = [
        subspace(folder, &own, "one.safetensors"),
        subspace(folder, &seeds, "other.safetensors"),
    ];
    let intrinsic = Line::tiny("squad->race", "intrinsic").with("--subspace", &spaces[0]);
    intrinsic.run(folder, "intrinsic");
    let lora = Line::tiny("squad->race", "lora");
    lora.run(folder, "lora");
    let vera = Line::tiny("squad->race", "vera");
    vera.run(folder, "vera");
    let labelled = Line::tiny("qqp->mrpc", "prompt");
    labelled.run(folder, "labelled");
    let mixture = Line::tiny("squad+race->drop", "prompt");
    mixture.run(folder, "mixture");
    let few = prompt.with("--tune-on", "2").with("--tune-on-steps", "1");
    few.run(folder, "few");
    let model = other_model(folder);
    let same = data(folder, "same", &[]);

    let changes = [
        ("SOURCE", prompt.to("drop->race")),
        ("TARGETS", prompt.to("squad->race,drop")),
        ("--model", prompt.with("--model", &model)),
        ("--methods", prompt.with("--methods", "prompt,bitfit")),
        ("--seeds", prompt.with("--seeds", "0,3")),
        ("--steps", prompt.with("--steps", "3")),
        ("--quick", prompt.without("--steps").flag("--quick")),
        ("--batch-size", prompt.with("--batch-size", "3")),
        ("--replicas", prompt.with("--replicas", "2")),
        ("--micro-batch", prompt.with("--micro-batch", "1")),
        (
            "--gradient-checkpointing",
            prompt.flag("--gradient-checkpointing"),
        ),
        ("--frozen-weights", prompt.with("--frozen-weights", "bf16")),
        ("--learning-rate", prompt.with("--learning-rate", "0.1")),
        ("--prompt-length", prompt.with("--prompt-length", "7")),
        ("--init", prompt.with("--init", "uniform")),
        ("--subspace", intrinsic.with("--subspace", &spaces[1])),
        ("--lora-rank", lora.with("--lora-rank", "2")),
        ("--lora-alpha", lora.with("--lora-alpha", "3")),
        ("--lora-scaling", lora.with("--lora-scaling", "rslora")),
        ("--lora-maps", lora.with("--lora-maps", "q")),
        ("--vera-rank", vera.with("--vera-rank", "2")),
        ("--mixing", mixture.with("--mixing", "equal")),
        ("--trials", prompt.with("--trials", "2")),
        ("--train-rows", prompt.with("--train-rows", "9")),
        ("--validation-rows", prompt.with("--validation-rows", "5")),
        ("--template", prompt.with("--template", "question-first")),
        ("--verbalizer", labelled.with("--verbalizer", "yes-no")),
        ("--eval-rows", prompt.with("--eval-rows", "5")),
        ("--score-by", labelled.with("--score-by", "likelihood")),
        ("--tune-on", prompt.with("--tune-on", "2")),
        ("--tune-on-steps", few.with("--tune-on-steps", "2")),
        (
            "--tuned",
            prompt.with("--tuned", "mine=prompt/prompt-seed0"),
        ),
        ("--answers", prompt.with("--answers", "raw")),
        ("--suite", prompt.with("--suite", "mini")),
        ("--data", prompt.with("--data", &same)),
        ("--domains", prompt.with("--domains", "own.toml")),
        ("--device", prompt.with("--device", "cpu")),
        ("--jobs", prompt.with("--jobs", "2")),
        ("--out", prompt.with("--out", "elsewhere")),
        ("--store", prompt.with("--store", "runs/store")),
        ("--keep", prompt.with("--keep", "none")),
        ("--reuse", prompt.with("--reuse", "any")),
        ("--log-to", prompt.with("--log-to", "curves")),
        ("--html", prompt.flag("--html")),
        ("--dry-run", prompt.clone()),
        ("--quiet", prompt.flag("--quiet")),
        ("--json", prompt.flag("--json")),
        ("--list-cells", prompt.flag("--list-cells")),
        ("--cell", prompt.with("--cell", "evaluation/untuned")),
        ("--partition", prompt.with("--partition", "slice:1/2")),
        ("--report-only", prompt.flag("--report-only")),
    ];
    let card = fs::read_to_string(repository().join("datasets/drop.toml")).expect("committed");
    let is_kept = |line: &&str| !line.starts_with("miniature");
    let card: Vec<&str> = card.lines().filter(is_kept).collect();
    let card = card.join("\n").replace("\"drop\"", "\"own\"");
    fs::write(folder.join("own.toml"), card).expect("written");

    let mut table = table();
    // The results of the run are found.
    for line in [&prompt, &intrinsic, &lora, &vera, &labelled, &mixture] {
        assert_eq!(line.dry_run(folder), counts((1, 0), (4, 0)), "{line:?}");
    }
    for (flag, line) in changes {
        let wanted = table.remove(flag).expect("it is in the table");
        let found = line.dry_run(folder);
        let wanted_of = match wanted {
            Of::Report => Of::None,
            wanted => wanted,
        };
        assert_eq!(found.of(), wanted_of, "{flag} is of {wanted:?}: {found:?}");
        if ["--methods", "--seeds"].contains(&flag) {
            assert_eq!(found.trainings.0, 1, "{flag}: others stay: {found:?}");
        }
    }
    // It runs nothing and has no --dry-run.
    assert_eq!(table.remove("--save-plan"), Some(Of::None));
    assert!(table.is_empty(), "not tried: {table:?}");

    // Domains are identified by their rows.
    let instead = [("race/test.parquet", "race/validation.parquet")];
    let other = prompt.with("--data", &data(folder, "other-test", &instead));
    assert_eq!(other.dry_run(folder).of(), Of::Evaluation);
    let instead = [("squad/train.parquet", "squad/validation.parquet")];
    let other = prompt.with("--data", &data(folder, "other-train", &instead));
    assert_eq!(other.dry_run(folder).of(), Of::Training);
    // Another store is empty.
    let other = prompt.with("--store", "another").dry_run(folder);
    assert_eq!(other, counts((0, 1), (0, 4)));
    // The training of a BERT depends on how it will be evaluated.
    let bert = golden("bert_words_tiny").display().to_string();
    let bert = Line::tiny("qqp->mrpc", "prompt").with("--model", &bert);
    bert.run(folder, "bert");
    assert_eq!(bert.dry_run(folder).of(), Of::None);
    let words = "[words]\nnot_duplicate = [\"red\"]\nduplicate = [\"town\"]\n";
    fs::write(folder.join("words.toml"), words).expect("written");
    let words = bert
        .with("--score-by", "likelihood")
        .with("--verbalizer", "words.toml");
    assert_eq!(words.dry_run(folder).of(), Of::Training);
    // Finished trials are found.
    let searched = prompt.with("--trials", "2");
    searched.run(folder, "searched");
    assert_eq!(searched.dry_run(folder), counts((1, 0), (4, 0)));
}

fn record(folder: &Path, out: &str, name: &str) -> StoredRecord {
    let records = find(&folder.join(out).join(name)).expect("a record");
    records.into_iter().next().expect("one")
}

fn domains(record: &StoredRecord) -> Vec<&str> {
    let evaluations = record.record.evaluations.iter();
    evaluations.map(|one| one.domain.as_str()).collect()
}

fn trainings(folder: &Path, store: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = fs::read_dir(folder.join(store).join("trainings")).expect("there");
    all.map(|entry| {
        let file = entry.expect("listed").path().join("training.json");
        let bytes = fs::read(&file).expect("written");
        (file, bytes)
    })
    .collect()
}

#[test]
fn another_target_trains_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let line = Line::tiny("squad->race", "prompt");
    assert_eq!(line.run(folder, "one"), Some(counts((0, 1), (0, 4))));
    let before = trainings(folder, "runs/store");
    let more = line.to("squad->race,drop");
    assert_eq!(more.run(folder, "more"), Some(counts((1, 0), (4, 2))));
    assert_eq!(trainings(folder, "runs/store"), before);
    more.with("--store", "fresh").run(folder, "fresh-more");
    for name in ["untuned", "prompt-seed0"] {
        let [one, more, fresh] = ["one", "more", "fresh-more"].map(|out| record(folder, out, name));
        assert_eq!(domains(&more), ["squad", "race", "drop"]);
        assert_eq!(more.predictions[..2], one.predictions[..]);
        assert_eq!(more.predictions, fresh.predictions);
    }
    // A report has its own files.
    let [saved, again] = ["one", "more"].map(|out| {
        fs::read(folder.join(out).join("prompt-seed0/prompt.safetensors")).expect("there")
    });
    assert_eq!(saved, again);
    fs::remove_dir_all(folder.join("runs")).expect("removed");
    promptshift(folder)
        .args(["report", "more"])
        .assert()
        .success();
}

/// Rows answered in other batches have the same text, and log-probabilities that may differ in the last bits.
fn are_alike(ones: &[Vec<Prediction>], others: &[Vec<Prediction>]) {
    assert_eq!(ones.len(), others.len());
    for (ones, others) in ones.iter().zip(others) {
        assert_eq!(ones.len(), others.len());
        for (one, other) in ones.iter().zip(others) {
            let difference = (one.log_prob - other.log_prob).abs();
            assert!(difference < 1e-4, "{}: {difference}", one.id);
            let other = Prediction {
                log_prob: one.log_prob,
                ..other.clone()
            };
            assert_eq!(*one, other);
        }
    }
}

#[test]
fn only_additional_rows_are_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let line = Line::tiny("squad->race", "prompt");
    line.run(folder, "four");
    let six = line.with("--eval-rows", "6");
    assert_eq!(six.run(folder, "six"), Some(counts((1, 0), (0, 4))));
    six.with("--store", "fresh").run(folder, "fresh-six");
    for name in ["untuned", "prompt-seed0"] {
        let [four, six, fresh] = ["four", "six", "fresh-six"].map(|out| record(folder, out, name));
        for (four, six) in four.predictions.iter().zip(&six.predictions) {
            assert_eq!((four.len(), six.len()), (4, 6));
            let common: Vec<&Prediction> = (six.iter())
                .filter(|six| four.iter().any(|four| four.id == six.id))
                .collect();
            assert_eq!(common, four.iter().collect::<Vec<_>>());
        }
        are_alike(&six.predictions, &fresh.predictions);
    }
    // Only the new rows are answered.
    let mut answers = Vec::new();
    let store = folder.join("runs/store/answers");
    for of in fs::read_dir(store).expect("there") {
        for batch in fs::read_dir(of.expect("listed").path()).expect("there") {
            let bytes = fs::read(batch.expect("listed").path()).expect("written");
            let text = String::from_utf8(bytes).expect("UTF-8");
            answers.push(text.matches("\"row\":").count());
        }
    }
    answers.sort_unstable();
    // For the untuned model, the tuned result and its checkpoint, on source and target each.
    assert_eq!(answers, [[2; 6], [4; 6]].concat());
}

#[test]
fn another_seed_keeps_existing_trainings() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let line = Line::tiny("squad->race", "prompt");
    line.run(folder, "one");
    let two = line.with("--seeds", "2");
    assert_eq!(two.run(folder, "two"), Some(counts((1, 1), (4, 2))));
    two.with("--store", "fresh").run(folder, "fresh-two");
    for name in ["prompt-seed0", "prompt-seed1"] {
        let [two, fresh] = ["two", "fresh-two"].map(|out| record(folder, out, name));
        assert_eq!(two.predictions, fresh.predictions);
    }
    let [one, two] = ["one", "two"].map(|out| record(folder, out, "prompt-seed0"));
    assert_eq!(one.predictions, two.predictions);
    assert_eq!(one.record.training, two.record.training);
}

#[test]
fn a_training_without_kept_weights_is_repeated_with_the_same_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    // Also by workers, which are separate processes.
    for jobs in ["1", "2"] {
        let name = |what: &str| format!("{what}-{jobs}");
        let line = Line::tiny("squad->race", "prompt,lora").with("--jobs", jobs);
        let all = line.with("--store", &name("all"));
        let none = line.with("--store", &name("none")).with("--keep", "none");
        all.run(folder, &name("all-one"));
        none.run(folder, &name("none-one"));
        let kept = format!("{}/prompt-seed0/prompt.safetensors", name("none-one"));
        assert!(folder.join(kept).exists(), "the report has what was tuned");
        for file in trainings(folder, &name("none")).keys() {
            let folder = file.parent().expect("a folder");
            let weights = (fs::read_dir(folder).expect("there"))
                .filter(|entry| {
                    let path = entry.as_ref().expect("listed").path();
                    path.extension().is_some_and(|it| it == "safetensors")
                })
                .count();
            assert_eq!(weights, 0, "{}", folder.display());
        }
        let [all, none] = [all, none].map(|line| line.to("squad->race,drop"));
        assert_eq!(
            all.run(folder, &name("all-two")),
            Some(counts((2, 0), (6, 3)))
        );
        assert_eq!(
            none.run(folder, &name("none-two")),
            Some(counts((0, 2), (6, 3)))
        );
        for cell in ["prompt-seed0", "lora-seed0"] {
            let [all, none] = ["all-two", "none-two"].map(|out| record(folder, &name(out), cell));
            assert_eq!(all.predictions, none.predictions, "{cell}");
        }
    }
}

#[test]
fn few_shot_tuning_starts_from_stored_trainings() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let line = Line::tiny("squad->race", "prompt,model");
    line.run(folder, "zero");
    let few = line.with("--tune-on", "4").with("--tune-on-steps", "3");
    assert_eq!(few.run(folder, "few"), Some(counts((2, 0), (6, 2))));
    few.with("--store", "fresh").run(folder, "fresh-few");
    for name in ["prompt-seed0", "model-seed0"] {
        let [few, fresh] = ["few", "fresh-few"].map(|out| record(folder, out, name));
        assert_eq!(few.k_shots.len(), 1);
        assert_eq!(few.k_shots, fresh.k_shots);
        assert_eq!(few.predictions, fresh.predictions);
        assert_ne!(few.k_shots[0], few.predictions[1]);
    }
}

#[test]
fn checkpoints_answer_a_target_requested_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let line = Line::tiny("squad->race", "model").with("--steps", "8");
    line.run(folder, "one");
    let two = line.to("squad->race,drop");
    assert_eq!(two.run(folder, "two"), Some(counts((1, 0), (4, 2))));
    two.with("--store", "fresh").run(folder, "fresh-two");
    let checkpoints = |out| -> Vec<Checkpoint> {
        let training = record(folder, out, "model-seed0").record.training;
        let mut found = training.expect("it was trained").checkpoints;
        assert!(!found.is_empty(), "{out}");
        found.iter_mut().for_each(|one| one.seconds = 0.0);
        found
    };
    assert_eq!(checkpoints("two"), checkpoints("fresh-two"));
    assert_eq!(checkpoints("two")[0].scores.len(), 3);
    // Without weights at checkpoints there are no answers for the later target.
    let deltas = |line: &Line| line.with("--store", "deltas").with("--keep", "deltas");
    deltas(&line).run(folder, "deltas-one");
    assert_eq!(checkpoints("deltas-one"), checkpoints("one"));
    deltas(&two).run(folder, "deltas-two");
    let training = record(folder, "deltas-two", "model-seed0").record.training;
    assert_eq!(training.expect("trained").checkpoints, Vec::new());
}
