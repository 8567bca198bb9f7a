use super::*;
use crate::fixture::{LIMITS, assert_refused, provenance};
use crate::recipe::{Method, Recipe};
use crate::record::folder::write_predictions;
use crate::record::{CurvePoint, Provenance, SavedDelta, Stop, Training, ValidationAnswers};
use promptshift_text::claim::ClaimError;
use promptshift_text::domain::Task;
use promptshift_text::domain::wording::Wording;

fn subject(seed: u64) -> Subject {
    Subject {
        model_sha256: "m".to_owned(),
        config_sha256: "c".to_owned(),
        tokenizer_sha256: "t".to_owned(),
        task: Task::ExtractiveQa,
        labels: Vec::new(),
        train_sha256: vec!["a".to_owned()],
        validation_sha256: vec!["b".to_owned()],
        mixing: None,
        wording: Wording::default(),
        limits: LIMITS,
        method: Method::Prompt,
        recipe: Recipe::miniature_prompt(),
        seed,
    }
}

fn environment(processor: &str) -> Environment {
    Environment {
        arithmetic: ARITHMETIC,
        device: "cpu".to_owned(),
        processor: processor.to_owned(),
        gpu: None,
    }
}

#[test]
fn how_many_gpus_compute_together_is_hardware_and_which_is_not() {
    let hardware = |device: &str| {
        let provenance = Provenance {
            device: device.to_owned(),
            gpu: Some("G".to_owned()),
            ..provenance()
        };
        provenance.hardware()
    };
    assert_eq!(hardware("cuda:0"), "G with p");
    assert_eq!(hardware("cuda:1"), "G with p");
    assert_eq!(hardware("cuda:0,cuda:1"), "2 × G with p");
    assert_eq!(provenance().hardware(), "p (cpu)");
}

/// Stores an empty training.
fn train(store: &Store, subject: &Subject, environment: &Environment) -> StoredTraining {
    let name = environment.name(subject);
    let work = store.begin(&name).expect("nobody trains it");
    let draft = work.draft();
    let weights = b"weights";
    fs::write(draft.join("prompt.safetensors"), weights).expect("written");
    let file = write_predictions(&draft, "squad@validation", &[]).expect("written");
    let saved = SavedDelta {
        file: "prompt.safetensors".to_owned(),
        bytes: weights.len() as u64,
        sha256: "s".to_owned(),
    };
    let record = TrainingRecord {
        subject: subject.clone(),
        environment: environment.clone(),
        provenance: provenance(),
        training: Training {
            trainable_parameters: 1,
            total_parameters: 2,
            examples: 3,
            cut_inputs: 0,
            steps: 1,
            best_step: 1,
            stop: Stop::Budget,
            curve: vec![CurvePoint {
                step: 1,
                train_loss: None,
                validation_score: 0.5,
            }],
            tokens: 10,
            train_seconds: 1.0,
            validation_seconds: 1.0,
            peak_bytes: 1,
            peak_parts: None,
            reserved_peak_bytes: None,
            movement: None,
            checkpoints: Vec::new(),
            saved: saved.clone(),
            stored_as: Some(name),
        },
        validation: ValidationAnswers {
            examples: 0,
            predictions: file.file,
            predictions_sha256: file.sha256,
        },
        trained: saved,
    };
    work.finish(&record).expect("finished")
}

fn assert_busy<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    let busy = result.expect_err("another has it");
    let is_busy = matches!(busy, StoreError::Claim(ClaimError::Busy { .. }));
    assert!(is_busy, "{busy}");
}

fn opened() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(&folder.path().join("store"), None).expect("made");
    (folder, store)
}

#[test]
fn a_training_is_found_by_everything_that_it_depends_on() {
    let (_folder, store) = opened();
    let here = environment("here");
    let find = |subject: &Subject, environment: &Environment, reuse| {
        store
            .training(subject, environment, reuse)
            .expect("readable")
    };
    assert_eq!(find(&subject(0), &here, Reuse::Any), None);
    let stored = train(&store, &subject(0), &here);
    assert_eq!(find(&subject(0), &here, Reuse::Same), Some(stored.clone()));
    assert!(stored.trained().is_some());
    assert_eq!(find(&subject(1), &here, Reuse::Any), None);
    let mut longer = subject(0);
    longer.recipe.budget.steps += 1;
    assert_eq!(find(&longer, &here, Reuse::Any), None);
    // Another machine has another training, unless any environment is allowed.
    let there = environment("there");
    assert_eq!(find(&subject(0), &there, Reuse::Same), None);
    assert_eq!(find(&subject(0), &there, Reuse::Any), Some(stored.clone()));
    stored.forget_weights().expect("removed");
    let found = find(&subject(0), &here, Reuse::Same).expect("its numbers stay");
    assert_eq!(found.trained(), None);
}

#[test]
fn a_training_is_computed_by_one_process_at_a_time() {
    let (_folder, store) = opened();
    let work = store.begin("prompt").expect("nobody trains it");
    assert_busy(store.begin("prompt"));
    store.begin("model").expect("another one");
    fs::create_dir(work.begun()).expect("made");
    fs::write(work.draft().join("half"), "x").expect("written");
    drop(work);
    let work = store.begin("prompt").expect("broken off");
    assert!(work.begun().exists(), "what it resumes from stays");
    let holds = !work.draft().join("half").exists();
    assert!(holds, "what is half written goes");
    work.clear().expect("removed");
    drop(work);
    let left = fs::read_dir(store.path().join(UNFINISHED)).expect("there");
    assert_eq!(left.count(), 0);
}

#[test]
fn a_changed_byte_of_a_training_is_detected() {
    let (_folder, store) = opened();
    let here = environment("here");
    let stored = train(&store, &subject(0), &here);
    let path = stored.folder.join("training.json");
    let text = fs::read_to_string(&path).expect("written");
    let edited = text.replace("\"validation_score\": 0.5", "\"validation_score\": 0.6");
    fs::write(&path, edited).expect("written");
    let found = store.training(&subject(0), &here, Reuse::Same);
    assert_refused(found, &["training.json"]);
}

fn asked() -> Asked {
    Asked {
        of: Of::Training {
            name: environment("here").name(&subject(0)),
            step: None,
            few_shot: None,
        },
        domain: "squad+race".to_owned(),
        wording: Wording::default(),
        labels: Vec::new(),
        limits: LIMITS,
    }
}

fn batch(rows: &[&str], processor: &str) -> Batch {
    let answer = |row: &&str| StoredAnswer {
        row: (*row).to_owned(),
        text: format!("{row} by {processor}"),
        log_prob: -0.1,
        class_log_probs: None,
        input_tokens: 3,
        output_tokens: 2,
        cut: false,
    };
    Batch {
        asked: asked(),
        environment: environment(processor),
        provenance: provenance(),
        seconds: 2.0,
        few_shot_seconds: None,
        peak_bytes: 5,
        answers: rows.iter().map(answer).collect(),
    }
}

#[test]
fn answered_rows_are_not_missing() {
    let (_folder, store) = opened();
    let rows = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>();
    let answered = |reuse| {
        let found = store.answers(&asked(), &environment("here"), reuse);
        found.expect("readable")
    };
    let missing = answered(Reuse::Same).missing(&rows(&["a", "b", "a"]));
    assert_eq!(missing, [0, 1]);
    for batch in [batch(&["a", "b"], "here"), batch(&["b", "c"], "there")] {
        store.keep_answers(&batch).expect("kept");
    }
    let same = answered(Reuse::Same);
    assert_eq!(same.missing(&rows(&["a", "b", "c"])), [2]);
    assert!(same.give(&rows(&["a", "c"])).is_none());
    let given = same.give(&rows(&["b"])).expect("answered");
    let cost = (given.seconds, given.peak_bytes);
    assert_eq!(cost, (1.0, 5), "half of the batch");
    let any = answered(Reuse::Any);
    let given = any.give(&rows(&["a", "b", "c"])).expect("answered");
    let texts: Vec<&str> = (given.answers.iter())
        .map(|answer| answer.text.as_str())
        .collect();
    assert_eq!(texts, ["a by here", "b by here", "c by there"]);
    assert_eq!(given.seconds, 3.0);
    // Rows presented in another way have their own answers.
    let mut other = asked();
    other.limits.answer += 1;
    let found = store
        .answers(&other, &environment("here"), Reuse::Any)
        .expect("readable");
    assert_eq!(found.missing(&rows(&["a"])), [0]);
}

#[test]
fn folders_that_no_report_uses_can_be_removed() {
    let (folder, store) = opened();
    let here = environment("here");
    for seed in 0..2 {
        train(&store, &subject(seed), &here);
    }
    store.keep_answers(&batch(&["a"], "here")).expect("kept");
    let report = folder.path().join("report");
    fs::create_dir(&report).expect("made");
    let of = |seed| std::collections::BTreeSet::from([environment("here").name(&subject(seed))]);
    store.refer(&report, of(0)).expect("written");
    let names = || {
        let found = store.unreferenced().expect("readable");
        (found.iter())
            .map(|one| one.folder.clone())
            .collect::<Vec<_>>()
    };
    let own = |seed| store.path().join(TRAININGS).join(here.name(&subject(seed)));
    assert_eq!(names(), [own(1)]);
    let referred: Vec<bool> = (store.entries().expect("readable").iter())
        .map(|entry| entry.is_referred_to)
        .collect();
    assert_eq!(referred.iter().filter(|of| **of).count(), 1);
    store.refer(&report, of(1)).expect("written");
    assert_eq!(names(), Vec::<std::path::PathBuf>::new());
    fs::remove_dir(&report).expect("removed");
    assert_eq!(names().len(), 3, "two trainings and the answers of one");
    let found = store.unreferenced().expect("readable");
    let kinds: Vec<Kind> = found.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [Kind::Answers, Kind::Training, Kind::Training]);
    assert_eq!(
        store.missing_reports().expect("readable"),
        [report.canonicalize().unwrap_or(report)]
    );
    // Not while another process uses the store, even if it is not training.
    let in_use = store.prune().expect_err("it is open");
    assert!(matches!(in_use, StoreError::InUse { .. }), "{in_use}");
    let root = store.path().to_owned();
    drop(store);
    let store = Store::at(&root);
    let pruning = store.prune().expect("nobody uses it");
    for one in &found {
        assert!(pruning.remove(one).expect("removed"));
    }
    pruning.forget_missing_reports().expect("removed");
    drop(pruning);
    assert_eq!(store.entries().expect("readable").len(), 0);
    assert_eq!(store.unreferenced().expect("readable"), []);
    assert!(store.missing_reports().expect("readable").is_empty());
    let left = |of: &str| fs::read_dir(root.join(of)).expect("there").count();
    assert_eq!([TRAININGS, ANSWERS, UNFINISHED, REPORTS].map(left), [0; 4]);
}

/// A closed store with a training for each of these seeds.
fn closed(seeds: std::ops::Range<u64>) -> (tempfile::TempDir, Store) {
    let (folder, store) = opened();
    for seed in seeds {
        train(&store, &subject(seed), &environment("here"));
    }
    let store = Store::at(store.path());
    (folder, store)
}

#[test]
fn running_trainings_are_not_removed() {
    let (_folder, store) = closed(0..2);
    let here = environment("here");
    let unfinished = store.path().join(UNFINISHED);
    let running = unfinished.join(here.name(&subject(1)));
    // A search was interrupted, and the training with seed 1 is running again.
    let broken_off = unfinished.join("search-prompt");
    fs::create_dir_all(broken_off.join(BEGUN)).expect("made");
    fs::write(broken_off.join(BEGUN).join("step"), "1234").expect("written");
    let listed = store.unreferenced().expect("readable");
    fs::create_dir_all(&running).expect("made");
    let claim = Claim::take(&running, None).expect("nobody has it");
    let begun = store.begun().expect("readable");
    let told: Vec<_> = (begun.iter())
        .map(|begun| (begun.name.as_str(), begun.claimed_by.is_some()))
        .collect();
    let under_way = here.name(&subject(1));
    assert_eq!(told, [(&*under_way, true), ("search-prompt", false)]);
    assert_eq!(begun[1].bytes, 4);
    let kinds: Vec<Kind> = listed.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [Kind::Training, Kind::Training, Kind::BrokenOff]);
    let pruning = store.prune().expect("nobody has opened it");
    let mut listed = listed;
    listed.sort_by_key(|one| one.name != under_way);
    let removed: Vec<bool> = (listed.iter())
        .map(|one| pruning.remove(one).expect("claimed, or removed"))
        .collect();
    assert_eq!(removed, [false, true, true]);
    claim.check().expect("held still");
    let left: Vec<String> = (store.entries().expect("readable").into_iter())
        .map(|entry| entry.name)
        .collect();
    assert_eq!(left, [under_way]);
    assert!(!broken_off.exists());
}

#[test]
fn a_training_that_a_report_has_begun_to_use_is_not_removed() {
    let (folder, store) = closed(0..1);
    let listed = store.unreferenced().expect("readable");
    let of = std::collections::BTreeSet::from([environment("here").name(&subject(0))]);
    store.refer(folder.path(), of).expect("written");
    let pruning = store.prune().expect("nobody uses it");
    assert!(!pruning.remove(&listed[0]).expect("looked at"));
    assert_eq!(store.entries().expect("readable").len(), 1);
}

#[test]
fn a_partly_removed_training_does_not_count() {
    let (_folder, store) = closed(0..2);
    let here = environment("here");
    let own = store.path().join(TRAININGS).join(here.name(&subject(0)));
    let aside = own.with_file_name(format!("{PARTIAL}1-{}", here.name(&subject(0))));
    fs::rename(&own, &aside).expect("renamed");
    for reuse in [Reuse::Same, Reuse::Any] {
        let found = store.training(&subject(0), &here, reuse).expect("readable");
        assert_eq!(found, None);
    }
    let trainings = store.trainings().expect("readable");
    let names: Vec<&str> = trainings.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, [here.name(&subject(1))]);
    let listed = store.unreferenced().expect("readable");
    let left_over: Vec<_> = (listed.iter())
        .filter(|one| one.kind == Kind::LeftOver)
        .collect();
    assert_eq!(left_over.len(), 1);
    let pruning = store.prune().expect("nobody uses it");
    assert!(pruning.remove(left_over[0]).expect("removed"));
    assert!(!aside.exists());
}

#[test]
fn one_damaged_training_does_not_hide_the_others() {
    let (_folder, store) = closed(0..2);
    let path = store.path().join(TRAININGS);
    let damaged = environment("here").name(&subject(0));
    fs::write(path.join(&damaged).join("training.json"), "{").expect("written");
    for entry in store.entries().expect("readable") {
        assert_eq!(entry.training.is_err(), entry.name == damaged);
    }
}

#[test]
fn opening_a_store_waits_for_a_removal() {
    let (_folder, store) = closed(0..1);
    let pruning = store.prune().expect("nobody uses it");
    assert_busy(store.prune());
    let listed = store.unreferenced().expect("readable");
    std::thread::scope(|scope| {
        let opened = scope.spawn(|| {
            let store = Store::open(store.path(), None).expect("free again");
            store.entries().expect("readable").len()
        });
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!opened.is_finished());
        assert!(pruning.remove(&listed[0]).expect("removed"));
        drop(pruning);
        assert_eq!(opened.join().expect("no panic"), 0);
    });
}

#[test]
fn reading_a_store_creates_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::at(&folder.path().join("store"));
    assert!(!store.exists().expect("looked at"));
    assert_eq!(store.entries().expect("readable").len(), 0);
    assert_eq!(store.begun().expect("readable"), []);
    assert_eq!(store.unreferenced().expect("readable"), []);
    assert_eq!(store.bytes().expect("readable"), 0);
    assert!(!store.path().exists());
    let opened = Store::open(store.path(), None).expect("made");
    assert!(store.exists().expect("looked at"));
    drop(opened);
}

#[test]
fn a_folder_with_other_content_is_not_a_store() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("thesis.tex"), "x").expect("written");
    assert_refused(Store::open(folder.path(), None), &["'thesis.tex'"]);
    let error = Store::at(folder.path()).exists().expect_err("not a store");
    assert!(matches!(error, StoreError::ForeignStore { .. }), "{error}");
}
